"""Which candidates go into which job."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.potential import Potential
from aiida_inversedesign.campaign.screening import Screening
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC
from aiida_inversedesign.screen.potentials.questions import QUESTION, is_question

#: Fewer candidates are not split: loading a potential takes as long as some relaxations.
SMALL = 8


def bundles(names: Sequence[str], largest: int, at_once: int) -> list[list[str]]:
    """Names in bundles of nearly equal size, as many as may run at once or more.

    Dealt out like cards: candidates of one formula, which cost alike, go to different jobs.

    :param largest: most names of a bundle.
    """
    if not names:
        return []
    number = max(-(-len(names) // largest), min(at_once, -(-len(names) // SMALL)))
    return [list(names[start::number]) for start in range(number)]


def job_of(
    candidates: Sequence[Candidate],
    names: Collection[str],
    screening: Screening,
    potential: Potential,
    goal: Collection[str],
    phases: Mapping[str, Crystal] | None = None,
) -> dict[str, Any]:
    """What the program of a bundle reads.

    :param names: of candidates, of phases, and of questions about relaxed candidates.
    :param phases: competing phases by name; of them the energy alone is wanted.
    """
    by_id = {item.id: item.content for item in candidates}
    phases, properties = phases or {}, screening.computed(goal)
    # whether a crystal is stable is asked of each, properties of it may be asked for later
    checks = [name for name in properties if name == 'lowest_frequency']
    estimates = [name for name in properties if name not in checks]

    def structure(name: str) -> dict[str, Any]:
        crystal = phases[name] if name in phases else by_id[name.removeprefix(QUESTION)]
        found = {'id': name, 'digest': crystal.content_hash, **crystal.to_dict()}
        if name in phases:
            return {**found, 'properties': []}
        if is_question(name):
            return {**found, 'properties': estimates, 'relax': False}
        return {**found, 'properties': properties if screening.estimate_cost is None else checks}

    return {
        'potential': potential.to_job(),
        **{name: getattr(screening, name) for name in ('relax', 'fmax', 'steps', 'seconds')},
        'properties': properties,
        'symprec': STRICT_SYMPREC,
        'structures': [structure(name) for name in names],
    }
