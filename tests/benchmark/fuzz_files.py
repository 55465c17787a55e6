"""Hostile files through the real commands: what happens, how long it takes, and how much memory.

Every file is read by the command that a user would give it to, in a process of its own (a fork that has the libraries
loaded) with limits of address space and time. Wanted: it is accepted, or refused with a message, never a traceback,
within 10 s of CPU time and 1 GB.

    python tests/benchmark/fuzz_files.py --campaigns 200 --structures 200 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fuzz_base import Case

#: the bars: CPU seconds, and MB at the peak including the libraries themselves
MOST_SECONDS, MOST_MB = 10.0, 1000.0
#: beyond these a process is ended; a wait that uses no CPU time ends there too
CPU_LIMIT, WALL_LIMIT, ADDRESS_SPACE = 30, 60.0, 4 * 2**30
#: file that a case makes if its content is executed
PWNED = 'pwned'


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    kind: str
    name: str
    state: str
    seconds: float
    peak_mb: float
    text: str

    @property
    def violation(self) -> bool:
        """Whether it is not what was wanted."""
        return self.state not in ('accepted', 'refused') or self.seconds > MOST_SECONDS or self.peak_mb > MOST_MB


def prepare(folder: Path) -> None:
    """Make a profile, and load in this process what the commands need, so that a fork has it."""
    os.environ.update(AIIDA_PATH=str(folder), OMP_NUM_THREADS='1', NUMBA_NUM_THREADS='1')
    verdi = [str(Path(sys.executable).with_name('verdi')), 'presto', '-n', '-p', 'fuzz']
    subprocess.run(verdi, check=True, capture_output=True)
    import numpy as np
    import rich.table  # noqa: F401

    from aiida_inversedesign.chemistry.crystal import Crystal
    from aiida_inversedesign.libraries.fingerprinted import with_fingerprints
    from aiida_inversedesign.libraries.library import Library, Template

    # compiled functions are compiled once, here
    crystal = Crystal(2.8 * (1 - np.eye(3)), ('Na', 'Cl'), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
    other = Crystal(3.6 * np.eye(3), ('Cu',), np.zeros((1, 3)))
    with_fingerprints(Library([Template('a', crystal, 's', 'l'), Template('b', other, 's', 'l')]))


def command(case: Case, path: Path) -> list[str] | None:
    """The command line that reads the file; None for a library, which is read by the function itself."""
    kind = case.kind.split(',')[0]
    if kind == 'campaign':
        return ['check', str(path), '--offline']
    if kind == 'model':
        return ['cspml', 'show', str(path)]
    if kind == 'library':
        return None
    if kind == 'archive':
        return ['audit', '--archive', str(path)]
    return ['library', 'import', kind.removesuffix('.gz'), str(path), '--label', 'fuzz']


def _read(case: Case, path: Path) -> None:
    """Run the command in this process and end it with its exit code."""
    arguments = command(case, path)
    if arguments is None:
        from aiida_inversedesign.errors import InverseDesignError
        from aiida_inversedesign.libraries.library import Library

        try:
            Library.from_bytes(path.read_bytes())
        except InverseDesignError as error:
            print(f'Error: {error}')
            raise SystemExit(1) from None
        return
    from aiida_inversedesign.cli import cli

    cli.main(arguments, prog_name='aiida-inversedesign')


def judge(case: Case, folder: Path) -> Outcome:
    """Read one file in a process of its own."""
    work = folder / 'work' / 'inner'
    work.mkdir(parents=True)
    output = folder / 'output'
    # also written by a fork: what a bomb takes to make must not stay in this process
    if (writer := os.fork()) == 0:
        case.write(work)
        os._exit(0)
    os.waitpid(writer, 0)
    path = work / case.file
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.chdir(work)
            descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT, CPU_LIMIT + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _read(case, path)
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    status, usage = _wait(child, start)
    with output.open(errors='replace') as stream:
        text = stream.read(200_000)
    state = _state(status, text)
    if any((place / PWNED).exists() for place in (work, folder, Path.cwd())):
        state = 'executed'
    elif state == 'accepted' and case.refused:
        state = 'wrongly accepted'
    seconds = usage.ru_utime + usage.ru_stime
    shutil.rmtree(folder / 'work')
    return Outcome(case.kind, case.name, state, seconds, usage.ru_maxrss / 1024, text[-3000:])


def _wait(child: int, start: float) -> tuple[int, Any]:
    pause = 0.002
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return status, usage
        if time.monotonic() - start > WALL_LIMIT:
            os.kill(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            return status, usage
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _state(status: int, text: str) -> str:
    if os.WIFSIGNALED(status):
        return f'ended by {signal.Signals(os.WTERMSIG(status)).name}'
    code = os.WEXITSTATUS(status)
    if 'Traceback (most recent call last)' in text or code == 99:
        return 'traceback'
    if code == 0:
        return 'accepted'
    # a refusal says something
    return 'refused' if code in (1, 2) and len(text.strip()) > 20 else f'exit code {code} without a word'


def run(cases: list[Case], folder: Path, verbose: bool = False) -> list[Outcome]:
    """Read every file."""
    outcomes = []
    for case in cases:
        outcome = judge(case, folder)
        outcomes.append(outcome)
        if verbose or outcome.violation:
            print(f'{outcome.kind}: {outcome.name}: {outcome.state}, {outcome.seconds:.1f} s, {outcome.peak_mb:.0f} MB')
            if verbose or outcome.violation:
                print('    ' + outcome.text[-1500:].replace('\n', '\n    '))
    return outcomes


def summarise(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """One line for each kind of file."""
    groups = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.kind].append(outcome)
    return [
        {
            'kind': kind,
            'n': len(group),
            'refused': sum(item.state == 'refused' for item in group),
            'accepted': sum(item.state == 'accepted' for item in group),
            'tracebacks': sum(item.state not in ('accepted', 'refused') for item in group),
            'slowest_s': round(max(item.seconds for item in group), 2),
            'peak_mb': round(max(item.peak_mb for item in group)),
        }
        for kind, group in groups.items()
    ]


def main() -> int:
    """Run the fuzzing and print its table; 1 if a bar is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--campaigns', type=int, default=200)
    parser.add_argument('--structures', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', default='', help='kinds that start with this')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('--json', type=Path, help='write every outcome to this file')
    options = parser.parse_args()
    from fuzz_campaigns import campaign_cases
    from fuzz_structures import structure_cases

    with tempfile.TemporaryDirectory(prefix='inversedesign-fuzz-') as name:
        folder = Path(name)
        prepare(folder / 'aiida')
        cases = campaign_cases(options.campaigns, options.seed) + structure_cases(options.structures, options.seed)
        cases = [case for case in cases if case.kind.startswith(options.only)]
        start = time.monotonic()
        outcomes = run(cases, folder, options.verbose)
        elapsed = time.monotonic() - start
    rows = summarise(outcomes)
    print(f'{"kind":22}{"n":>5}{"refused":>9}{"accepted":>10}{"tracebacks":>12}{"slowest s":>11}{"peak MB":>9}')
    for row in rows:
        print('{kind:22}{n:5}{refused:9}{accepted:10}{tracebacks:12}{slowest_s:11.2f}{peak_mb:9}'.format(**row))
    broken = sum(outcome.violation for outcome in outcomes)
    bars = f'{MOST_SECONDS:g} CPU s, {MOST_MB:g} MB, no traceback'
    print(f'{len(outcomes)} files in {elapsed:.0f} s; {broken} break a bar ({bars})')
    if options.json:
        options.json.write_text(json.dumps([asdict(item) for item in outcomes], indent=1))
    return int(broken > 0)


if __name__ == '__main__':
    sys.exit(main())
