"""Mutation tests of what decides and counts (``make mutants``): which changes of the code does no test notice?

mutmut changes one operator, number, argument or branch at a time and runs the tests that reach it. It leaves properties
as they are, and those are where hits and costs are defined. So this works on a copy of the repository in which
``property`` is called below each definition instead of decorating it.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / 'build' / 'mutants'
COPIED = ('aiida_inversedesign', 'tests', 'workflows', 'examples', 'docs', 'pyproject.toml')
#: Exit codes of mutmut's children; others are shown as they are.
OUTCOMES = {0: 'survived', 1: 'killed', 3: 'killed', 33: 'no test', -24: 'timeout', -9: 'timeout', None: 'not run'}


def undecorated(source: str) -> str:
    """The same module with properties made below their definitions."""
    lines = source.splitlines(keepends=True)
    after: dict[int, str] = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef) or len(node.decorator_list) != 1:
            continue
        decorator = node.decorator_list[0]
        if ast.unparse(decorator) in ('property', 'builtins.property'):
            lines[decorator.lineno - 1] = '\n'
            indent = ' ' * node.col_offset
            after[node.end_lineno or 0] = f'{indent}{node.name} = {ast.unparse(decorator)}({node.name})\n'
    return ''.join(line + after.get(number, '') for number, line in enumerate(lines, 1))


def prepare(fresh: bool) -> None:
    """Copy the repository to :data:`WORK`; what an earlier run found is kept for unchanged functions."""
    if fresh:
        shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source, copy = ROOT / name, WORK / name
        if source.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns('__pycache__', '_build', 'build'))
        else:
            shutil.copy2(source, copy)
    patterns = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['mutmut']['only_mutate']
    for path in (WORK / 'aiida_inversedesign').rglob('*.py'):
        if any(fnmatch(path.relative_to(WORK).as_posix(), pattern) for pattern in patterns):
            path.write_text(undecorated(path.read_text()))


def outcomes() -> dict[str, dict[str, str]]:
    """What became of each mutant, by module."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((WORK / 'mutants').rglob('*.py.meta')):
        codes = json.loads(path.read_text())['exit_code_by_key']
        if codes:
            module = path.relative_to(WORK / 'mutants').as_posix().removesuffix('.meta')
            found[module] = {name: OUTCOMES.get(code, f'exit {code}') for name, code in codes.items()}
    return found


def table(found: dict[str, dict[str, str]]) -> str:
    """Markdown: what became of the mutants of each module; those that ran out of time count as killed."""
    rows = ['| module | mutants | killed | of these by timeout | survived | other | killed |', '|---|' + '---:|' * 6]
    sums: Counter[str] = Counter()
    for module, names in [*found.items(), ('all', {})]:
        counts = Counter(names.values()) if names else sums
        sums += counts if names else Counter()
        total, dead = sum(counts.values()), counts['killed'] + counts['timeout']
        share = f'{100 * dead / total:.1f} %' if total else '–'
        rest = total - dead - counts['survived'] - counts['not run']
        rows.append(f'| {module} | {total} | {dead} | {counts["timeout"]} | {counts["survived"]} | {rest} | {share} |')
    return '\n'.join(rows)


def main() -> int:
    """Run mutmut, print the table and, on request, each survivor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', help='mutants to run, with wildcards; all by default')
    parser.add_argument('--fresh', action='store_true', help='forget what earlier runs found')
    parser.add_argument('--jobs', type=int, default=2, help='processes at once')
    parser.add_argument('--report', action='store_true', help='only print what the last run found')
    parser.add_argument('--show', action='store_true', help='print the change of each survivor')
    arguments = parser.parse_args()
    threads = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1')
    shared = os.environ.get('INVERSEDESIGN_SHARED', str(ROOT.parent / 'shared'))
    environment = {**os.environ, **threads, 'INVERSEDESIGN_NO_PROFILE': '1', 'INVERSEDESIGN_SHARED': shared}
    environment.pop('PYTHONPATH', None)
    mutmut = [sys.executable, '-m', 'mutmut']
    status = 0
    if not arguments.report:
        prepare(arguments.fresh)
        command = [*mutmut, 'run', '--max-children', str(arguments.jobs), *arguments.names]
        status = subprocess.run(command, cwd=WORK, env=environment, check=False).returncode
    found = outcomes()
    if arguments.show:
        for names in found.values():
            for name in [name for name, outcome in names.items() if outcome not in ('killed', 'timeout')]:
                print(names[name])
                sys.stdout.flush()
                subprocess.run([*mutmut, 'show', name], cwd=WORK, env=environment, check=False)
    print(table(found))
    return status


if __name__ == '__main__':
    sys.exit(main())
