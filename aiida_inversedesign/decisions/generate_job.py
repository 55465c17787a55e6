"""A program that generates crystals, as a job on any computer (docs/generators.md)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, ExitCode
from aiida.parsers import Parser

from aiida_inversedesign.campaign.contracts.source import ProposalError, SourceRequest
from aiida_inversedesign.campaign.generator import EXTERNAL
from aiida_inversedesign.graph.job_record import PARTLY
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.settings import settings_of
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.processes.python_job import define_python_job, last_words
from aiida_inversedesign.propose.generated import FOLDER, REQUEST, STATUS, SUFFIXES, read_generated, request_of
from aiida_inversedesign.propose.sources.formulas import crystals_of, draw

#: Of the wall time of the job, what the program has: the rest is for reading what it wrote.
PART_OF_WALL_TIME = 0.9
#: Stops the program in time, also where no scheduler does: what it wrote until then is used. All children of the job's
#: shell but the guard itself are stopped, first politely.
_GUARD = """
( sleep {seconds} || exit
  echo 'stopped after {seconds} s (propose.external.options.max_wallclock_seconds)' >> generator.late
  for signal in TERM KILL; do
    for child in $(ps -o pid= --ppid $$); do [ "$child" = "$BASHPID" ] || kill -$signal "$child"; done
    sleep 10
  done ) > /dev/null 2>&1 &
guard=$!
"""
#: The guard ends when its sleep is ended.
_DONE = """
pkill -P $guard > /dev/null 2>&1; kill $guard > /dev/null 2>&1; true
"""
LATE = 'generator.late'
#: Seconds since the epoch when the program began and when it ended; the second line lacks where the job was cut down.
TIMES = 'generator.times'
_CLOCK = f'date +%s >> {TIMES}\n'


class GenerateCalculation(CalcJob):
    """Runs ``CODE request.json``; the program writes crystals to the folder that the request names."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('settings', valid_type=orm.Dict, help='The campaign file without its budget.')
        spec.input('generation', valid_type=orm.Int, help='Number of the generation, from 1.')
        spec.input('table', valid_type=TableData, required=False, help='Evaluations so far.')
        spec.input('pool', valid_type=PoolData, required=False, help='Candidates proposed so far.')
        spec.input('surrogate', valid_type=SurrogateData, required=False, help='Fitted to the evaluations.')
        define_python_job(spec, 'generator.out')
        spec.output(
            'generated',
            valid_type=orm.Dict,
            required=False,
            help='`records` with the usable crystals, `refused` with the others by reason, `status` of the program.',
        )
        spec.inputs['metadata']['options']['parser_name'].default = 'inversedesign.generate'
        spec.exit_code(310, 'ERROR_NOTHING_GENERATED', message='the generator gave no crystal: {reason}')
        spec.exit_code(311, 'ERROR_NOTHING_USABLE', message='no crystal of the generator can be used: {reason}')
        spec.exit_code(312, 'ERROR_OTHER_WEIGHTS', message='the weights of the generator are {reason}')
        spec.exit_code(PARTLY, 'ERROR_PARTLY', message='{found} of {number} crystals were generated: {reason}')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the request."""
        with folder.open(REQUEST, 'w', encoding='utf8') as handle:
            json.dump(generation_request(self.inputs), handle, indent=1)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = [REQUEST]
        code.stdout_name = self.metadata.options.output_filename
        code.stderr_name = 'generator.err'
        info = CalcInfo()
        info.codes_info = [code]
        limit = self.inputs.metadata.options.get('max_wallclock_seconds')
        info.prepend_text, info.append_text = _CLOCK, _CLOCK
        if limit:
            info.prepend_text += _GUARD.format(seconds=max(1, int(PART_OF_WALL_TIME * limit)))
            info.append_text += _DONE
        names = [STATUS, *(f'*{suffix}' for suffix in SUFFIXES), *(f'*/*{suffix}' for suffix in SUFFIXES)]
        # with their folders, so that files of one name stay two
        info.retrieve_list = [
            'generator.out',
            'generator.err',
            LATE,
            TIMES,
            *((f'{FOLDER}/{name}', '.', name.count('/') + 2) for name in names),
        ]
        return info


def generation_request(inputs: Any) -> dict[str, Any]:
    """What a program is asked with these inputs: the formulas are those of the proposal that follows."""
    spec = settings_of(inputs.settings)
    generator = spec.propose.external
    assert generator is not None  # noqa: S101
    request = SourceRequest(
        spec,
        inputs.generation.value,
        inputs.table.get_rows() if 'table' in inputs else [],
        inputs.pool.get_candidates() if 'pool' in inputs else [],
        surrogate=inputs.surrogate.get_surrogate() if 'surrogate' in inputs else None,
    )
    try:
        formulas = draw(request, EXTERNAL).formulas
    except ProposalError:
        # the proposal says so
        formulas = []
    space = crystals_of(spec)
    return request_of(generator, formulas, space.elements_used, space.max_sites, request.seed)


class GenerateParser(Parser):
    """Reads what a program left, whatever became of it."""

    def parse(self, **_: Any) -> ExitCode | None:
        """The usable crystals, or why there are none."""
        request = json.loads(self.node.base.repository.get_object_content(REQUEST))
        found = read_retrieved(self.retrieved, request)
        self.out('generated', orm.Dict(found))
        number, asked = len(found['records']), request['crystals_per_formula'] * len(request['formulas'])
        reasons = ', '.join(f'{kind} ({count})' for kind, count in found['refused'].items())
        late = self.retrieved.base.repository
        words = found['status'].get('message') or last_words(self, 'generator.err')
        if LATE in late.list_object_names():
            words = late.get_object_content(LATE).strip()
        if wrong := _wrong_weights(found, request):
            return self.exit_codes.ERROR_OTHER_WEIGHTS.format(reason=wrong)
        if not found['found']:
            return None if self.node.exit_status else self.exit_codes.ERROR_NOTHING_GENERATED.format(reason=words)
        if not number:
            return self.exit_codes.ERROR_NOTHING_USABLE.format(reason=f'{reasons}; {"; ".join(found["examples"][:1])}')
        if number < asked:
            reason = reasons or words
            return self.exit_codes.ERROR_PARTLY.format(found=number, number=asked, reason=reason)
        return None


def read_retrieved(retrieved: orm.FolderData, request: dict[str, Any]) -> dict[str, Any]:
    """What is read of the files that a program left; nothing of one that used other weights than it was to."""
    with tempfile.TemporaryDirectory() as index:
        retrieved.base.repository.copy_tree(Path(index))
        found = read_generated(Path(index) / FOLDER, request)
    if wrong := _wrong_weights(found, request):
        found |= {'records': [], 'refused': {**found['refused'], 'weights': len(found['records'])}}
        found['status']['message'] = f'the weights are {wrong}'
    if (seconds := _wall_time(retrieved)) is not None:
        found['wall_time_seconds'] = seconds
    return found


def _wall_time(retrieved: orm.FolderData) -> float | None:
    """How long the program ran, None where its job was cut down and did not come to write it."""
    if TIMES not in retrieved.base.repository.list_object_names():
        return None
    with retrieved.base.repository.open(TIMES) as handle:
        # the folder is the program's too: what else stands there is not read
        words = handle.read(100).split()
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        return None
    begun, ended = map(int, words)
    return float(ended - begun) if ended >= begun else None


def _wrong_weights(found: dict[str, Any], request: dict[str, Any]) -> str:
    """In words how the weights differ from those that were asked for; empty if they do not."""
    wanted = (request['weights'] or {}).get('sha256')
    used = found['status'].get('weights_sha256')
    if wanted is None or used == wanted:
        return ''
    if used is None:
        return f'not there, or not reported: {STATUS} has to name their SHA-256 as weights_sha256'
    return f'others than those asked for: their SHA-256 is {used}'
