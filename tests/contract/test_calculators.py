"""ASE calculators that are set up with a code and named in campaign files by a short name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from click.testing import CliRunner
from pydantic import ValidationError

from aiida_inversedesign.cli import cli
from aiida_inversedesign.engines.ase.calculators import CalculatorError, add_calculator, calculators_of, port
from aiida_inversedesign.engines.ase.settings import Ase

MODULE = """
from ase.calculators.emt import EMT

class Shifted(EMT):
    def __init__(self, shift=0.0):
        super().__init__()
        self.shift = shift

    def get_potential_energy(self, *arguments, **options):
        return super().get_potential_energy(*arguments, **options) + self.shift * len(self.atoms)
"""


@pytest.fixture
def code(aiida_profile_clean: Any, aiida_code_installed: Any, tmp_path: Path) -> Any:
    """A Python that finds a module with a calculator of its own."""
    (tmp_path / 'my_potentials.py').write_text(MODULE)
    text = f'export PYTHONPATH={tmp_path}'
    return aiida_code_installed(label='python', filepath_executable=sys.executable, prepend_text=text)


def evaluate(structure: Any, code: Any, shift: float = 0.0, **settings: Any) -> tuple[Any, Any]:
    section = Ase(engine='ase', code=code.full_label, arguments={'shift': shift} if shift else {}, **settings)
    return run_get_node(
        WorkflowFactory('inversedesign.evaluate.ase'),
        candidate=structure,
        properties=orm.List(['energy']),
        settings=orm.Dict(section.model_dump(mode='json')),
        engine={'code': code, **port('calculator', section, code)},
    )


@pytest.mark.parametrize('path', ['my_potentials:Shifted', 'my_potentials.Shifted'])
def test_it_computes(structure: Any, code: Any, path: str) -> None:
    add_calculator(code, 'shifted', path)
    plain, _ = evaluate(structure, code, calculator='emt')
    results, node = evaluate(structure, code, 2.5, calculator='shifted')
    assert node.is_finished_ok, node.exit_message
    energy = results['properties']['energy']['value']
    assert energy == pytest.approx(plain['properties']['energy']['value'] + 2.5, abs=1e-4)
    (job,) = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    assert job.inputs.importable.value == path


def test_one_that_cannot_be_imported_is_named(structure: Any, code: Any) -> None:
    add_calculator(code, 'absent', 'no_such_package:Calculator')
    _, node = evaluate(structure, code, calculator='absent')
    assert "the ASE calculator 'absent' cannot be used here: ModuleNotFoundError" in node.exit_message


@pytest.mark.parametrize('name', ['mace.calculators:mace_mp', 'os.system', 'a b', ''])
def test_a_campaign_file_names_no_import_path(name: str) -> None:
    with pytest.raises(ValidationError):
        Ase(engine='ase', code='python@localhost', calculator=name)


@pytest.mark.parametrize(('name', 'path'), [('m', 'no path'), ('m', 'os'), ('a.b', 'os:path'), ('m', 'os:path()')])
def test_what_is_not_an_import_path_is_refused(code: Any, name: str, path: str) -> None:
    with pytest.raises(CalculatorError):
        add_calculator(code, name, path)
    assert calculators_of(code) == {}


def test_the_command(code: Any) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ['calculators', *arguments])

    label = code.full_label
    assert run('list', label).output == 'none\n'
    assert 'calculator: mace' in run('add', label, 'mace', 'mace.calculators:mace_mp').output
    assert run('list', label).output == 'mace  mace.calculators:mace_mp\n'
    assert "has no calculator 'other'; it has mace" in run('remove', label, 'other').output
    assert run('remove', label, 'mace').exit_code == 0
    assert calculators_of(orm.load_code(label)) == {}
    assert 'does not name one code' in run('list', 'nothing').output


def test_a_campaign_is_given_the_import_path_by_its_code(code: Any) -> None:
    from aiida_inversedesign.campaign.load import validate_campaign
    from aiida_inversedesign.workchains.build import build_campaign

    add_calculator(code, 'shifted', 'my_potentials:Shifted')
    data = {
        'name': 'shifted',
        'goal': {'objectives': [{'property': 'volume', 'minimize': True}]},
        'space': {'elements': ['Cu', 'Au'], 'ratios': ['1:1']},
        'propose': {'method': 'random'},
        'evaluate': {'engine': 'ase', 'code': code.full_label, 'calculator': 'shifted'},
        'budget': {'evaluations': 2},
    }
    assert build_campaign(validate_campaign(data)).engine['calculator'].value == 'my_potentials:Shifted'
    data['evaluate'] = {**data['evaluate'], 'calculator': 'emt'}
    assert 'calculator' not in build_campaign(validate_campaign(data)).engine
