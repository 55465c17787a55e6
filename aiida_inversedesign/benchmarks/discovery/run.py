"""Runs every arm on every system, see :func:`run`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.discovery.arms import Arm, Episode, Observation
from aiida_inversedesign.benchmarks.discovery.systems import System
from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer
from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.matching import same_crystal
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.screen.potentials.phases import competing, stabilities


@dataclass(frozen=True)
class Plan:
    """How each system is searched.

    :param budget: evaluations by the oracle.
    :param tolerance: eV/atom above the hull at the oracle up to which a crystal is stable.
    :param repeats: searches of each system by arms that are drawn.
    :param method: source of the templates; ``cspml`` needs a model.
    """

    budget: int = 20
    tolerance: float = 0.025
    top_k: int = 5
    repeats: int = 1
    method: str = 'dissimilarity'
    seed: int = 0


@dataclass(frozen=True)
class Search:
    """What one search found.

    :param new: for each evaluation whether it found a stable crystal that the search had not found before.
    :param known: for each evaluation the index among the truths of a stable compound found first there, or None.
    :param above: energy above the hull of each evaluation, eV/atom; None of one that failed.
    :param cpu_seconds: of the arm itself: proposal and screening.
    :param oracle_seconds: of the evaluations.
    """

    new: tuple[bool, ...]
    known: tuple[int | None, ...]
    above: tuple[float | None, ...]
    cpu_seconds: float
    oracle_seconds: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """What all arms found in one system.

    :param stable_truths: how many of the truths are stable at the oracle too.
    :param reason: why the system cannot be judged, in words; empty if it can.
    """

    system: System
    searches: dict[str, list[Search]]
    stable_truths: int = 0
    reason: str = ''


class Oracle:
    """The hidden truth of one system: energies above the hull at a potential.

    :param hull: where the potential relaxes crystals.
    """

    def __init__(self, system: System, library: Library, hull: Relaxer) -> None:
        self._relaxer, self.system = hull, system
        phases = competing(library, [system.elements])
        self._phases = [{**hull.relaxed(crystal), 'id': name} for name, crystal in phases.items()]
        by_name = {record['id']: record for record in self._phases}
        #: The crystals of each truth: as the library has it, and as the oracle relaxes it.
        self.truths = [
            [item.crystal, *_crystal_of(by_name.get(f'phase:{item.id}') or hull.relaxed(item.crystal))]
            for item in system.truths
        ]

    def evaluated(self, crystal: Crystal) -> Observation:
        """What an evaluation says of a crystal.

        :raises BenchmarkError: if the hull of the system is not known.
        """
        record = self._relaxer.relaxed(crystal)
        found = _crystal_of(record)
        if not found:
            return Observation(crystal, None, None)
        counts = Counter(record['species'])
        stability = stabilities(self._phases, {'candidate': (counts, record['energy'])})['candidate']
        if stability.e_above_hull is None:
            raise BenchmarkError(f'{self.system.name}: no hull at the oracle: {stability.reason}')
        return Observation(crystal, found[0], stability.e_above_hull)

    def index_of(self, crystal: Crystal) -> int | None:
        """The truth that a relaxed crystal is, by structure and space group."""
        for index, truths in enumerate(self.truths):
            if any(same_crystal(crystal, truth) for truth in truths if truth.formula == crystal.formula):
                return index
        return None


def _crystal_of(record: Any) -> list[Crystal]:
    return [] if record is None or 'failed' in record else [Crystal.from_dict(record)]


def run(
    systems: Sequence[System],
    library: Library,
    arms: Sequence[Arm],
    oracle: Relaxer,
    screen: Relaxer | None,
    plan: Plan,
    model: Any = None,
    templates: Library | None = None,
    progress: Report = silent,
) -> list[Outcome]:
    """Search every system with every arm.

    :param library: with energies above the hull; its entries within a system are the hidden truth.
    :param model: the proposal model of ``cspml``, which must not know the systems.
    :param templates: from which the arms propose; default: the library. Hidden formulas are never used.
    """
    found = []
    searches = [(arm, repeat) for arm in arms for repeat in range(plan.repeats if arm.is_drawn else 1)]
    for number, system in enumerate(systems):

        def episode(seed: int, system: System = system) -> Episode:
            pool = templates if templates is not None else library
            return Episode(
                system.formulas,
                system.hidden,
                pool,
                plan.method,
                model,
                plan.top_k,
                system.max_sites,
                screen,
                competing(library, [system.elements], exclude=system.compounds),
                seed,
            )

        if number == 0:
            # what is loaded once is charged to no arm
            episode(plan.seed).proposed()
        progress('systems', number / len(systems))
        try:
            hidden = Oracle(system, library, oracle)
            outcomes: dict[str, list[Search]] = {}
            for index, (arm, repeat) in enumerate(searches):
                progress('systems', (number + index / len(searches)) / len(systems))
                outcomes.setdefault(arm.name, []).append(
                    searched(arm, episode(plan.seed + repeat), hidden, plan, oracle)
                )
            stable = sum(_is_stable(hidden.evaluated(truths[0]), plan) for truths in hidden.truths)
            found.append(Outcome(system, outcomes, stable))
        except BenchmarkError as error:
            found.append(Outcome(system, {}, reason=str(error)))
    progress('systems', 1.0)
    return found


def searched(arm: Arm, episode: Episode, hidden: Oracle, plan: Plan, oracle: Relaxer) -> Search:
    """One search: the arm chooses, the oracle evaluates, until the budget is used up or the arm has no more."""
    new: list[bool] = []
    known: list[int | None] = []
    distinct: list[Crystal] = []
    charged, seconds = oracle.charged, [0.0]
    for crystal in islice(_timed(arm.search(episode), episode.screen, seconds), plan.budget):
        observation = hidden.evaluated(crystal)
        episode.observations.append(observation)
        is_new = _is_stable(observation, plan) and not any(
            same_crystal(observation.relaxed, other)  # type: ignore[arg-type]
            for other in distinct
            if other.formula == observation.relaxed.formula  # type: ignore[union-attr]
        )
        index = None
        if is_new and observation.relaxed is not None:
            distinct.append(observation.relaxed)
            index = hidden.index_of(observation.relaxed)
        new.append(is_new)
        known.append(None if index in known else index)
    above = tuple(item.e_above_hull for item in episode.observations)
    return Search(tuple(new), tuple(known), above, seconds[0], oracle.charged - charged)


def _is_stable(observation: Observation, plan: Plan) -> bool:
    return observation.e_above_hull is not None and observation.e_above_hull <= plan.tolerance


def _timed(crystals: Iterator[Crystal], screen: Relaxer | None, seconds: list[float]) -> Iterator[Crystal]:
    """The crystals, with the CPU seconds that an arm takes to choose them added up.

    What the screening potential had computed for an earlier search is charged as if it were computed again.
    """
    while True:
        begun = time.process_time()
        spent, charged = (screen.spent, screen.charged) if screen else (0.0, 0.0)
        crystal = next(crystals, None)
        seconds[0] += time.process_time() - begun
        if screen:
            seconds[0] += (screen.charged - charged) - (screen.spent - spent)
        if crystal is None:
            return
        yield crystal
