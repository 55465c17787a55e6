"""The posterior as a calculation: inputs hold all, ``verify`` samples it again, bad input ends with a message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory
from ase.eos import vinet
from click.testing import CliRunner

from aiida_inversedesign.cli import cli
from aiida_inversedesign.engines.common.eos import GPA, volume_factors
from aiida_inversedesign.verify.replay import run_again, run_alone


def run(data: orm.Data, model: str = 'vinet', **changes: Any) -> orm.CalcFunctionNode:
    inputs = {'seed': orm.Int(3), 'walkers': orm.Int(14), 'steps': orm.Int(100), **changes}
    return run_get_node(CalculationFactory('inversedesign.infer'), model=orm.Str(model), data=data, **inputs)[1]


@pytest.fixture(scope='module')
def state(aiida_profile: Any) -> orm.Dict:
    """As the output ``equation_of_state`` of an evaluation."""
    volumes = 10 * np.array(volume_factors(7, 0.06))
    noise = 1e-4 * np.random.default_rng(0).standard_normal(7)
    return orm.Dict({'volumes': list(volumes), 'energies': list(vinet(volumes, -5, 200 / GPA, 4, 10) + noise)})


@pytest.fixture(scope='module')
def inferred(state: orm.Dict) -> orm.CalcFunctionNode:
    return run(state)


def test_it_says_what_it_found_and_whether_to_believe_it(inferred: orm.CalcFunctionNode) -> None:
    assert inferred.is_finished_ok, inferred.exit_message
    summary = inferred.outputs.summary.get_dict()
    assert summary['parameters']['B0']['unit'] == 'GPa'
    assert summary['parameters']['B0']['mean'] == pytest.approx(200, abs=4)
    assert summary['samples'] == 4 * 14 * 100
    assert summary['converged'] is False
    assert '100 steps are fewer than 50 autocorrelation times' in summary['problems'][-1]
    assert inferred.outputs.samples.get_array('B0').shape == (4000,)
    assert set(inferred.outputs.samples.get_arraynames()) == {'E0', 'B0', 'B0_prime', 'V0', 'noise'}


def test_verify_samples_it_again_and_compares(inferred: orm.CalcFunctionNode) -> None:
    replay = run_again(inferred.pk)
    assert (replay.status, replay.message) == ('identical', '')
    result = CliRunner().invoke(cli, ['verify', str(inferred.pk)])
    assert result.exit_code == 0, result.output
    assert f'infer_model <{inferred.pk}> run again: identical' in result.output
    assert run_alone(str(inferred.inputs.data.pk)) is None
    assert run_alone('nothing') is None


def test_what_does_not_follow_from_the_inputs_is_found(state: orm.Dict, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiida_inversedesign.learn.physics import infer

    with monkeypatch.context() as patch:
        patch.setattr(infer, '_MOVES', ((0.7, 1.0),))
        forged = run(state)
    replay = run_again(forged.pk)
    assert replay.status == 'different'
    assert CliRunner().invoke(cli, ['verify', str(forged.pk)]).exit_code == 1
    # with another version of what computes nothing can be said
    forged.outputs.record.base.attributes._backend_node.set_attribute('code', 'older')
    assert run_again(forged.pk).status == 'not_repeatable'


def test_priors_and_errors_are_inputs(state: orm.Dict) -> None:
    priors = orm.Dict({'B0': {'normal': [210.0, 0.001]}})
    data = orm.ArrayData(
        {name: np.array(state[name]) for name in ('volumes', 'energies')} | {'error': np.full(7, 1e-4)}
    )
    node = run(data, priors=priors)
    assert node.is_finished_ok, node.exit_message
    parameters = node.outputs.summary['parameters']
    assert parameters['B0']['mean'] == pytest.approx(210, abs=0.01)
    assert 'noise' not in parameters


@pytest.mark.parametrize(
    ('data', 'changes', 'words'),
    [
        ({'volumes': [1.0, 2.0]}, {}, "the data of 'vinet' need volumes and energies, energies is missing"),
        ({'volumes': ['a', 'b'], 'energies': [1, 2]}, {}, 'volumes and energies must be lists of numbers'),
        ({'volumes': [1, 2, 3, 4, 5], 'energies': [1, 2, 3, 4, 5]}, {}, '5 point(s) are too few for the 4 parameters'),
        ({'volumes': [1.0], 'energies': [1.0]}, {'model': 'vinnet'}, "there is no physical model 'vinnet'"),
        ({'volumes': [1.0], 'energies': [1.0]}, {'walkers': orm.Int}, 'walkers are too few'),
    ],
)
def test_bad_input_ends_with_a_message(data: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    if 'walkers' in changes:
        data = {name: [float(n) for n in range(1, 9)] for name in data}
        changes = {'walkers': orm.Int(3)}
    node = run(orm.Dict(data), **changes)
    assert node.exit_status == 300
    assert words in node.exit_message
