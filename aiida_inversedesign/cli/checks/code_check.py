"""Whether the codes of a campaign can run: each is started for a moment in a new folder on its computer."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.cli.checks.findings import Finding

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Computer
    from aiida.transports import Transport

    from aiida_inversedesign.campaign.contracts.engine import Trial
    from aiida_inversedesign.campaign.spec import CampaignSpec

#: Seconds that a program is given.
SECONDS = 90

#: What to do about messages that programs and launchers write.
_REMEDIES = (
    (
        'run as root',
        'run AiiDA as another user, set `with_mpi` of the code to false, or allow it: '
        '`export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1` in the prepend text of the code',
    ),
    ('not enough slots', 'ask for fewer processes (evaluate.options.num_mpiprocs_per_machine), or more cores'),
    ('shared librar|not found in the libraries', 'load the modules it needs in the prepend text of the code'),
    (r"No module named 'ase\.calculators\.", 'correct evaluate.calculator (names of ASE are in small letters: '
     'emt), or set one up: `aiida-inversedesign calculators add CODE NAME package.module:Class`'),
    ('No module named|the package .* is not installed', 'install it for that Python: '
     '`PYTHON -m pip install PACKAGE`'),
    ('get_calculator_class|calculator', 'correct evaluate.calculator, or set one up: '
     '`aiida-inversedesign calculators add CODE NAME package.module:Class`'),
)  # fmt: skip


@dataclass(frozen=True)
class _Case:
    """A code to be tried: the key that names it, its section of the campaign file, and how."""

    key: str
    code: AbstractCode
    settings: Mapping[str, Any]
    trial: Trial | None


def examine_codes(spec: CampaignSpec, builder: Any, connect: bool) -> Iterator[Finding]:
    """Try every code of a campaign.

    :param builder: its inputs.
    :param connect: whether computers are tried that are reached over a network.
    """
    for case in _cases(spec, builder):
        yield from _examine(case, connect)


def examine_known(codes: Iterable[AbstractCode], connect: bool) -> Iterator[Finding]:
    """Look for the executables of codes, of which no campaign says what they need; one may be broken and unused."""
    for code in codes:
        for finding in _examine(_Case('code', code, {}, None), connect):
            yield replace(finding, state='warning') if finding.state == 'error' else finding


def _cases(spec: CampaignSpec, builder: Any) -> Iterator[_Case]:
    from aiida_inversedesign.campaign.contracts.engine import Trial, engine_named
    from aiida_inversedesign.campaign.contracts.registry import load

    data, engine = spec.model_dump(mode='json'), engine_named(spec.evaluate.engine)
    inputs = {name: node for name, node in builder.engine.items() if node is not None}
    trials = {trial.port: trial for trial in (load(engine.tries)(spec, inputs) if engine.tries else ())}
    for need in engine.needs(spec.evaluate):
        if need.kind == 'code' and need.port in inputs:
            yield _Case(need.path, inputs[need.port], _section(data, need.path), trials.get(need.port))
    for name, module in (('propose', 'run_propose'), ('learn', 'run_fit')):
        if (code := builder.codes.get(name)) is not None:
            yield _Case(f'{name}.code', code, data[name], _of_package(Trial, name, module))
    if (code := builder.codes.get('external')) is not None:
        # what a generator would print is not known: whether it is there
        yield _Case('propose.external.code', code, data['propose']['external'], None)
    if (code := builder.codes.get('screen')) is not None:
        yield _Case('screen.potential', code, data['screen'], _of_potential(Trial, str(spec.screen.potential)))


def _section(data: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The section in which a key stands."""
    for name in path.split('.')[:-1]:
        data = data[name]
    return data


def _of_package(trial: type[Trial], port: str, module: str) -> Trial:
    from aiida_inversedesign import __version__

    program = (
        f'import aiida_inversedesign, aiida_inversedesign.decisions.{module}; '
        'print("aiida-inversedesign", aiida_inversedesign.__version__)'
    )
    return trial(port, ('-c', program), expects=re.escape(f'aiida-inversedesign {__version__}'), is_light=True)


def _of_potential(trial: type[Trial], name: str) -> Trial:
    from importlib.resources import files

    from aiida_inversedesign.campaign.contracts.potential import potential

    script = 'relax_bundle.py'
    text = files('aiida_inversedesign.screen.potentials').joinpath(script).read_text()
    job = {'potential': potential(name).to_job()}
    texts = {script: text, 'input.json': json.dumps(job)}
    return trial('screen', (script, '--try'), texts, expects='^ready', is_light=True)


def _examine(case: _Case, connect: bool) -> Iterator[Finding]:
    from aiida.orm import InstalledCode

    code, label = case.code, case.code.full_label
    computer = code.computer
    if not isinstance(code, InstalledCode) or computer is None:
        yield Finding(case.key, 'ok', f'{label} is not an installed code: it was not tried')
        return
    if computer.transport_type != 'core.local' and not connect:
        yield Finding(case.key, 'ok', f'{label} was not tried: --connect does it on {computer.label}')
        return
    try:
        with computer.get_transport() as transport:
            yield from _on(transport, computer, case)
    except Exception as error:  # plug-ins of transports raise whatever they like
        text = f'the computer {computer.label} cannot be used ({type(error).__name__}: {error})'
        yield Finding(case.key, 'error', text, f'`verdi computer test {computer.label}`')


def _on(transport: Transport, computer: Computer, case: _Case) -> Iterator[Finding]:
    work = computer.get_workdir().format(username=transport.whoami())
    folder = f'{work}/inversedesign-check-{uuid.uuid4().hex[:12]}'
    script, starts = _script(folder, computer, case)
    files = {**(case.trial.files if case.trial else {}), 'try.sh': script}
    try:
        transport.makedirs(folder)
        for name, text in files.items():
            _put(transport, f'{folder}/{name}', text)
    except OSError as error:
        text = f'the work folder {work} on {computer.label} cannot be written ({error})'
        yield Finding(
            case.key,
            'error',
            text,
            f'make it writable, or set another one up: `verdi computer duplicate {computer.label}`',
        )
        return
    try:
        status, output, errors = transport.exec_command_wait(f'bash {shlex.quote(folder + "/try.sh")}')
    finally:
        with suppress(Exception):
            transport.rmtree(folder)
    yield from _judge(case, status, str(output), str(errors), starts)


def _put(transport: Transport, path: str, text: str) -> None:
    with tempfile.NamedTemporaryFile('w', encoding='utf8') as file:
        file.write(text)
        file.flush()
        transport.putfile(file.name, path)


def _script(folder: str, computer: Computer, case: _Case) -> tuple[str, bool]:
    """A script that starts the code as a job would, or where that must not be done only looks for it; and which."""
    code, trial = case.code, case.trial
    executable = shlex.quote(str(code.filepath_executable))
    here = computer.transport_type == 'core.local' and computer.scheduler_type == 'core.direct'
    starts = trial is not None and (here or trial.is_light)
    lines = [
        f'cd {shlex.quote(folder)} || exit 90',
        computer.get_prepend_text(),
        code.prepend_text,
        f'found=$(command -v {executable}) || {{ echo "there is no executable "{executable} >&2; exit 127; }}',
        'missing=$(ldd "$found" 2>/dev/null | grep "not found" | head -3 | tr -s "\\n\\t" " ")',
        '[ -z "$missing" ] || { echo "shared libraries: $missing" >&2; exit 126; }',
    ]
    if starts and trial is not None:
        arguments = ' '.join(map(shlex.quote, trial.arguments))
        launcher = _launcher(computer, case) if here else ''
        lines.append(f'timeout {SECONDS} {launcher} {executable} {arguments} < /dev/null')
    return '\n'.join(filter(None, lines)) + '\n', starts


def _launcher(computer: Computer, case: _Case) -> str:
    """What a job puts before its executable: ``mpirun`` with its processes, if it uses MPI."""
    from aiida_inversedesign.engines.common.options import job_options, processes

    number, options = processes(case.settings), job_options(case.settings, SECONDS, case.code.with_mpi)
    if not options['withmpi']:
        return ''
    words = {'tot_num_mpiprocs': number, **options['resources']}
    try:
        return ' '.join(shlex.quote(part.format(**words)) for part in computer.get_mpirun_command())
    except KeyError:
        # words that only a scheduler knows
        return ''


def _judge(case: _Case, status: int, output: str, errors: str, starts: bool) -> Iterator[Finding]:
    from aiida_inversedesign.graph.program_words import quotation, shortened

    label, trial = case.code.full_label, case.trial
    works = status == 0 if not (starts and trial and trial.expects) else re.search(trial.expects, output, re.M)
    for line in output.splitlines():
        if line.startswith('warning: '):
            yield Finding(case.key, 'warning', f'{label}: {line.removeprefix("warning: ")}')
    if works:
        yield Finding(case.key, 'ok', f'{label} starts' if starts else f'{label}: its executable is there')
        return
    if status == 124:
        yield Finding(
            case.key, 'error', f'{label} did not start within {SECONDS} s', 'see whether its computer is busy'
        )
        return
    last = (errors.strip() or output.strip() or f'exit code {status}').splitlines()[-1]
    text = shortened(quotation('', output, errors, '') or last)
    remedy = next((advice for pattern, advice in _REMEDIES if re.search(pattern, text)), '')
    yield Finding(case.key, 'error', f'{label} does not run: {text}', remedy or f'`verdi code show {label}`')
