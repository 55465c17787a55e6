"""What a campaign would do and may cost at most."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.campaign.text.digits import plain

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.contracts.engine import Settled
    from aiida_inversedesign.campaign.spec import CampaignSpec


@dataclass(frozen=True)
class Profile:
    """What only a profile can tell of a campaign.

    :param elements: those that it can lead to. :param settled: what the profile decides for its engine.
    :param remarks: what may not be as the user expects.
    """

    elements: Collection[str]
    settled: Settled | None = None
    remarks: Sequence[str] = ()


def plan(spec: CampaignSpec, checked_profile: bool, profile: Profile | None = None) -> dict[str, Any]:
    """What a campaign would do and may cost at most, as plain data.

    :param profile: what the profile adds to the file, as far as it was asked.
    """
    from aiida_inversedesign.campaign.contracts.engine import engine_named
    from aiida_inversedesign.campaign.contracts.registry import part
    from aiida_inversedesign.campaign.costs.budget import evaluations_at_most
    from aiida_inversedesign.campaign.demands import core_hours_needed, fewest_jobs, jobs_needed, references_wanted
    from aiida_inversedesign.learn.curves.rows import in_words
    from aiida_inversedesign.libraries.known import known_file

    budget, engine = spec.budget, engine_named(spec.evaluate.engine)
    elements = spec.space.elements_used if profile is None else profile.elements
    known = None if spec.known is None else known_file(spec.known, spec)
    learned = in_words(spec.goal.functionals, spec.learn.surrogate, spec.learn.curves)
    remarks = [
        *(profile.remarks if profile else ()),
        *(known.remarks if known else ()),
        *learned,
        *_without_effect(spec),
        *_nothing_to_learn(spec),
    ]
    said = engine.remarks(spec.evaluate, spec.goal.properties, elements)
    remarks += ['; '.join(filter(None, pair)) for pair in said]
    references = None
    if references_wanted(spec):
        each = jobs_needed(spec, ['energy'])
        references = {'elements': sorted(elements), 'dft_calculations_each': each}
        remarks += _references_take_most(spec, len(elements) * each)
    settled = profile.settled if profile else None
    return {
        'schema': 'inversedesign/1',
        'name': spec.name,
        'goal': [_describe(item, spec) for item in spec.goal.objectives],
        'constraints': [_describe(item, spec) for item in spec.goal.constraints],
        'space': spec.space.model_dump(mode='json'),
        'space_in_words': [list(pair) for pair in spec.space.plan()],
        'propose': spec.propose.model_dump(mode='json'),
        'sources': {
            name: {'share': share, 'slots': spec.propose.slots[name]} for name, share in spec.propose.shares.items()
        },
        'needs_library': any('library' in part('sources', name).needs for name in spec.propose.shares),
        'known': None if known is None else f'{known.words} from {spec.known}',
        'earlier': [item.campaign + (f' ({item.property})' if item.property else '') for item in spec.learn.earlier],
        'screen': spec.screen.model_dump(mode='json'),
        'generator': _generator(spec),
        'select': spec.select.model_dump(mode='json'),
        'engine': spec.evaluate.engine,
        'dft_calculations_per_evaluation': jobs_needed(spec),
        'dft_calculations_per_evaluation_at_least': fewest_jobs(spec),
        'core_hours_per_evaluation_at_least': core_hours_needed(spec),
        'references': references,
        'settled': None if settled is None else {**settled.values, 'words': settled.words},
        'evaluations_at_most': evaluations_at_most(spec, budget),
        'budget': budget.model_dump(mode='json', exclude_none=True),
        'remarks': remarks,
        'profile_checked': checked_profile,
    }


def _generator(spec: CampaignSpec) -> dict[str, Any] | None:
    """The program that generates crystals, and what each of its runs costs at most; None without one."""
    if spec.propose.external is None:
        return None
    from aiida_inversedesign.engines.common.options import processes, wall_seconds

    section = spec.propose.external.model_dump(mode='json')
    return {'code': section['code'], 'core_hours_at_most': processes(section) * wall_seconds(section) / 3600}


def _without_effect(spec: CampaignSpec) -> Iterator[str]:
    """Budgets that limit nothing, because the engine spends nothing of the kind, and sources without a slot."""
    from aiida_inversedesign.campaign.demands import core_hours_needed, jobs_needed

    if spec.budget.dft_calculations is not None and not jobs_needed(spec):
        yield (
            f'budget.dft_calculations has no effect: the engine {spec.evaluate.engine} makes no DFT calculations; '
            'limit evaluations' + (' or core_hours' if core_hours_needed(spec) else '')
        )
    idle = [name for name, number in spec.propose.slots.items() if not number]
    if idle:
        yield (
            f'propose.sources: {" and ".join(idle)} propose only what the others leave: top_k is {spec.propose.top_k}; '
            f'set it to at least {len(spec.propose.shares)}'
        )
    if spec.budget.core_hours is not None and not core_hours_needed(spec) and spec.propose.external is None:
        yield (
            f'budget.core_hours has no effect: the engine {spec.evaluate.engine} runs no jobs with these settings; '
            'limit evaluations'
        )


def _nothing_to_learn(spec: CampaignSpec) -> Iterator[str]:
    """That words without an order, alone, tell nothing of the points that were not evaluated."""
    variables = getattr(spec.space, 'variables', {})
    if len(variables) == 1 and next(iter(variables.values())).choices:
        yield (
            f'{next(iter(variables))} is the only variable, and its choices have no order: nothing is learned of those '
            'that were not evaluated, and the search is random; add variables that describe them, e.g. columns with '
            'numbers'
        )


def _references_take_most(spec: CampaignSpec, needed: int) -> Iterator[str]:
    """That the energies of all elements of a space leave little of the DFT calculations."""
    from aiida_inversedesign.campaign.demands import jobs_needed

    limit = spec.budget.dft_calculations
    if limit is not None and needed and needed + spec.select.initial * jobs_needed(spec) > limit:
        yield (
            f'the energies of all elements of the space, which formation energies refer to, take up to {needed} of the '
            f'{limit} DFT calculations of the budget: not all of the first {spec.select.initial} evaluations may fit'
        )


def _describe(item: Any, spec: CampaignSpec) -> str:
    """An objective or constraint in words, with its unit."""
    unit = spec.unit(item.property)
    unit = f' {unit}' if unit else ''
    kind = getattr(item, 'kind', None)
    if kind == 'target':
        return f'{item.property} {plain(item.target)} ± {plain(item.tolerance)}{unit}'
    if kind == 'window':
        return f'{item.property} from {plain(item.window[0])} to {plain(item.window[1])}{unit}'
    if kind in ('maximize', 'minimize'):
        sign = '≥' if kind == 'maximize' else '≤'
        threshold = f'a hit has {sign} {plain(item.hit)}{unit}' if item.hit is not None else 'no hit threshold is set'
        return f'{kind} {item.property}; {threshold}'
    bounds = [
        f'≥ {plain(item.min)}' if item.min is not None else '',
        f'≤ {plain(item.max)}' if item.max is not None else '',
    ]
    return f'{item.property} {" and ".join(filter(None, bounds))}{unit}'
