"""How many process slots of the daemon a campaign holds.

A process keeps its slot while it waits for its children. Where the parents hold all of them, no child can run any more,
and all wait forever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.properties import required_stages
from aiida_inversedesign.campaign.spec import CampaignSpec

#: The campaign and its generation.
OWN_PARENTS = 2


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
        """With fewer the campaign may stand still forever."""
        return self.parents + min(1, self.jobs)

    @property
    def full(self) -> int:
        """With fewer some jobs wait for a slot instead of being in the queue of their computer."""
        return self.parents + self.jobs


def evaluations_at_once(spec: CampaignSpec) -> int:
    """The most evaluations that run at the same time."""
    return spec.budget.at_once or max(spec.select.initial, spec.select.batch)


def slots_needed(spec: CampaignSpec, queued: bool) -> Slots:
    """The slots that a campaign holds at most.

    :param queued: whether a scheduler queues the jobs, so that an engine submits all that it can at once.
    """
    at_once, engine = evaluations_at_once(spec), engine_named(spec.evaluate.engine)
    parents, jobs = engine.slots(spec.evaluate, spec.goal.properties, queued)
    stages = [(at_once * parents, at_once * jobs)]
    if 'references' in required_stages(spec.goal.properties) and not engine.looks_up:
        # the references of all elements of a batch are computed before it, as many at once as evaluations may run
        elements = len(spec.space.elements_used) or at_once
        elements = min(elements, spec.budget.at_once or elements)
        parents, jobs = engine.slots(spec.evaluate, ['energy'], queued)
        stages.append((elements * parents, elements * jobs))
    most = max(stages, key=sum)
    return Slots(OWN_PARENTS + max(parents for parents, _ in stages), max(most[1], 1 if stages[0][1] else 0))


def missing_workers(needed: int, free: int, slots_per_worker: int) -> int:
    """Workers to add so that ``needed`` slots are free."""
    return max(0, math.ceil((needed - free) / slots_per_worker))
