"""The package as a whole: entry points, imports, and the pure core's independence of AiiDA."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import aiida_inversedesign

ROOT = Path(aiida_inversedesign.__file__).parent

#: Packages of the pure core, and pure modules elsewhere.
PURE_PACKAGES = ('chemistry', 'campaign', 'spaces', 'libraries', 'learn', 'select', 'screen', 'propose')
PURE = [
    '.'.join(('aiida_inversedesign', *path.relative_to(ROOT).with_suffix('').parts))
    for path in sorted(ROOT.rglob('*.py'))
    if path.relative_to(ROOT).parts[0] in PURE_PACKAGES and path.name != '__init__.py'
]
PURE += [
    'aiida_inversedesign.audit.metrics',
    'aiida_inversedesign.nodes.parquet',
    'aiida_inversedesign.engines.common.eos',
    'aiida_inversedesign.decisions.run_propose',
    'aiida_inversedesign.decisions.run_fit',
]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)


def test_every_entry_point_of_aiida_starts_with_inversedesign_and_loads() -> None:
    found = [
        point
        for group in ('aiida.data', 'aiida.calculations', 'aiida.parsers', 'aiida.workflows', 'aiida.cmdline.data')
        for point in entry_points(group=group)
        if point.value.startswith('aiida_inversedesign')
    ]
    assert len(found) >= 17
    for point in found:
        assert point.name.split('.')[0] == 'inversedesign'
        assert point.load() is not None


def test_importing_the_package_is_fast_and_needs_no_aiida() -> None:
    started = time.perf_counter()
    result = run('import sys, aiida_inversedesign; print("aiida" in sys.modules, "numpy" in sys.modules)')
    assert result.stdout.split() == ['False', 'False'], result.stderr
    assert time.perf_counter() - started < 2  # an interpreter alone takes some tenths; the machine may be busy


def test_the_pure_core_imports_no_aiida() -> None:
    assert len(PURE) > 25
    modules = ', '.join(repr(name) for name in PURE)
    result = run(
        'import importlib, sys\n'
        f'for name in ({modules}):\n'
        '    importlib.import_module(name)\n'
        '    assert "aiida" not in sys.modules, name\n'
    )
    assert result.returncode == 0, result.stderr


def test_the_help_lists_every_command_without_loading_aiida() -> None:
    result = run(
        'import sys\n'
        'from click.testing import CliRunner\n'
        'from aiida_inversedesign.cli import cli\n'
        'print(CliRunner().invoke(cli, ["--help"]).output)\n'
        'assert "aiida" not in sys.modules and "pydantic" not in sys.modules\n'
    )
    assert result.returncode == 0, result.stderr
    for command in ('demo', 'doctor', 'schema', 'check', 'launch', 'resume', 'status', 'audit', 'library', 'cspml'):
        assert f'  {command} ' in result.stdout


@pytest.mark.parametrize('path', sorted(ROOT.rglob('*.py')), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    import ast

    assert ast.get_docstring(ast.parse(path.read_text(encoding='utf-8')))
