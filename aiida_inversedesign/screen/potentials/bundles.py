"""Which candidates go into which job."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.potential import Potential
from aiida_inversedesign.campaign.screening import Screening
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC

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

    :param names: of candidates and of phases.
    :param goal: properties of the goal.
    :param phases: competing phases by name; of them the energy alone is wanted.
    """
    by_id = {item.id: item.content for item in candidates}
    phases = phases or {}
    return {
        'potential': potential.to_job(),
        **{name: getattr(screening, name) for name in ('relax', 'fmax', 'steps', 'seconds')},
        'properties': screening.computed(goal),
        'symprec': STRICT_SYMPREC,
        'structures': [
            {'id': name, 'digest': phases[name].content_hash, 'properties': [], **phases[name].to_dict()}
            if name in phases
            else {'id': name, 'digest': by_id[name].content_hash, **by_id[name].to_dict()}
            for name in names
        ],
    }
