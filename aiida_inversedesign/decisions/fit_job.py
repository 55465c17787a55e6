"""The fit as a job on another computer: the same inputs and output as ``fit_surrogate``."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.decisions.fit_surrogate import NO_SURROGATE
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.nodes.earlier import NAMESPACE, declare_campaigns, nodes_of
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.processes.job_exchange import LIBRARY
from aiida_inversedesign.processes.package_job import PackageCalculation, PackageParser


class FitCalculation(PackageCalculation):
    """Fits the surrogate to the rows of the table."""

    MODULE = 'aiida_inversedesign.decisions.run_fit'

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('table', valid_type=TableData, help='Evaluations so far.')
        spec.input('library', valid_type=LibraryData, required=False, help='Whose entries are transferred from.')
        declare_campaigns(spec)
        spec.output('surrogate', valid_type=SurrogateData, required=False, help='What was learned.')
        spec.inputs['metadata']['options']['parser_name'].default = 'inversedesign.fit_job'
        spec.exit_code(NO_SURROGATE, 'NO_SURROGATE', message='no surrogate yet: {reason}')

    def job_input(self) -> dict[str, Any]:
        """Settings, what was evaluated, and what earlier campaigns evaluated."""
        rows = [row.to_dict() for row in self.inputs.table.get_rows()]
        campaigns = [
            {'settings': one['settings'].get_dict(), 'rows': [row.to_dict() for row in one['table'].get_rows()]}
            for one in nodes_of(self.inputs.get(NAMESPACE, {}))
        ]
        return {'settings': self.inputs.settings.get_dict(), 'rows': rows, 'campaigns': campaigns}

    def job_files(self) -> dict[str, PayloadData]:
        """The library, where there is one."""
        return {LIBRARY: self.inputs.library} if 'library' in self.inputs else {}


class FitParser(PackageParser):
    """Makes the surrogate."""

    ERROR = (NO_SURROGATE, 'no surrogate yet')

    def attach(self, output: Any) -> None:
        """The state as a surrogate; building it proves that it can be read."""
        self.out('surrogate', SurrogateData.from_surrogate(Surrogate.from_state(output)))
