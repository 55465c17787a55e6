"""The competition: the better model wins, the record says why, and nothing depends on what was fitted before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from coverage_of import calibration

from aiida_inversedesign.campaign.contracts.surrogate import Setting
from aiida_inversedesign.learn import choice
from aiida_inversedesign.learn.calibrate import deviation_factor
from aiida_inversedesign.learn.choice import decisive_rows, fit_chosen
from aiida_inversedesign.learn.models.gp import GaussianProcess
from aiida_inversedesign.learn.models.mixture import mixed
from aiida_inversedesign.learn.models.plain import RowsRegressor
from aiida_inversedesign.learn.models.transfer import fit_transfer, learn_prior
from aiida_inversedesign.learn.regressor import RegressorError


def smooth(n: int, seed: int = 0):
    X = np.random.default_rng(seed).normal(size=(n, 5))
    return X, np.sin(X[:, 0]) + 0.4 * X[:, 1]


def jumping(n: int, seed: int = 0):
    X = np.random.default_rng(seed).normal(size=(n, 20))
    return X, 5.0 * (X[:, 3] > 0.2) + 3.0 * (X[:, 7] > 0) * (X[:, 3] < 0.2)


def test_each_kind_of_data_finds_its_model():
    model, record = fit_chosen(*smooth(60))
    assert model.kind == 'gp'
    assert record['chosen'].startswith('gp/')
    assert set(record['candidates']) == {'gp/iso', 'gp/ard', 'forest', 'bootstrap'}
    _, record = fit_chosen(*jumping(100))
    assert max(record['weights'], key=record['weights'].get) == 'forest'
    assert record['reason'].startswith('weights by how likely left-out rows are: ')
    assert record['later_rows'] == 45
    scores = {name: entry['score'] for name, entry in record['candidates'].items()}
    assert max(scores, key=scores.get) == 'forest'


def test_related_data_compete_and_win():
    Z, z = smooth(400, seed=9)
    prior = learn_prior('same', Z, z)
    X, y = smooth(15)
    model, record = fit_chosen(X, y, 'auto', Setting(priors=(prior,)))
    assert max(record['weights'], key=record['weights'].get) == 'transfer'
    test, values = smooth(200, seed=3)
    alone, _ = fit_chosen(X, y)
    errors = [np.abs(found.predict(test)[0] - values).mean() for found in (model, alone)]
    assert errors[0] < 0.7 * errors[1]
    assert record['candidates']['transfer']['mae'] < record['candidates']['gp/iso']['mae']


def test_a_mixed_kernel_competes_where_there_is_composition():
    mask = np.array([True, True, True, False, False])
    _, record = fit_chosen(*smooth(20), 'gp', Setting(composition=mask))
    assert set(record['candidates']) == {'gp/iso', 'gp/ard', 'gp/mixed'}
    _, record = fit_chosen(*smooth(20), 'gp', Setting(composition=np.ones(5, bool)))
    assert set(record['candidates']) == {'gp/iso', 'gp/ard'}


@pytest.mark.parametrize('kind', ['gp', 'forest', 'bootstrap'])
def test_one_kind_can_be_asked_for(kind):
    model, record = fit_chosen(*smooth(20), kind)
    assert model.kind == kind
    assert all(name.split('/')[0] == kind for name in record['candidates'])


def test_too_few_or_equal_rows_decide_nothing():
    model, record = fit_chosen(*smooth(6))
    assert (model.kind, record['chosen'], record['candidates']) == ('gp', 'gp/iso', {})
    assert record['reason'] == '6 row(s) decide nothing, 10 would'
    X, _ = smooth(30)
    _, record = fit_chosen(X, np.ones(30))
    assert record['reason'] == 'all values are equal'


@pytest.mark.parametrize('kind', ['auto', 'gp', 'forest', 'bootstrap'])
def test_values_that_were_equal_at_first_are_no_problem(kind):
    X, y = smooth(30)
    y[:25] = 3.0
    model, record = fit_chosen(X, y, kind)
    assert np.isfinite(model.predict(X)[1]).all()
    assert record['chosen']


def test_the_competition_is_held_on_a_ladder_and_does_not_depend_on_memory(monkeypatch):
    assert [decisive_rows(n) for n in (9, 10, 11, 12, 13, 14, 100, 103, 500)] == [0, 10, 10, 12, 12, 12, 90, 90, 461]
    X, y = smooth(24)
    held = []
    compete = choice._compete
    monkeypatch.setattr(choice, '_compete', lambda *args: held.append(1) or compete(*args))
    monkeypatch.setattr(choice, '_memory', type(choice._memory)())
    for n in (21, 22, 23, 24):
        model, record = fit_chosen(X[:n], y[:n])
        assert record['n'] == 21
    assert len(held) == 1
    monkeypatch.setattr(choice, '_memory', type(choice._memory)())
    again, same = fit_chosen(X, y)
    assert same == record
    assert np.array_equal(again.predict(X)[1], model.predict(X)[1])


@pytest.mark.parametrize('make', [smooth, jumping])
def test_intervals_of_the_chosen_model_hold(make):
    covered = []
    for seed in range(4):
        model, _ = fit_chosen(*make(50, seed), 'auto', Setting(seed=seed))
        test, values = make(400, seed + 100)
        covered.append(calibration(values, *model.predict(test)).coverage['80'])
    assert 0.68 <= np.mean(covered) <= 0.94


@pytest.mark.parametrize('kind', ['auto', 'gp', 'forest'])
def test_the_width_of_a_model_of_many_rows_is_that_of_its_left_out_rows(kind, monkeypatch):
    monkeypatch.setattr(choice, '_MOST_ROWS', 30)
    X, y = smooth(150)
    y = y + np.random.default_rng(5).normal(size=150) * 0.3
    # factors of a competition that are far off
    compete = choice._compete
    monkeypatch.setattr(choice, '_memory', type(choice._memory)())
    monkeypatch.setattr(choice, '_compete', lambda *args: _narrowed(compete(*args), 0.6))
    test, values = smooth(1000, 7)
    values = values + np.random.default_rng(8).normal(size=1000) * 0.3
    model, record = fit_chosen(X, y, kind)
    assert (record['n'], record['left_out']['n']) == (30, 150)
    held = calibration(values, *model.predict(test)).coverage['80']
    assert 0.7 <= held <= 0.9
    # the thirty rows of the competition keep a twenty-fifth of the say
    competed = next(iter(choice._memory.values()))
    parts = zip(getattr(model, 'parts', (model,)), competed['factors'].values(), strict=True)
    before = [part.with_factor(factor).left_out() for part, factor in parts]
    mean, deviation = mixed(np.array(list(record['weights'].values())), before)
    asked = deviation_factor((y - mean) / deviation)
    assert record['left_out']['factor'] == pytest.approx(asked**0.96)
    assert record['factors'] == {name: f * record['left_out']['factor'] for name, f in competed['factors'].items()}
    assert 'left_out' not in competed
    again, same = fit_chosen(X, y, kind)
    assert same == record
    assert np.array_equal(again.predict(test)[1], model.predict(test)[1])


def _narrowed(record, factor):
    return {**record, 'factors': {name: factor * own for name, own in record['factors'].items()}}


def test_a_transfer_leaves_rows_out_of_what_its_priors_do_not_say():
    X, y = smooth(20)
    model = fit_transfer(X, y, (learn_prior('same', *smooth(60, seed=9)),)).with_factor(1.4)
    means, deviations = model.left_out()
    process, rest = model.process, np.arange(20) != 6
    fixed = (process.offset, process.scale, process.kernel, process.noise, process.mean)
    without = GaussianProcess.assemble(process.X[rest], process.y[rest], *fixed).with_factor(1.4)
    mean, deviation = replace(model, process=without).predict(X[[6]])
    assert (means[6], deviations[6]) == pytest.approx((mean[0], deviation[0]))


class Nearest(RowsRegressor):
    kind = 'nearest'

    def predict(self, X):
        return np.zeros(len(X)), np.ones(len(X))


def test_a_model_that_cannot_leave_out_rows_keeps_the_factor_of_the_competition():
    parts, record = [Nearest(*smooth(60))], {'n': 30, 'factors': {'nearest': 1.5}}
    assert choice._widened(parts, np.ones(1), parts[0].y, record) == (parts, record)


def test_mostly_equal_values_are_a_case_for_a_hurdle():
    X, y = smooth(30)
    model, record = fit_chosen(X, np.where(np.arange(30) < 18, 3.0, y))
    assert (model.kind, record['reason']) == ('hurdle', '60% of the values are exactly 3')
    assert fit_chosen(X, np.where(np.arange(30) < 10, 3.0, y))[0].kind != 'hurdle'
    assert fit_chosen(X, np.where(np.arange(30) < 18, 3.0, y), 'gp')[0].kind == 'gp'
    with pytest.raises(RegressorError, match='at least half of the rows'):
        fit_chosen(X, y, 'hurdle')


def test_bad_requests():
    with pytest.raises(
        RegressorError, match=r"no surrogate 'oracle'.*nstalled are bootstrap, curves, forest, gp, hurdle"
    ):
        fit_chosen(*smooth(12), 'oracle')
    with pytest.raises(RegressorError, match='needs other data'):
        fit_chosen(*smooth(12), 'transfer')
    with pytest.raises(RegressorError, match='no rows'):
        fit_chosen(np.empty((0, 3)), np.empty(0))
