"""How many process slots of the daemon a campaign holds.

A process keeps its slot while it waits for its children. Where the parents hold all of them, no child can run any more,
and all wait for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from aiida_inversedesign.campaign.engine_settings import Ase, QuantumEspresso, Table
from aiida_inversedesign.campaign.properties import PROPERTIES, required_stages
from aiida_inversedesign.campaign.spec import CampaignSpec

#: The campaign and its generation.
OWN_PARENTS = 2

#: Above the jobs of a relaxation: evaluation, ``PwRelaxWorkChain``, ``PwBaseWorkChain``.
RELAX_PARENTS = 3


@dataclass(frozen=True)
class Slots:
    """Slots of one campaign.

    :param parents: held by processes that wait for others, at most.
    :param jobs: held by calculation jobs when as many run as may.
    """

    parents: int
    jobs: int

    @property
    def least(self) -> int:
        """With fewer the campaign may stand still for ever."""
        return self.parents + min(1, self.jobs)

    @property
    def full(self) -> int:
        """With fewer some jobs wait for a slot instead of being in the queue of their computer."""
        return self.parents + self.jobs


def evaluations_at_once(spec: CampaignSpec) -> int:
    """The most evaluations that run at the same time."""
    return spec.budget.at_once or max(spec.select.initial, spec.select.batch)


def slots_needed(spec: CampaignSpec, queued: bool, points_unqueued: int = 2) -> Slots:
    """The slots that a campaign holds at most.

    :param queued: whether a scheduler queues the jobs: all points of an equation of state are then submitted together.
    :param points_unqueued: points of an equation of state that run at once otherwise.
    """
    at_once, engine = evaluations_at_once(spec), spec.evaluate
    if isinstance(engine, Table):
        parents, jobs = 1, int(engine.code is not None)
    elif isinstance(engine, Ase):
        parents, jobs = 1, 1
    else:
        eos = any(PROPERTIES[name].stage == 'eos' for name in spec.goal.properties if name in PROPERTIES)
        parents, jobs = _pw(engine, eos, queued, points_unqueued)
    stages = [(at_once * parents, at_once * jobs)]
    if 'references' in required_stages(spec.goal.properties) and not isinstance(engine, Table):
        # the references of all elements of a batch are computed before it, as many at once as evaluations may run
        elements = len(_elements(spec)) or at_once
        elements = min(elements, spec.budget.at_once or elements)
        stages.append((elements * (RELAX_PARENTS if isinstance(engine, QuantumEspresso) else 1), elements))
    most = max(stages, key=sum)
    return Slots(OWN_PARENTS + max(parents for parents, _ in stages), max(most[1], 1 if stages[0][1] else 0))


def _pw(engine: QuantumEspresso, eos: bool, queued: bool, points_unqueued: int) -> tuple[int, int]:
    """Parents and jobs of one evaluation with pw.x."""
    points = (engine.eos_points if queued else min(points_unqueued, engine.eos_points)) if eos else 0
    # each point has a `PwBaseWorkChain` of its own below the evaluation
    return max(RELAX_PARENTS, 1 + points), max(1, points)


def _elements(spec: CampaignSpec) -> set[str]:
    return set(spec.space.elements_used)


def missing_workers(needed: int, free: int, slots_per_worker: int) -> int:
    """Workers to add so that ``needed`` slots are free."""
    return max(0, math.ceil((needed - free) / slots_per_worker))
