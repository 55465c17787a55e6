"""A campaign made by hand: process nodes and links as AiiDA leaves them, without running anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.row import EvaluationRow, is_hit
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal


@cache
def settings() -> CampaignSettings:
    """Those of the campaign."""
    return CampaignSettings.model_validate(
        {
            'name': 'by hand',
            'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 350.0}]},
            'space': {'elements': ['B', 'C', 'N'], 'ratios': ['1', '1:1']},
            'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'family'},
        }
    )


CRYSTAL = Crystal(np.eye(3) * 3.6, ('B', 'N'), [[0, 0, 0], [0.5, 0.5, 0.5]])


def crystal_of(label: str) -> Crystal:
    """A crystal for each candidate, the first one's :data:`CRYSTAL`: no two of them are alike."""
    number = int(label[-4:]) if label[-4:].isdigit() else 1
    return Crystal(CRYSTAL.lattice @ np.diag([1, 1, 1.5 ** (number - 1)]), CRYSTAL.species, CRYSTAL.frac_coords)


@dataclass
class Graph:
    """Makes the nodes of campaigns and keeps the rows of their table."""

    settings: Any
    rows: list[EvaluationRow] = field(default_factory=list)

    def work(self, process_type: str, parent: Any = None, label: str = '', state: str = 'finished', status: int = 0):
        """A stored work chain, called by ``parent`` with a link of this label."""
        from aiida.common.links import LinkType
        from aiida.orm import WorkChainNode

        node = WorkChainNode(process_type=process_type)
        node.set_process_state(state)
        if state == 'finished':
            node.set_exit_status(status)
        if parent is not None:
            node.base.links.add_incoming(parent, LinkType.CALL_WORK, label)
        return node

    def campaign(self, **fields: Any):
        """A campaign with the settings of this graph."""
        from aiida.common.links import LinkType

        node = self.work('aiida.workflows:inversedesign.campaign', **fields)
        node.base.links.add_incoming(self.settings, LinkType.INPUT_WORK, 'settings')
        return node.store()

    def generation(self, campaign: Any, number: int, state: str = 'finished'):
        """A generation of a campaign."""
        return self.work(
            'aiida.workflows:inversedesign.generation', campaign, f'generation_{number:03d}', state
        ).store()

    def job(
        self,
        parent: Any,
        label: str = 'iteration_01',
        seconds: float | None = 360.0,
        processes: int = 2,
        status: int = 0,
        state: str = 'finished',
        cached: bool = False,
        plugin: str = 'quantumespresso.pw',
    ):
        """A calculation job, with its record of the wall time unless ``seconds`` is None."""
        from aiida.common.links import LinkType
        from aiida.orm import CalcJobNode, Dict

        node = CalcJobNode(process_type=f'aiida.calculations:{plugin}')
        node.set_option(
            'resources', {'num_machines': 1, 'num_mpiprocs_per_machine': processes, 'tot_num_mpiprocs': processes}
        )
        node.set_option('max_wallclock_seconds', 3600)
        node.set_process_state(state)
        if state == 'finished':
            node.set_exit_status(status)
        node.base.links.add_incoming(parent, LinkType.CALL_CALC, label)
        node.store()
        if cached:
            node.base.extras.set('_aiida_cached_from', 'f3b1c2d4')
        if seconds is not None:
            record = Dict({'wall_time_seconds': seconds})
            record.base.links.add_incoming(node, LinkType.CREATE, 'output_parameters')
            record.store()
        return node

    def base(self, parent: Any, label: str, jobs: list[dict[str, Any]]):
        """A base work chain with its attempts."""
        chain = self.work('aiida.workflows:quantumespresso.pw.base', parent, label).store()
        for number, job in enumerate(jobs, start=1):
            self.job(chain, f'iteration_{number:02d}', **job)
        return chain

    def evaluation(
        self,
        generation: Any,
        label: str,
        relax: list[list[dict[str, Any]]] | None = None,
        eos: int = 0,
        value: float | None = None,
        harvested: bool = True,
        **fields: Any,
    ):
        """An evaluation with the attempts of each relaxation step, single points and its result."""
        from aiida.common.links import LinkType
        from aiida.orm import Dict, StructureData

        state, status = fields.pop('state', 'finished'), fields.pop('status', 0 if value is not None else 310)
        node = self.work(
            'aiida.workflows:inversedesign.evaluate.quantumespresso', generation, label, state=state, status=status
        )
        structure = StructureData(pymatgen_structure=crystal_of(label).to_pymatgen()).store()
        node.base.links.add_incoming(structure, LinkType.INPUT_WORK, 'candidate')
        node.store()
        if relax:
            chain = self.work('aiida.workflows:quantumespresso.pw.relax', node, 'relax').store()
            for number, jobs in enumerate(relax, start=1):
                self.base(chain, f'iteration_{number:02d}', jobs)
        for number in range(eos):
            self.base(node, f'eos_{number:02d}', [{}])
        properties = {} if value is None else {'bulk_modulus': value}
        if value is not None:
            result = Dict({name: {'value': number, 'unit': 'GPa'} for name, number in properties.items()}).store()
            result.base.links.add_incoming(node, LinkType.RETURN, 'properties')
        if harvested and not label.startswith('reference_'):
            self.rows.append(
                EvaluationRow(
                    candidate=label,
                    generation=1,
                    arm=fields.pop('arm', 'initial'),
                    key='BN',
                    status='completed' if value is not None else 'failed',
                    proposed=crystal_of(label),
                    relaxed=crystal_of(label) if value is not None else None,
                    properties=properties,
                    hit=is_hit(settings().goal, properties),
                    **fields,
                )
            )
        return node

    def harvest(self, generation: Any) -> None:
        """The generation makes and returns the table so far, and returns a pool."""
        from aiida.common.links import LinkType
        from aiida.orm import CalcFunctionNode

        from aiida_inversedesign.nodes.pool_data import PoolData
        from aiida_inversedesign.nodes.table_data import TableData

        step = CalcFunctionNode()
        step.base.links.add_incoming(generation, LinkType.CALL_CALC, 'harvest')
        table = TableData.from_rows(self.rows, settings().goal)
        table.base.links.add_incoming(step.store(), LinkType.CREATE, 'table')
        table.store().base.links.add_incoming(generation, LinkType.RETURN, 'table')
        pool = PoolData.from_candidates(
            [
                Candidate('g001_c0001', 'BN', CRYSTAL, 'cspml', verdicts={'distance': Verdict(True, 0.9)}),
                Candidate('g001_c0002', 'CN', CRYSTAL, 'cspml', verdicts={'distance': Verdict(False, 0.4, 'close')}),
            ]
        ).store()
        pool.base.links.add_incoming(generation, LinkType.RETURN, 'pool')


@pytest.fixture
def graph(aiida_profile_clean: Any) -> Graph:
    """A maker of campaigns in an empty profile."""
    from aiida.orm import Dict

    return Graph(Dict(settings().model_dump(mode='json')).store())


@pytest.fixture(scope='module')
def resumed(aiida_profile: Any) -> tuple[Graph, Any, Any]:
    """A campaign of two generations that was killed, and the one that resumed it; 33 DFT calculations in all."""
    from aiida.common.links import LinkType
    from aiida.orm import Dict, Str

    aiida_profile.reset_storage()
    graph = Graph(Dict(settings().model_dump(mode='json')).store())
    first = graph.campaign(state='killed')
    one = graph.generation(first, 1)
    # references: 2 jobs
    graph.evaluation(one, 'reference_B', [[{}]], value=-5.0)
    graph.evaluation(one, 'reference_N', [[{}]], value=-9.0)
    # 2 relaxation steps, the first restarted once, then 7 volumes: 10 jobs
    graph.evaluation(one, 'g001_c0001', [[{'status': 312}, {}], [{}]], eos=7, value=372.0)
    # failed in its only job, which left no record
    graph.evaluation(one, 'g001_c0002', [[{'status': 305, 'seconds': None}]])
    graph.harvest(one)
    two = graph.generation(first, 2, state='killed')
    graph.evaluation(
        two, 'g001_c0003', [[{}], [{}]], eos=7, value=120.0, arm='acquisition', predicted={'bulk_modulus': (130.0, 9.0)}
    )
    # killed in mid-run, then launched again by the resumed campaign
    graph.evaluation(two, 'g001_c0004', [[{'state': 'killed', 'seconds': None}]], state='killed', harvested=False)
    second = graph.campaign()
    again = graph.generation(second, 2)
    # everything of the relaxation copied from the cache: 7 real jobs remain
    graph.evaluation(again, 'g001_c0004', [[{'cached': True}], [{'cached': True}]], eos=7, value=433.0, arm='control')
    graph.evaluation(again, 'g001_c0005', [[{}, {}, {}]], value=10.0, arm='acquisition')
    graph.harvest(again)
    reason = Str('target reached').store()
    reason.base.links.add_incoming(second, LinkType.RETURN, 'stop_reason')
    return graph, first, second
