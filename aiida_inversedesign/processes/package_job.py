"""A calculation job that runs one of this package's programs where it is installed."""

from __future__ import annotations

import builtins
import json
import re
from abc import abstractmethod
from typing import Any

from aiida import orm
from aiida.common import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, ExitCode
from aiida.parsers import Parser

from aiida_inversedesign import __version__
from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.processes.earlier_attempts import paths_of_earlier
from aiida_inversedesign.processes.job_exchange import INPUT, OUTPUT, RECORD, packed, unpacked
from aiida_inversedesign.processes.python_job import define_python_job, last_words


class PackageCalculation(CalcJob):
    """Runs ``python -m MODULE``; the code is an interpreter with this package installed.

    What it reads can be made again from the input nodes and is not stored a second time.
    """

    MODULE = ''

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('settings', valid_type=orm.Dict, help='The campaign file without its budget.')
        define_python_job(spec, 'program.out')
        spec.output('record', valid_type=orm.Dict, help='Versions, seconds, and an error of a known kind.')
        spec.exit_code(
            302,
            'ERROR_OTHER_VERSION',
            message='the code has aiida-inversedesign {there}, this profile {here}: install the same version there',
            invalidates_cache=True,
        )
        spec.exit_code(
            303, 'ERROR_PROGRAM', message='the program stopped with an error: {reason}', invalidates_cache=True
        )

    @abstractmethod
    def job_input(self) -> dict[str, Any]:
        """What the program reads."""

    def job_files(self) -> dict[str, PayloadData]:
        """File name → node whose bulk data it holds."""
        return {}

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input, and have the bulk data copied from the nodes."""
        with folder.open(INPUT, 'wb') as handle:
            handle.write(packed(self.job_input() | paths_of_earlier(self.inputs)))
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = ['-m', self.MODULE]
        code.stdout_name = self.metadata.options.output_filename
        code.stderr_name = 'program.err'
        info = CalcInfo()
        info.codes_info = [code]
        info.local_copy_list = [(node.uuid, node.FILENAME, name) for name, node in self.job_files().items()]
        info.provenance_exclude_list = [INPUT, *self.job_files()]
        # the output becomes a node: only its parts are kept, not the file itself
        info.retrieve_list = [RECORD, code.stdout_name, code.stderr_name]
        info.retrieve_temporary_list = [OUTPUT]
        return info


class PackageParser(Parser):
    """Reads the output; a subclass makes nodes of it."""

    #: Exit status for an error of a known kind, and the words before it.
    ERROR: tuple[int, str] = (0, '')

    def parse(self, retrieved_temporary_folder: str = '', **_: Any) -> ExitCode | None:
        """Attach the record and the output, or say why there is none."""
        from pathlib import Path

        names = self.retrieved.base.repository.list_object_names()
        if RECORD not in names:
            if self.node.exit_status:
                # what the scheduler says is kept: out of memory, out of wall time
                return None
            words = last_words(self, 'program.err')
            code = self.exit_codes.ERROR_PROGRAM if stopped_by_itself(words) else self.exit_codes.ERROR_NO_RESULTS
            return code.format(reason=words)
        try:
            record = json.loads(self.retrieved.base.repository.get_object_content(RECORD))
            self.out('record', orm.Dict(record))
            there = record['versions']['aiida-inversedesign']
            if there != __version__:
                return self.exit_codes.ERROR_OTHER_VERSION.format(there=there, here=__version__)
            if record['error'] is not None:
                status, words = self.ERROR
                return ExitCode(status, f'{words}: {record["error"]}')
            self.attach(unpacked((Path(retrieved_temporary_folder) / OUTPUT).read_bytes()))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            return self.exit_codes.ERROR_UNREADABLE_RESULTS.format(reason=f'{type(error).__name__}: {error}')
        return None

    @abstractmethod
    def attach(self, output: Any) -> None:
        """Make nodes of the output."""


def stopped_by_itself(words: str) -> bool:
    """Whether the last line of a program is that of an error which it would meet again, e.g. a missing library.

    Files that cannot be read or written, and signals, are the machine's.
    """
    name = words.partition(':')[0].strip()
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, OSError | EOFError):
        return False
    return 'No module named' in words or re.fullmatch(r'[\w.]+(Error|Exception)', name) is not None
