"""A calculation job that runs one of the package's scripts with a Python interpreter."""

from __future__ import annotations

import json
from abc import abstractmethod
from importlib.resources import files
from typing import Any

from aiida import orm
from aiida.common import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, ExitCode
from aiida.parsers import Parser

from aiida_inversedesign.processes.earlier_attempts import paths_of_earlier
from aiida_inversedesign.processes.python_job import define_python_job, last_words


def define_crystal_and_settings(spec: Any) -> None:
    """The inputs of a script that computes one crystal as the section ``evaluate`` says."""
    spec.input('structure', valid_type=orm.StructureData, help='The crystal.')
    spec.input('settings', valid_type=orm.Dict, help='The `evaluate` section of the campaign file.')


class ScriptCalculation(CalcJob):
    """Runs ``SCRIPT`` on ``input.json`` and fetches ``results.json``; a subclass says what goes in."""

    SCRIPT = ''
    #: Where the script lies; by default beside the class.
    PACKAGE = ''
    #: Files that are fetched beside ``results.json`` and what the script prints.
    ALSO_RETRIEVED: tuple[str, ...] = ()

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        define_python_job(spec, 'script.out')

    @abstractmethod
    def job_input(self) -> dict[str, Any]:
        """What is written to ``input.json``."""

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the script and its input."""
        guard = files('aiida_inversedesign.processes').joinpath('guard.py').read_text()
        package = self.PACKAGE or type(self).__module__.rpartition('.')[0]
        scripts = {self.SCRIPT: files(package).joinpath(self.SCRIPT).read_text()}
        scripts['guard.py'] = guard
        data = self.job_input() | paths_of_earlier(self.inputs)
        for name, content in {**scripts, 'input.json': json.dumps(data)}.items():
            with folder.open(name, 'w', encoding='utf8') as handle:
                handle.write(content)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = [self.SCRIPT]
        code.stdout_name = self.metadata.options.output_filename
        code.stderr_name = 'script.err'
        info = CalcInfo()
        info.codes_info = [code]
        info.retrieve_list = ['results.json', *self.ALSO_RETRIEVED, 'script.out', 'script.err']
        return info


class ScriptParser(Parser):
    """Reads ``results.json``; a subclass makes output nodes of it."""

    def parse(self, **_: Any) -> ExitCode | None:
        """Read the results, or say why there are none."""
        names = self.retrieved.base.repository.list_object_names()
        if 'results.json' not in names:
            if self.node.exit_status:
                # what the scheduler says is kept: out of memory, out of wall time
                return None
            return self.exit_codes.ERROR_NO_RESULTS.format(reason=last_words(self, 'script.err'))
        try:
            results = json.loads(self.retrieved.base.repository.get_object_content('results.json'))
        except ValueError as error:
            return self.exit_codes.ERROR_UNREADABLE_RESULTS.format(reason=error)
        return self.parse_results(results)

    @abstractmethod
    def parse_results(self, results: dict[str, Any]) -> ExitCode | None:
        """Attach the outputs, or return what went wrong."""
