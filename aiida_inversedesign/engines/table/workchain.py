"""The ``table`` engine: looks the answers up in a data set, for rehearsals, benchmarks and tests."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, calcfunction, if_, while_

from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.engines.table.job import TableCalculation
from aiida_inversedesign.engines.table.lookup import (
    LookupTable,
    NoEntryError,
    fails_on_purpose,
    functional_values,
    lookup_record,
    point_record,
)
from aiida_inversedesign.graph.diagnosis import explain
from aiida_inversedesign.nodes.curves import arrays_of
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.payload import ReadCache
from aiida_inversedesign.nodes.points import PointsData, content_of
from aiida_inversedesign.nodes.structures import crystal_of, structure_of

#: Exit statuses of a look-up that failed on purpose, and of one without an answer.
ON_PURPOSE, NO_ENTRY = 311, 312

_TABLES: ReadCache[LookupTable] = ReadCache(2)


@calcfunction
def look_up(
    structure: orm.StructureData, data: LibraryData, properties: orm.List, settings: orm.Dict
) -> dict[str, orm.Data] | ExitCode:
    """The entry of a crystal in the data set: its structure and all its properties."""
    crystal = crystal_of(structure)
    if settings['code'] is None and fails_on_purpose(crystal, settings['fail_fraction']):
        return ExitCode(ON_PURPOSE, f'failed on purpose (evaluate.fail_fraction {settings["fail_fraction"]})')
    try:
        table = _TABLES.get(data, lambda: LookupTable(data.get_library()))
        template = table.find(crystal, settings['match'])
        asked = settings.get('functionals', {})
        numbers, units, curves = functional_values(template, settings.get('functions', {}), asked)
        record = lookup_record(template, properties.get_list(), {**settings['units'], **units}, numbers)
    except NoEntryError as error:
        return ExitCode(NO_ENTRY, str(error))
    found = {'relaxed': structure_of(template.crystal), 'properties': orm.Dict(record)}
    return {**found, 'curves': arrays_of(curves)} if curves else found


@calcfunction
def look_up_point(
    point: orm.Dict, data: PointsData, properties: orm.List, settings: orm.Dict
) -> dict[str, orm.Data] | ExitCode:
    """What the data set measured at a point: the mean of its replicates, with the standard error."""
    wanted = content_of(point)
    if settings['code'] is None and fails_on_purpose(wanted, settings['fail_fraction']):
        return ExitCode(ON_PURPOSE, f'failed on purpose (evaluate.fail_fraction {settings["fail_fraction"]})')
    try:
        record = point_record(data.get_library(), wanted, properties.get_list(), settings['units'])
    except NoEntryError as error:
        return ExitCode(NO_ENTRY, str(error))
    return {'properties': orm.Dict(record)}


class TableEvaluateWorkChain(EvaluateWorkChain):
    """Looks a crystal up; with a ``code`` a job takes the time of a computation first. Child: ``relax``.

    A job that was lost to its machine is repeated: ``relax_attempt_2``, ``relax_attempt_3``.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('engine.data', valid_type=(LibraryData, PointsData), help='The data set.')
        spec.input('engine.code', valid_type=orm.AbstractCode, required=False, help='A Python interpreter.')
        spec.outline(
            cls.check_inputs,
            if_(cls.takes_time)(while_(cls.job_is_due)(cls.run_job), cls.inspect_job),
            cls.find_entry,
        )

    def check_inputs(self) -> ExitCode | None:
        """Nothing is computed here: which properties there are, the entry says."""
        return None

    def takes_time(self) -> bool:
        """Whether the look-up runs as a job."""
        return 'code' in self.inputs.engine

    def run_job(self) -> Any:
        """Submit the job that takes the time."""
        return self.submit_job(TableCalculation)

    def inspect_job(self) -> ExitCode | None:
        """Fail where the job failed."""
        if not self.ctx.job.is_finished_ok:
            return self.exit_codes.ERROR_JOB_FAILED.format(reason=explain(self.node))
        return None

    def find_entry(self) -> ExitCode | None:
        """Look the crystal up."""
        candidate, data = self.inputs.candidate, self.inputs.engine.data
        inputs = {'data': data, 'properties': self.inputs.properties, 'settings': self.inputs.settings}
        if isinstance(data, PointsData):
            node = self.run_once('look_up', look_up_point, point=candidate, **inputs)
        else:
            node = self.run_once('look_up', look_up, structure=candidate, **inputs)
        if node.is_finished_ok:
            for name in ('relaxed', 'properties', 'curves'):
                if name in node.outputs:
                    self.out(name, node.outputs[name])
            return None
        if node.exit_status == NO_ENTRY:
            return self.exit_codes.ERROR_NO_ENTRY.format(reason=node.exit_message)
        return self.exit_codes.ERROR_JOB_FAILED.format(reason=node.exit_message)
