"""One search of the benchmark run again as a real campaign: it must take the same decisions.

The campaign is an ``InverseDesignWorkChain`` with the ``table`` engine on the pool. It starts from a table of the same
starting points; every later choice is its own. Candidates that StructureMatcher takes for an evaluated crystal are not
evaluated again by campaigns, so that the search that is compared leaves them out too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Integers
from aiida_inversedesign.benchmarks.search.arms import make_arm, our_names
from aiida_inversedesign.benchmarks.search.goals import Task
from aiida_inversedesign.benchmarks.search.loop import Plan, Run, search
from aiida_inversedesign.benchmarks.search.ours import Acceptable, OurArm
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.row import EvaluationRow, is_hit
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.select.already_evaluated import AlreadyEvaluated


def through_campaign(pool: Pool, task: Task, plan: Plan, arm: OurArm, seed: int) -> dict[str, Any]:
    """Run a search here and as a campaign in the loaded AiiDA profile, and compare every choice.

    :param pool: read with its structures.
    :param arm: one of ours.
    :returns: number of ``decisions`` (batches after the starting points), how many are ``identical``, the first that
        is ``different`` or None, and the PK of the ``campaign``.
    :raises PoolError: if the pool has no structures.
    """
    if pool.crystals is None:
        raise PoolError(f'{pool.name}: a campaign needs structures: take a pool of structures (.jsonl)')
    pool = as_stored(pool)
    campaign = _Campaign(pool, task, plan, arm, seed)
    run = search(campaign.arm(), pool, task, seed, plan)
    node = campaign.run(run)
    rows = node.outputs.table.get_rows() if 'table' in node.outputs else []
    indices = {candidate.id: position for position, candidate in enumerate(campaign.candidates)}
    order = [indices[row.candidate] for row in rows]
    differences = []
    starts = range(run.initial, len(run.order), plan.batch)
    for number, start in enumerate(starts):
        here, there = run.order[start : start + plan.batch], order[start : start + plan.batch]
        if here != there:
            differences.append(
                {
                    'generation': number + 2,
                    'search': [pool.ids[position] for position in here],
                    'campaign': [pool.ids[position] for position in there],
                }
            )
    found: dict[str, Any] = {
        'arm': arm.name,
        'seed': seed,
        'campaign': node.pk,
        'decisions': len(starts),
        'identical': len(starts) - len(differences),
        'different': differences[0] if differences else None,
        'evaluations': len(order),
    }
    if not node.is_finished_ok:
        found['reason'] = f'the campaign ended with exit code {node.exit_status}: {node.exit_message}'
    return found


def as_stored(pool: Pool) -> Pool:
    """The pool with its answers as AiiDA keeps them in a node: 14 significant digits.

    The last digits would decide between equally good splits of a forest.
    """
    from aiida.orm.implementation import utils

    round_off: Any = utils.clean_value

    values = {
        name: np.array([round_off(value) for value in column.tolist()], dtype=np.float64)
        for name, column in pool.values.items()
    }
    return replace(pool, values=values)


def first_of_ours(arms: Sequence[str]) -> OurArm:
    """The first arm of which there are campaigns.

    :raises PoolError: if there is none.
    """
    for name in arms:
        if name in our_names():
            arm = make_arm(name)
            if isinstance(arm, OurArm):
                return arm
    raise PoolError('--through-campaign needs an arm of ours, e.g. --arms auto: campaigns know no peers')


class _Campaign:
    """The pool as a library and its candidates, and the campaign on them."""

    def __init__(self, pool: Pool, task: Task, plan: Plan, arm: OurArm, seed: int) -> None:
        from aiida_inversedesign.propose.next_candidates import propose_next

        self.pool, self.task, self.plan, self.origin, self.seed = pool, task, plan, arm, seed
        crystals = pool.crystals or ()
        self.library = Library(
            Template(
                name,
                crystal,
                pool.name,
                '',
                properties={prop: float(column[position]) for prop, column in pool.values.items()},
            )
            for position, (name, crystal) in enumerate(zip(pool.ids, crystals, strict=True))
        )
        self.label = f'benchmark {pool.digest[:12]}'
        self.spec = self._spec(plan.budget)
        self.candidates: list[Candidate] = propose_next(self.spec, self.library, None, generation=1)

    def _spec(self, evaluations: int) -> CampaignSpec:
        goal = self.task.goal
        units = {name: '' for name in goal.properties if name not in PROPERTIES}
        sites = max(crystal.nsites for crystal in self.pool.crystals or ())
        return CampaignSpec.model_validate(
            {
                'name': self.label,
                'seed': self.seed,
                'goal': goal.model_dump(mode='json', exclude_none=True),
                'space': {'max_sites': sites},
                'propose': {'library': self.label, 'method': 'library'},
                'select': {
                    'acquisition': self.origin.acquisition,
                    'initial': self.plan.initial,
                    'batch': self.plan.batch,
                },
                'learn': {'surrogate': self.origin.surrogate},
                'evaluate': {'engine': 'table', 'data': self.label, 'units': units},
                'budget': {'evaluations': evaluations},
            }
        )

    def arm(self) -> OurArm:
        """The arm with the rule of campaigns for what may be chosen."""
        return OurArm(self.origin.name, self.origin.surrogate, self.origin.acquisition, self._acceptable)

    def _acceptable(self, observed: Integers) -> Acceptable:
        duplicates = AlreadyEvaluated(self.spec.space, [self.row(int(position)) for position in observed])

        def acceptable(index: int, taken: list[int]) -> bool:
            candidate = self.candidates[index]
            return duplicates.is_new(candidate) and duplicates.differs(
                candidate, [self.candidates[position] for position in taken]
            )

        return acceptable

    def row(self, position: int) -> EvaluationRow:
        """The evaluation of a candidate among the starting points."""
        candidate = self.candidates[position]
        properties = {name: float(column[position]) for name, column in self.pool.values.items()}
        if candidate.content is None:
            raise PoolError(f'{candidate.id}: the proposal has no structure')
        return EvaluationRow(
            candidate.id,
            1,
            'initial',
            candidate.key,
            'completed',
            candidate.content,
            candidate.content,
            properties,
            hit=is_hit(self.task.goal, properties),
            template=candidate.template,
            probability=candidate.probability,
        )

    def run(self, run: Run) -> Any:
        """The node of the campaign, run to the end in this interpreter."""
        from aiida import orm

        from aiida_inversedesign.decisions.fit_surrogate import fit_surrogate
        from aiida_inversedesign.nodes.library_data import LibraryData
        from aiida_inversedesign.nodes.pool_data import PoolData
        from aiida_inversedesign.nodes.store import find_labelled
        from aiida_inversedesign.nodes.table_data import TableData
        from aiida_inversedesign.workchains.build import build_campaign
        from aiida_inversedesign.workchains.foreground import run_campaign

        if find_labelled(LibraryData, self.label) is None:
            LibraryData.from_library(self.library, label=self.label).store()
        builder: Any = build_campaign(self._spec(len(run.order)))
        settings: Any = orm.Dict(self.spec.settings())
        builder.pool = PoolData.from_candidates(self.candidates)
        rows = [self.row(position) for position in run.order[: run.initial]]
        builder.table = TableData.from_rows(rows, self.task.goal).store()
        builder.surrogate = fit_surrogate(settings=settings, table=builder.table)['surrogate']
        return run_campaign(builder)
