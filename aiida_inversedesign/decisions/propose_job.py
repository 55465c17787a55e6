"""The proposal as a job on another computer: the same inputs and output as ``propose_candidates``."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.registry import part
from aiida_inversedesign.decisions.propose_candidates import NOTHING_TO_PROPOSE
from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.nodes.points import PointsData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.processes.job_exchange import LIBRARY, MODEL
from aiida_inversedesign.processes.package_job import PackageCalculation, PackageParser


class ProposeCalculation(PackageCalculation):
    """Proposes candidates of formulas that no earlier pool has considered."""

    MODULE = 'aiida_inversedesign.decisions.run_propose'

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('library', valid_type=(LibraryData, PointsData), required=False, help='The templates or points.')
        spec.input('generation', valid_type=orm.Int, help='Number of the generation, from 1.')
        spec.input('model', valid_type=CspmlData, required=False, help='The proposal model.')
        spec.input('table', valid_type=TableData, required=False, help='Evaluations so far.')
        spec.input('surrogate', valid_type=SurrogateData, required=False, help='Fitted to them.')
        spec.input('pool', valid_type=PoolData, required=False, help='Candidates proposed so far.')
        spec.input('generated', valid_type=orm.Dict, required=False, help='What a program generated.')
        spec.output('pool', valid_type=PoolData, required=False, help='These and the new candidates.')
        spec.inputs['metadata']['options']['parser_name'].default = 'inversedesign.propose_job'
        spec.exit_code(NOTHING_TO_PROPOSE, 'NOTHING_TO_PROPOSE', message='nothing to propose: {reason}')

    def job_input(self) -> dict[str, Any]:
        """Settings, generation, and what is known so far."""
        inputs = self.inputs
        return {
            'settings': inputs.settings.get_dict(),
            'generation': inputs.generation.value,
            'rows': [row.to_dict() for row in inputs.table.get_rows()] if 'table' in inputs else [],
            'surrogate': inputs.surrogate.state if 'surrogate' in inputs else None,
            'generated': inputs.generated.get_dict() if 'generated' in inputs else None,
            'earlier': [item.to_dict() for item in inputs.pool.get_candidates()] if 'pool' in inputs else [],
        }

    def job_files(self) -> dict[str, PayloadData]:
        """Library and model, where there are any."""
        names = {'library': LIBRARY, 'model': MODEL}
        return {file: self.inputs[port] for port, file in names.items() if port in self.inputs}


class ProposeParser(PackageParser):
    """Makes the pool."""

    ERROR = (NOTHING_TO_PROPOSE, 'nothing to propose')

    def attach(self, output: Any) -> None:
        """The candidates as a pool."""
        kind = self.node.inputs.settings['space']['kind']
        read = part('spaces', kind).read
        self.out('pool', PoolData.from_candidates([Candidate.from_dict(record, read) for record in output], kind))
