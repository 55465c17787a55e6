"""The ways to search that are compared. An arm is a name and a function of an :class:`Episode`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer
from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next, settings_of_a_proposal
from aiida_inversedesign.screen.potentials.judge import by_chance, judged, to_screen

#: ``screen.hull`` of the arm that uses it, eV/atom.
HULL = 0.1


@dataclass(frozen=True, eq=False)
class Observation:
    """What an arm learns of a crystal that it chose: what an evaluation says.

    :param relaxed: None if the evaluation failed.
    :param e_above_hull: eV/atom above the hull of the oracle; None if the evaluation failed.
    """

    proposed: Crystal
    relaxed: Crystal | None
    e_above_hull: float | None


@dataclass(eq=False)
class Episode:
    """What an arm may know of one system. The hidden compounds are not among it.

    :param formulas: that are asked for.
    :param hidden: formulas whose templates are not used.
    :param templates: the library without the hidden formulas.
    :param model: the proposal model for ``method`` cspml.
    :param method: the source of templates.
    :param top_k: templates of each formula.
    :param screen: the potential that looks at candidates before the oracle does.
    :param phases: known competing phases by name: the compounds of the smaller systems and the elements.
    :param seed: of all random choices of this episode.
    :param observations: what the oracle said so far, oldest first.
    """

    formulas: Sequence[str]
    hidden: frozenset[str]
    templates: Library
    method: str
    model: Any = None
    top_k: int = 5
    max_sites: int = 20
    screen: Relaxer | None = None
    phases: Mapping[str, Crystal] = field(default_factory=dict)
    seed: int = 0
    observations: list[Observation] = field(default_factory=list)

    @cached_property
    def spec(self) -> CampaignSettings:
        """The settings of a campaign on this system."""
        space = {'formulas': list(self.formulas), 'charge_neutral': 'off', 'max_sites': self.max_sites}
        spec = settings_of_a_proposal(space, {'method': self.method, 'top_k': self.top_k}, self.seed)
        if self.screen is None:
            return spec
        section = {'potential': self.screen.potential.name, 'code': 'python@localhost', 'hull': HULL}
        return CampaignSettings.model_validate({**spec.model_dump(), 'screen': section})

    def proposed(self, method: str | None = None) -> list[Candidate]:
        """The candidates of a source, those that its screens reject among them; none where it has no template."""
        spec = self.spec
        if method is not None:
            spec = spec.model_copy(update={'propose': spec.propose.model_copy(update={'method': method})})
        try:
            return propose_next(spec, self.templates, self.model, 1, exclude=self.hidden)
        except ProposalError:
            return []


#: The crystals that an arm chooses, one after the other; ``episode.observations`` grows before the next one is asked.
Search = Callable[[Episode], Iterator[Crystal]]


@dataclass(frozen=True)
class Arm:
    """One way to search.

    :param search: what it chooses; it may end early.
    :param what: what it does, in words.
    :param is_drawn: whether it depends on the seed, so that several searches of a system are averaged.
    :param screens: whether it uses the screening potential.
    """

    name: str
    search: Search
    what: str
    is_drawn: bool = False
    screens: bool = False


def _templates(episode: Episode) -> Iterator[Crystal]:
    yield from (item.content for item in _best_first(episode.proposed()))


def _screened(episode: Episode) -> Iterator[Crystal]:
    screening = episode.spec.screen.model_copy(update={'hull': None})
    spec = episode.spec.model_copy(update={'screen': screening})
    yield from (item.content for item in _best_first(_looked_at(episode, spec, {})))


def _near_hull(episode: Episode) -> Iterator[Crystal]:
    """By log p - E/kT, with E above the hull of the screening potential, so that formulas compete too."""
    spec, scale = episode.spec, episode.spec.screen.softness

    def rank(item: Candidate) -> tuple[float, str]:
        above = (item.screening or {}).get('e_above_hull')
        # what the potential could not compute stands where one at the limit would
        return (HULL if above is None else above) / scale - math.log(max(-by_chance(item)[0], 1e-12)), item.id

    standing = [item for item in _looked_at(episode, spec, episode.phases) if item.accepted]
    yield from (item.content for item in sorted(standing, key=rank))


def _looked_at(episode: Episode, spec: CampaignSettings, phases: Mapping[str, Crystal]) -> list[Candidate]:
    """The candidates as the stage ``screen`` hands them on."""
    assert episode.screen is not None  # noqa: S101
    candidates = episode.proposed()
    wanted = {item.id: item.content for item in to_screen(candidates, spec.propose.min_distance)}
    records = [{**episode.screen.relaxed(crystal), 'id': name} for name, crystal in {**wanted, **phases}.items()]
    return judged(spec, candidates, records)


def _random(episode: Episode) -> Iterator[Crystal]:
    standing = [item.content for item in episode.proposed('random') if item.accepted]
    random.Random(episode.seed).shuffle(standing)  # noqa: S311
    yield from standing


def _best_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that are accepted, the most probable first."""
    return sorted((item for item in candidates if item.accepted), key=by_chance)


#: The first one is compared with each other; ``random`` is what acceleration and enrichment refer to.
ARMS = {
    item.name: item
    for item in (
        Arm(
            'templates+screen',
            _screened,
            'templates relaxed, merged and ordered by the screening potential',
            screens=True,
        ),
        Arm(
            'templates+hull',
            _near_hull,
            f'the same, at most {HULL} eV/atom above the hull of the screening potential and ordered by that',
            screens=True,
        ),
        Arm('templates', _templates, 'templates in the order of the proposal'),
        Arm('random', _random, 'templates at random', is_drawn=True),
    )
}


def arms_named(names: Sequence[str]) -> list[Arm]:
    """The arms of these names, in their order.

    :raises BenchmarkError: if there is none of a name.
    """
    for name in names:
        if name not in ARMS:
            raise BenchmarkError(f'--arms: there is no arm {name!r}; there are {", ".join(ARMS)}')
    return [ARMS[name] for name in dict.fromkeys(names)]
