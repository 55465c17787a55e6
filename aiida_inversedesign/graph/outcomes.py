"""What evaluations left, as the harvest takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

from aiida_inversedesign.graph.campaigns import evaluation_costs
from aiida_inversedesign.graph.evaluation_account import Ending
from aiida_inversedesign.graph.job_record import Cost
from aiida_inversedesign.graph.jobs import jobs_of_generation


def refuse_as_cache(generation: orm.WorkChainNode, evaluations: Iterable[orm.WorkChainNode]) -> None:
    """Keep jobs that failed in these evaluations out of AiiDA's cache, which would replay exit codes from 400 on."""
    for job in jobs_of_generation(generation.pk, [node.pk for node in evaluations]):
        if job.has_failed and not job.cached:
            orm.load_node(job.id).base.caching.is_valid_cache = False


def ending_of(node: orm.ProcessNode) -> Ending:
    """What a process says of its end."""
    state = 'created' if node.process_state is None else node.process_state.value
    return Ending(state=state, exit_status=node.exit_status, exit_message=node.exit_message, exception=node.exception)


@dataclass
class Results:
    """What evaluations left, by candidate: outcomes, and properties, crystals and curves of those that completed."""

    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    properties: dict[str, orm.Dict] = field(default_factory=dict)
    relaxed: dict[str, orm.Data] = field(default_factory=dict)
    curves: dict[str, orm.Data] = field(default_factory=dict)

    @classmethod
    def of_interrupted(cls, interrupted: Mapping[str, Any], names: Iterable[str] | None = None) -> Results:
        """What had finished before an interruption, all of it or these.

        :param interrupted: the inputs of that name, empty where nothing was interrupted.
        """
        finished = interrupted['outcomes'].get_dict() if 'outcomes' in interrupted else {}
        wanted = set(finished if names is None else names)
        parts = (finished, *(interrupted.get(name, {}) for name in ('properties', 'relaxed', 'curves')))
        return cls(*({name: item for name, item in part.items() if name in wanted} for part in parts))

    def add(
        self, generation: orm.WorkChainNode, children: Mapping[str, orm.WorkChainNode], was_stopped: bool = False
    ) -> dict[str, Cost]:
        """Add what evaluations of a generation left that have ended, and return what each has cost.

        :param was_stopped: whether what was killed is left out.
        """
        costs = evaluation_costs(generation, [child.pk for child in children.values()]) if children else {}
        for name, child in children.items():
            ending, cost = ending_of(child), costs.get(name)
            if ending.status(was_stopped) == 'stopped':
                continue
            self.outcomes[name] = {
                'exit_status': child.exit_status if child.is_finished else -1,
                'reason': ending.reason,
                'dft_calculations': cost.dft_calculations if cost else 0,
                'core_hours': cost.core_hours if cost else None,
            }
            if ending.is_ok:
                self.properties[name] = child.outputs.properties
                # a point stays what it was
                if 'relaxed' in child.outputs:
                    self.relaxed[name] = child.outputs.relaxed
                if 'curves' in child.outputs:
                    self.curves[name] = child.outputs.curves
        return costs
