"""The proposal as a job on another computer: the same inputs and output as ``propose_candidates``."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.processes.job_exchange import LIBRARY, MODEL
from aiida_inversedesign.processes.package_job import PackageCalculation, PackageParser


class ProposeCalculation(PackageCalculation):
    """Proposes candidates of formulas that no earlier pool has considered."""

    MODULE = 'aiida_inversedesign.decisions.run_propose'

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('library', valid_type=LibraryData, help='The templates.')
        spec.input('generation', valid_type=orm.Int, help='Number of the generation, from 1.')
        spec.input('model', valid_type=CspmlData, required=False, help='The proposal model.')
        spec.input('table', valid_type=TableData, required=False, help='Evaluations so far.')
        spec.input('pool', valid_type=PoolData, required=False, help='Candidates proposed so far.')
        spec.output('pool', valid_type=PoolData, required=False, help='These and the new candidates.')
        spec.inputs['metadata']['options']['parser_name'].default = 'inversedesign.propose_job'
        spec.exit_code(310, 'NOTHING_TO_PROPOSE', message='nothing to propose: {reason}')

    def job_input(self) -> dict[str, Any]:
        """Settings, generation, and what is known so far."""
        inputs = self.inputs
        return {
            'settings': inputs.settings.get_dict(),
            'generation': inputs.generation.value,
            'rows': [row.to_dict() for row in inputs.table.get_rows()] if 'table' in inputs else [],
            'earlier': [item.to_dict() for item in inputs.pool.get_candidates()] if 'pool' in inputs else [],
        }

    def job_files(self) -> dict[str, PayloadData]:
        """The library, and the model where there is one."""
        files: dict[str, PayloadData] = {LIBRARY: self.inputs.library}
        return {**files, MODEL: self.inputs.model} if 'model' in self.inputs else files


class ProposeParser(PackageParser):
    """Makes the pool."""

    ERROR = (310, 'nothing to propose')

    def attach(self, output: Any) -> None:
        """The candidates as a pool."""
        self.out('pool', PoolData.from_candidates([Candidate.from_dict(record) for record in output]))
