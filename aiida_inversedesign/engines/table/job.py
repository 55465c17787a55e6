"""The job of the ``table`` engine: it takes the time of a computation and fails where it should."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_inversedesign.engines.table.lookup import duration, fails_on_purpose
from aiida_inversedesign.nodes.points import content_of
from aiida_inversedesign.nodes.structures import crystal_of
from aiida_inversedesign.processes.script_job import ScriptCalculation, ScriptParser, define_crystal_and_settings


class TableCalculation(ScriptCalculation):
    """Waits for a log-normal time that depends on the crystal alone; the code is a Python interpreter."""

    SCRIPT = 'wait.py'

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        define_crystal_and_settings(spec)
        spec.input('structure', valid_type=(orm.StructureData, orm.Dict), help='The crystal or point.')
        spec.output('results', valid_type=orm.Dict, help='How long it waited, and whether it had to fail.')
        spec.inputs['metadata']['options']['parser_name'].default = 'inversedesign.table'
        spec.exit_code(310, 'ERROR_ON_PURPOSE', message='failed on purpose (evaluate.fail_fraction {fraction})')

    def job_input(self) -> dict[str, Any]:
        """How long to wait, whether to fail, and which crystal it is."""
        settings, node = self.inputs.settings.get_dict(), self.inputs.structure
        content = crystal_of(node) if isinstance(node, orm.StructureData) else content_of(node)
        return {
            'crystal': content.content_hash,
            'seconds': duration(content, settings['delay_seconds'], settings['delay_sigma']),
            'fail': fails_on_purpose(content, settings['fail_fraction']),
        }


class TableParser(ScriptParser):
    """Turns ``results.json`` of :class:`TableCalculation` into a node."""

    def parse_results(self, results: dict[str, Any]) -> ExitCode | None:
        """Attach what it did, and fail where the settings ask for it."""
        self.out('results', orm.Dict(results))
        if results['failed']:
            return self.exit_codes.ERROR_ON_PURPOSE.format(fraction=self.node.inputs.settings['fail_fraction'])
        return None
