"""The package of ``examples/plugin``, with a part of every kind, in a fresh environment of its own."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from fresh_environment import FreshEnvironment

from aiida_inversedesign.campaign.load import CampaignFileError, read_campaign

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / 'examples' / 'plugin'


def test_parts_that_are_not_installed_are_named() -> None:
    with pytest.raises(CampaignFileError) as caught:
        read_campaign(PLUGIN / 'campaign.yaml')
    text = str(caught.value)
    for name in ("engine 'stack_command'", "kind of space 'stacks'", "screen 'runs'", "surrogate 'nearest'"):
        assert f'there is no {name}' in text
    assert 'aiida_inversedesign.acquisitions' in text


def test_the_example_is_short() -> None:
    files = [path for pattern in ('*.py', '*.toml', '*.yaml') for path in PLUGIN.rglob(pattern)]
    assert len(files) == 8
    assert sum(len(path.read_text().splitlines()) for path in files) <= 200


@pytest.mark.slow
@pytest.mark.daemon
@pytest.mark.timeout(1800)
def test_a_campaign_of_foreign_parts_runs_through_the_daemon(tmp_path: Path) -> None:
    """Install package and plugin into a new environment, run, audit and verify."""
    environment = FreshEnvironment(tmp_path)
    run = environment.run

    def ours(*command: object) -> Any:
        return json.loads(run('aiida-inversedesign', '-p', 'plugin', *command, '--format', 'json'))

    environment.install(ROOT, PLUGIN)
    run('verdi', 'presto', '-p', 'plugin', '--use-zeromq', '-n')
    run(
        *('verdi', 'code', 'create', 'core.code.installed', '-n', '--label', 'expr', '--computer', 'localhost'),
        *('--default-calc-job-plugin', 'core.shell', '--filepath-executable', shutil.which('expr')),
    )
    plan = ours('check', PLUGIN / 'campaign.yaml')
    assert (plan['engine'], plan['propose']['method']) == ('stack_command', 'random_stacks')
    run('verdi', '-p', 'plugin', 'daemon', 'start', '2')
    try:
        said = run('aiida-inversedesign', '-p', 'plugin', 'launch', PLUGIN / 'campaign.yaml', '--daemon')
        pk = said.split('campaign ')[1].split(':')[0]
        deadline = time.monotonic() + 400
        while not (status := ours('status', pk))['ended']:
            assert time.monotonic() < deadline, status
            time.sleep(3)
    finally:
        run('verdi', '-p', 'plugin', 'daemon', 'stop')
    assert status['stop_reason'] == 'budget used up: 8 of 8 evaluations'
    figures = ours('audit', pk)
    assert figures['evaluations']['completed'] == 8
    assert figures['evaluations']['hits'] > 0
    assert figures['dft_calculations']['by_kind']['command'] == 8
    report = ours('verify', pk)
    assert report['different'] == report['findings'] == report['evaluations']['different'] == []
    assert report['identical'] == report['decisions'] > 6
    assert report['evaluations']['identical'] == 8
    run('aiida-inversedesign', '-p', 'plugin', 'report', pk, '-o', tmp_path / 'report.html')
    assert 'stack' in (tmp_path / 'report.html').read_text()


def test_a_part_that_leaves_out_a_method_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from aiida_inversedesign.campaign.contracts import registry

    point = EntryPoint('empty', 'aiida_inversedesign.campaign.contracts.screen:Screen', 'aiida_inversedesign.screens')
    monkeypatch.setattr(registry, '_points', lambda station: {'empty': point})
    registry.part.cache_clear()
    with pytest.raises(registry.PartError, match=r"the screen 'empty' .* needs the method judge"):
        registry.part('screens', 'empty')
    registry.part.cache_clear()
