"""Whether the sections of a campaign file go together.

Each check is a function of the sections that it takes, which its parameters name: those that can be read are held
against each other, whatever is wrong with the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.acquisition import acquisition, resolve
from aiida_inversedesign.campaign.contracts.registry import PartError
from aiida_inversedesign.campaign.contracts.surrogate import LACKS, Need, surrogate_kind
from aiida_inversedesign.campaign.engine_settings import Ase, QuantumEspresso, Table
from aiida_inversedesign.campaign.properties import ELECTRONIC, PROPERTIES
from aiida_inversedesign.campaign.section import ContradictionError, Place

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.contracts.space import SpaceSection
    from aiida_inversedesign.campaign.goal import Goal
    from aiida_inversedesign.campaign.spec import Budget, Learn, Propose, Select


def contradictions_between(sections: Mapping[str, Any]) -> Iterator[ContradictionError]:
    """What does not go together in a campaign file.

    :param sections: those that are right by themselves, by name.
    """
    for check in CHECKS:
        names = inspect.signature(check).parameters
        if all(name in sections for name in names):
            yield from check(**{name: sections[name] for name in names})
    if 'space' in sections:
        yield from sections['space'].contradictions_with(sections)


def unknown_property(name: str, units: Mapping[str, str] | None) -> ContradictionError | None:
    """What is wrong with the name of a property, if anything.

    :param units: those that a data set declares for properties of its own; None for an engine that computes.
    """
    # a data set may bring properties of its own, but none without a unit
    known = sorted({*PROPERTIES, *(units or ())})
    if name in known:
        return None
    remedy = '' if units is None else f'; if the data set has it, declare its unit: evaluate.units: {{{name}: …}}'
    return ContradictionError(f'unknown property; expected one of {", ".join(known)}{remedy}', words=known)


def properties_of(goal: Goal) -> Iterator[tuple[Place, str]]:
    """The place of each property that the goal names, and its name."""
    for index, objective in enumerate(goal.objectives):
        yield ('goal', 'objectives', index, 'property'), objective.property
    for index, constraint in enumerate(goal.constraints):
        yield ('goal', 'constraints', index, 'property'), constraint.property


def _properties_are_known(goal: Goal, evaluate: QuantumEspresso | Ase | Table) -> Iterator[ContradictionError]:
    for place, name in properties_of(goal):
        found = unknown_property(name, evaluate.units if isinstance(evaluate, Table) else None)
        if found is not None:
            yield ContradictionError(str(found), place, found.words)


def _engine_computes_them(goal: Goal, evaluate: QuantumEspresso | Ase | Table) -> Iterator[ContradictionError]:
    for place, name in properties_of(goal) if isinstance(evaluate, Ase) else ():
        if name in ELECTRONIC:
            yield ContradictionError('the engine ase does not compute it: quantumespresso does', place)


def _source_serves_the_space(space: SpaceSection, propose: Propose) -> Iterator[ContradictionError]:
    served = registry.part('sources', propose.method).spaces
    if space.kind not in served:
        able = [name for name, source in registry.parts('sources').items() if space.kind in source.spaces]
        yield ContradictionError(
            f'proposes {" or ".join(served)}, and the space is of the kind {space.kind!r}: expected '
            f'{", ".join(able) or "a source of an installed package"}',
            ('propose', 'method'),
            able,
        )


def _screens_serve_the_space(space: SpaceSection, screen: dict[str, Any]) -> Iterator[ContradictionError]:
    for name in screen:
        served = registry.part('screens', name).spaces
        if served and space.kind not in served:
            yield ContradictionError(
                f'judges {" or ".join(served)}, and the space is of the kind {space.kind!r}: leave it out',
                ('screen', name),
            )


def _acquisition_fits(goal: Goal, select: Select) -> Iterator[ContradictionError]:
    name, place = select.acquisition, ('select', 'acquisition')
    # what auto takes always fits: nothing is imported for it
    if name in ('auto', 'random'):
        return
    try:
        reason = acquisition(resolve(name, goal)).refuses(goal)
    except PartError as error:
        reason = str(error)
    if reason:
        yield ContradictionError(reason, place)


def _surrogate_has_its_source(learn: Learn) -> Iterator[ContradictionError]:
    yield from _lacking(learn, 'source', not learn.source)


def _surrogate_has_several_properties(goal: Goal, learn: Learn) -> Iterator[ContradictionError]:
    yield from _lacking(learn, 'properties', len(goal.properties) == 1)


def _lacking(learn: Learn, need: Need, lacks: bool) -> Iterator[ContradictionError]:
    """That the surrogate needs what the file lacks, or that it cannot be asked."""
    name, place = learn.surrogate, ('learn', 'surrogate')
    if name == 'auto':
        return
    try:
        if lacks and need in surrogate_kind(name).needs:
            yield ContradictionError(LACKS[need], place)
    except PartError as error:
        yield ContradictionError(str(error), place)


def _source_is_no_answer(
    goal: Goal, propose: Propose, learn: Learn, evaluate: QuantumEspresso | Ase | Table
) -> Iterator[ContradictionError]:
    if not isinstance(evaluate, Table) or propose.library != evaluate.data:
        return
    for index, name in enumerate(learn.source):
        if name in goal.properties:
            yield ContradictionError(
                f'is what is searched for, and {evaluate.data!r} holds its answers: the surrogate would know them '
                'before anything is evaluated; name another property, or another library',
                ('learn', 'source', index),
            )


def _giving_up_needs_a_bound(goal: Goal, evaluate: QuantumEspresso | Ase | Table) -> Iterator[ContradictionError]:
    slices = evaluate.slices if isinstance(evaluate, QuantumEspresso) else None
    if slices is not None and slices.give_up and goal.energy_limit is None:
        yield ContradictionError(
            'needs a goal that bounds formation_energy or e_above_hull from above, such as a constraint with max: '
            'nothing else tells which relaxation is hopeless',
            ('evaluate', 'slices', 'give_up'),
        )


def _insulators_have_no_moment(evaluate: QuantumEspresso | Ase | Table) -> Iterator[ContradictionError]:
    if isinstance(evaluate, QuantumEspresso) and evaluate.spin and evaluate.electronic_type == 'insulator':
        yield ContradictionError(
            'needs electronic_type metal or automatic: the moment of an insulator is not known', ('evaluate', 'spin')
        )


def _schedule_has_no_generations(select: Select, budget: Budget) -> Iterator[ContradictionError]:
    if select.schedule == 'asynchronous' and budget.generations is not None:
        yield ContradictionError(
            'counts nothing with select.schedule asynchronous: limit evaluations instead', ('budget', 'generations')
        )


def _hits_are_defined(goal: Goal, budget: Budget) -> Iterator[ContradictionError]:
    if budget.hits is not None and not goal.defines_hits:
        yield ContradictionError(
            'needs a threshold: add hit to each objective that is maximised or minimised', ('budget', 'hits')
        )


#: In no order of importance: problems are told in the order of the file.
CHECKS: tuple[Callable[..., Iterator[ContradictionError]], ...] = (
    _properties_are_known,
    _engine_computes_them,
    _source_serves_the_space,
    _screens_serve_the_space,
    _acquisition_fits,
    _surrogate_has_its_source,
    _surrogate_has_several_properties,
    _source_is_no_answer,
    _giving_up_needs_a_bound,
    _insulators_have_no_moment,
    _schedule_has_no_generations,
    _hits_are_defined,
)
