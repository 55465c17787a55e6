"""Which code took a decision: the digest follows what decides, and nothing else."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiida_inversedesign
from aiida_inversedesign.campaign.environment import LIBRARIES, OUTSIDE, difference, environment, source_digest

PACKAGE = Path(aiida_inversedesign.__file__).parent


def make_package(folder: Path) -> Path:
    """A package with code, a table, and files that decide nothing."""
    for name in ('learn/fit.py', 'chemistry/radii.csv', 'audit/figures.py', 'cli/show.py', 'learn/__pycache__/fit.pyc'):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'content of {name}')
    return folder


def test_the_digest_follows_code_and_tables(tmp_path: Path) -> None:
    first = source_digest(make_package(tmp_path / 'one'))
    package = make_package(tmp_path / 'other')
    assert source_digest(package) == first
    for name in ('audit/figures.py', 'cli/show.py', 'learn/__pycache__/fit.pyc'):
        (package / name).write_text('changed')
    assert source_digest(package) == first
    digests = {first}
    for name in ('learn/fit.py', 'chemistry/radii.csv'):
        (package / name).write_text('changed')
        digests.add(source_digest(package))
    (package / 'learn/fit.py').rename(package / 'learn/moved.py')
    digests.add(source_digest(package))
    assert len(digests) == 4


def test_the_environment_here_is_told_and_can_be_altered_by_nobody() -> None:
    here = environment()
    assert len(here['code']) == 16
    assert set(here['libraries']) == {'python', *LIBRARIES}
    here['libraries']['numpy'] = '0'
    assert environment()['libraries']['numpy'] != '0'


def test_only_what_both_know_is_compared() -> None:
    here = {'code': 'b', 'libraries': {'numpy': '2.4', 'scipy': '1.17'}}
    assert difference(here, here) == difference({}, here) == difference(here, {}) == []
    assert difference({'libraries': {'gone': '1'}}, here) == []
    other = {'code': 'a', 'libraries': {'numpy': '1.26', 'scipy': '1.17'}}
    assert difference(other, here) == [
        'code of aiida-inversedesign with digest a (here b)',
        'numpy 1.26 (here 2.4)',
    ]


def imported(module: str) -> Iterator[str]:
    """Modules of this package that one of them imports, within functions too, and the packages around them."""
    path = PACKAGE.parent / module.replace('.', '/')
    file = path / '__init__.py' if path.is_dir() else path.with_suffix('.py')
    if not file.exists():
        return  # a name in a module
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f'{node.module}.{alias.name}' for alias in node.names)]
        yield from (name for name in names if name.split('.')[0] == 'aiida_inversedesign')


def test_all_that_the_loop_imports_is_in_the_digest() -> None:
    """Engines are found by their entry points, decisions run as programs on other computers."""
    starts = [file for name in ('workchains', 'engines', 'decisions') for file in (PACKAGE / name).rglob('*.py')]
    waiting = [file.relative_to(PACKAGE.parent).with_suffix('').as_posix().replace('/', '.') for file in starts]
    found: dict[str, str] = dict.fromkeys(waiting, 'the loop')
    while waiting:
        module = waiting.pop()
        for name in imported(module):
            if name not in found:
                found[name] = module
                waiting.append(name)
    assert 'aiida_inversedesign.learn.surrogate' in found
    outside = {name.removesuffix('.py') for name in OUTSIDE}
    assert {name: by for name, by in found.items() if outside & set(name.split('.')[1:2])} == {}


def test_packages_that_bring_parts_are_recorded(tmp_path: Path) -> None:
    info = tmp_path / 'their_parts-1.5.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: their-parts\nVersion: 1.5\n')
    (info / 'entry_points.txt').write_text('[aiida_inversedesign.acquisitions]\ngreedy = their_parts:Greedy\n')
    command = 'import json; from aiida_inversedesign.campaign.environment import *; print(json.dumps(environment()))'
    paths = os.pathsep.join([str(tmp_path), str(PACKAGE.parent)])
    found = subprocess.run(
        [sys.executable, '-c', command], env={**os.environ, 'PYTHONPATH': paths}, capture_output=True, check=True
    )
    assert json.loads(found.stdout)['libraries']['their-parts'] == '1.5'
