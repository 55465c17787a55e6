"""Engines in the campaign file: those of any installed package, and those that are not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from aiida_inversedesign.campaign.contracts.engine import Engine, engine_named, installed, wrong_with
from aiida_inversedesign.campaign.contracts.job_kinds import job_kind
from aiida_inversedesign.campaign.contracts.registry import PartError
from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.load import CampaignFileError, validate_campaign
from aiida_inversedesign.cli.checks.plan import plan

#: An engine of another package, complete.
PACKAGE = """
from typing import Literal
from aiida_inversedesign.campaign.contracts.engine import Engine
from aiida_inversedesign.campaign.engine_settings import EngineSection

class Section(EngineSection):
    engine: Literal['scales']
    resolution: float = 0.1

class Scales(Engine):
    name, section, workchain = 'scales', Section, 'scales.evaluate'

    def properties(self, section):
        return frozenset({'density'})

ENGINE = Scales()
"""
FILE = """
name: weighed
goal: {objectives: [{property: PROPERTY, maximize: true}]}
space: {elements: [Cu, Au], ratios: ['1:1']}
evaluate: {engine: scales, KEY: 0.5}
budget: {evaluations: 4, dft_calculations: 9}
"""


def campaign(evaluate: dict[str, Any], **budget: Any) -> Any:
    return validate_campaign(
        {
            'name': 'x',
            'goal': {'objectives': [{'property': 'volume', 'minimize': True}]},
            'space': {'elements': ['Cu'], 'ratios': ['1']},
            'evaluate': evaluate,
            'budget': {'evaluations': 2, **budget},
        }
    )


def check(folder: Path, name: str = 'density', key: str = 'resolution') -> Any:
    """``check`` in a process that sees the package, without installing it anywhere."""
    (folder / 'scales_engine.py').write_text(PACKAGE)
    info = folder / 'scales_engine-1.0.dist-info'
    info.mkdir(exist_ok=True)
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: scales-engine\nVersion: 1.0\n')
    (info / 'entry_points.txt').write_text('[aiida_inversedesign.engines]\nscales = scales_engine:ENGINE\n')
    file = folder / 'campaign.yaml'
    file.write_text(FILE.replace('PROPERTY', name).replace('KEY', key))
    command = [sys.executable, '-m', 'aiida_inversedesign.cli', 'check', '--offline', str(file)]
    environment = {**os.environ, 'PYTHONPATH': str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_an_engine_of_another_package_is_checked_with_its_own_keys(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'scales, no DFT calculations each' in done.stdout
    assert 'budget.dft_calculations has no effect' in done.stdout
    assert 'unknown key; did you mean' in (wrong := check(tmp_path, key='resolutoin').stderr)
    assert "did you mean 'resolution'?" in wrong
    assert 'the engine scales does not compute it: ase, quantumespresso do' in check(tmp_path, 'bulk_modulus').stderr


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('vasp', "no engine 'vasp' is installed, and no package is known that brings one"),
        ('quantumespreso', "did you mean 'quantumespresso'?"),
        ('zzz', "there is no engine 'zzz': installed are ase, external, quantumespresso, table"),
    ],
)
def test_an_engine_that_is_not_installed(name: str, words: str) -> None:
    with pytest.raises(CampaignFileError) as caught:
        campaign({'engine': name})
    assert words in str(caught.value)
    with pytest.raises(PartError):
        engine_named(name)


def test_what_is_not_an_engine_is_said() -> None:
    class Section(EngineSection):
        engine: Literal['other']

    class Other(Engine):
        name, section = 'mine', Section

    assert 'is not an instance' in wrong_with('mine', Other)
    assert "its name is 'mine'" in wrong_with('yours', Other())
    assert "`engine: Literal['mine']`" in wrong_with('mine', Other())


@pytest.mark.parametrize('name', ['ase', 'table'])
def test_a_limit_on_dft_calculations_that_nothing_is_charged_to_is_a_remark(name: str) -> None:
    """A file that names one stays valid, and all evaluations fit into it."""
    settings = {'ase': {'code': 'python@localhost'}, 'table': {'data': 'answers'}}[name]
    found = plan(campaign({'engine': name, **settings}, dft_calculations=1), checked_profile=False)
    (remark,) = found['remarks']
    assert remark.startswith(
        f'budget.dft_calculations has no effect: the engine {name} makes no DFT calculations; limit'
    )
    assert (found['dft_calculations_per_evaluation'], found['evaluations_at_most']) == (0, 2)


def test_every_kind_of_job_is_known_once_by_its_path() -> None:
    ase = 'aiida.calculations:inversedesign.ase'
    assert [getattr(job_kind(ase, path), 'name', None) for path in (['prerelax'], ['relax'])] == ['prerelax', 'ase']
    assert job_kind('aiida.calculations:other.code', ['relax']) is None
    # what is measured elsewhere has no jobs
    without = {name for name, engine in installed().items() if not engine.job_kinds}
    assert without == {'external'}
    assert all(engine.workchain for engine in installed().values())


def test_an_engine_of_crystals_is_refused_for_other_spaces() -> None:
    data = campaign({'engine': 'ase', 'code': 'python@localhost'}).model_dump(mode='json')
    points = {'kind': 'parameters', 'variables': {'x': {'min': 0, 'max': 1}}}
    del data['propose']
    with pytest.raises(
        CampaignFileError,
        match='evaluates crystals or molecules, and the space has parameters: write external or table',
    ):
        validate_campaign(data | {'space': points})
