"""Numbers of curves learned from the whole curves: closed form against draws, states, further rows, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from aiida_inversedesign.campaign.contracts.surrogate import CurveRows, Setting, surrogate_kind
from aiida_inversedesign.campaign.curves.curve import Axis, Curve
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.learn.curves.rows import in_words
from aiida_inversedesign.learn.fit import fit_on_features
from aiida_inversedesign.learn.models.curve_numbers import CurveNumber, Reading
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state
from aiida_inversedesign.learn.surrogate import SurrogateError

GRID = np.linspace(0.0, 10.0, 61)
AXIS = Axis('energy', 'eV')
WANTED = Curve('wanted', '', AXIS, GRID, np.exp(-0.5 * (GRID - 4) ** 2))
FUNCTIONALS = {
    'mean': Functional.of('mean', range=(2.0, 6.0)),
    'first_moment': Functional.of('first_moment', range=(1.0, 9.0)),
    'width': Functional.of('width'),
    'earth_mover': Functional.of('distance', target=WANTED, metric='earth_mover'),
    'L1': Functional.of('distance', target=WANTED),
    'peak': Functional.of('peak'),
}


def hills(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of which the first moves a hill, and the second makes it wider."""
    X = np.random.default_rng(seed).normal(size=(n, 3))
    place, width = 5 + 1.5 * np.tanh(X[:, 0]), 0.8 + 0.2 * np.tanh(X[:, 1])
    return X, np.exp(-0.5 * ((GRID - place[:, None]) / width[:, None]) ** 2)


def fitted(name: str, n: int = 40, kind: str = 'krfd') -> tuple[CurveNumber, Setting]:
    X, Y = hills(n)
    functional = FUNCTIONALS[name]
    setting = Setting(3, curves=CurveRows(AXIS, GRID, Y, functional, kind))
    return surrogate_kind('curves').fit(X, functional.of_rows(GRID, Y, AXIS), setting), setting


@pytest.mark.parametrize('name', list(FUNCTIONALS))
def test_what_is_learned_gives_the_number_back(name: str) -> None:
    _, Y = hills(20)
    functional = FUNCTIONALS[name]
    reading = Reading.of(CurveRows(AXIS, GRID, Y, functional))
    learned, truth = reading.learned(GRID, Y), functional.of_rows(GRID, Y, AXIS)
    # a cumulative share is a parabola between points, of which lines are made
    assert reading.numbers(learned) == pytest.approx(truth, abs=5e-3 if reading.is_share else 1e-9)
    weights = reading.weights()
    assert (weights is not None) == (name in ('mean', 'first_moment'))
    if weights is not None:
        assert learned @ weights[0] + weights[1] == pytest.approx(reading.numbers(learned), abs=1e-9)


@pytest.mark.parametrize('name', list(FUNCTIONALS))
def test_numbers_of_new_curves_are_predicted(name: str) -> None:
    model, setting = fitted(name)
    X, Y = hills(60, 1)
    truth = FUNCTIONALS[name].of_rows(GRID, Y, AXIS)
    mean, deviation = model.predict(X)
    assert np.abs(mean - truth).mean() < 0.5 * np.abs(truth - truth.mean()).mean()
    assert (deviation > 0).all()
    # of a candidate alone it says the same
    assert model.predict(X[[7]])[0] == pytest.approx(mean[[7]], rel=1e-12)
    again = regressor_from_state(json.loads(json.dumps(model.with_factor(1.3).state())))
    assert again.predict(X)[0] == pytest.approx(mean, rel=1e-9)
    assert again.predict(X)[1] == pytest.approx(1.3 * deviation, rel=1e-9)
    drawn = model.sample(X[:5], 300, 1)
    assert drawn.mean(axis=0) == pytest.approx(mean[:5], abs=4 * deviation[:5].max() / 17)
    assert setting.curves is not None


def test_closed_form_and_draws_agree() -> None:
    X, Y = hills(40)
    # below zero nothing is cut
    curves = CurveRows(AXIS, GRID, Y - 3, FUNCTIONALS['mean'], 'krfd')
    model = surrogate_kind('curves').fit(X, FUNCTIONALS['mean'].of_rows(GRID, Y - 3, AXIS), Setting(3, curves=curves))
    new, _ = hills(30, 1)
    mean, deviation = model.predict(new)
    drawn = model.model.draw_each(new, 4000, 5)
    numbers = model.reading.numbers(drawn.reshape(-1, drawn.shape[2])).reshape(drawn.shape[:2])
    targets = model.line[0] + model.line[1] * numbers
    assert targets.mean(axis=0) == pytest.approx(mean, abs=0.1 * deviation.max())
    assert targets.std(axis=0) == pytest.approx(deviation, rel=0.1)


@pytest.mark.parametrize('kind', ['krfd', 'pointwise', 'fpca', 'linear', 'auto'])
def test_targets_may_be_counted_otherwise_and_further_rows_are_learned(kind: str) -> None:
    model, setting = fitted('first_moment', 16, kind)
    X, Y = hills(16)
    functional = FUNCTIONALS['first_moment']
    y = functional.of_rows(GRID, Y, AXIS)
    other = surrogate_kind('curves').fit(X, (y - 0.7) / 2.5, setting.at(slice(None), 2.5, 0.7))
    new, found = hills(60, 1)
    assert other.predict(new)[0] * 2.5 + 0.7 == pytest.approx(model.predict(new)[0], abs=1e-6)
    assert other.predict(new)[1] * 2.5 == pytest.approx(model.predict(new)[1], rel=1e-6)
    assert setting.curves is not None
    curves = replace(setting.curves, values=np.vstack([Y, found[:30]]))
    numbers = functional.of_rows(GRID, found, AXIS)
    updated = model.with_rows(np.vstack([X, new[:30]]), np.concatenate([y, numbers[:30]]), None, curves)
    errors = [np.abs(item.predict(new[30:])[0] - numbers[30:]).mean() for item in (model, updated)]
    assert errors[1] < errors[0]
    with pytest.raises(RegressorError, match='without their curves'):
        model.with_rows(X, y)


def test_auto_lets_curves_compete_and_a_surrogate_comes_back() -> None:
    X, Y = hills(30)
    functional = FUNCTIONALS['earth_mover']
    y = functional.of_rows(GRID, Y, AXIS)
    rows = {'d': CurveRows(AXIS, GRID, Y, functional)}
    surrogate = fit_on_features(X, {'d': y}, curves=rows)
    assert 'curves' in surrogate.record['d']['candidates']
    again = type(surrogate).from_state(json.loads(json.dumps(surrogate.state())))
    new, _ = hills(20, 1)
    inputs = surrogate.standardise(new)
    assert again.models['d'].predict(inputs)[0] == pytest.approx(surrogate.models['d'].predict(inputs)[0], rel=1e-9)


@pytest.mark.parametrize('kind', ['auto', 'curves'])
def test_rows_that_have_only_the_number_are_left_out_of_the_curves(kind: str) -> None:
    X, Y = hills(60)
    functional = FUNCTIONALS['first_moment']
    y = functional.of_rows(GRID, Y, AXIS)
    # as starting data: they come first
    given = Y.copy()
    given[:30] = np.nan
    surrogate = fit_on_features(X, {'d': y}, kind=kind, curves={'d': CurveRows(AXIS, GRID, given, functional)})
    record = surrogate.record['d']
    assert record['rows_without_curve'] == 30
    assert 'curves' in record['candidates']
    # of the later rows only those are predicted whose earlier rows had curves
    assert 0 < record['later_rows'] <= record['n'] // 2
    model = surrogate.models['d']
    assert model.X.shape == X.shape
    again = type(surrogate).from_state(json.loads(json.dumps(surrogate.state())))
    new, found = hills(40, 1)
    inputs, truth = surrogate.standardise(new), functional.of_rows(GRID, found, AXIS)
    mean, deviation = model.predict(inputs)
    assert again.models['d'].predict(inputs)[0] == pytest.approx(mean, rel=1e-9)
    assert np.abs(mean - truth).mean() < 0.4 * np.abs(truth - truth.mean()).mean()
    assert 0.6 <= (np.abs(mean - truth) <= 1.28 * deviation).mean() <= 0.98
    if kind == 'auto':
        return
    assert len(model.model.X) == 30
    # further rows without curves change line and calibration, never the curves
    more = CurveRows(AXIS, GRID, np.vstack([given, np.full_like(found, np.nan)]), functional)
    inputs_of_all = np.vstack([surrogate.standardise(X), inputs])
    updated = model.with_rows(inputs_of_all, np.concatenate([y, truth]), None, more)
    assert len(updated.X) == 100
    assert np.array_equal(updated.model.Y, model.model.Y)


def test_few_curves_are_not_learned() -> None:
    X, Y = hills(30)
    functional = FUNCTIONALS['mean']
    y = functional.of_rows(GRID, Y, AXIS)

    def rows(curves: int) -> dict[str, CurveRows]:
        values = np.full_like(Y, np.nan)
        values[len(Y) - curves :] = Y[len(Y) - curves :]
        return {'d': CurveRows(AXIS, GRID, values, functional)}

    for curves in (0, 2, 9):
        record = fit_on_features(X, {'d': y}, curves=rows(curves)).record['d']
        assert 'curves' not in record['candidates']
        assert record.get('rows_without_curve') == (30 - curves if curves else None)
    with pytest.raises(SurrogateError, match='at least 3 curves, and 2 of 30 rows have theirs'):
        fit_on_features(X, {'d': y}, kind='curves', curves=rows(2))
    # of 29 rows the first 25 decide, none of which has its curve
    late = {'d': rows(4)['d'].at(slice(1, None))}
    surrogate = fit_on_features(X[1:], {'d': y[1:]}, kind='curves', curves=late)
    assert surrogate.models['d'].kind == 'curves'
    assert '0 of 25 rows have theirs' in surrogate.record['d']['reason']


def test_what_cannot_be_learned_is_refused() -> None:
    kind = surrogate_kind('curves')
    X, Y = hills(10)
    with pytest.raises(RegressorError, match='not a number of one'):
        kind.fit(X, np.arange(10.0), Setting())
    same = CurveRows(AXIS, GRID, np.tile(Y[:1], (10, 1)), FUNCTIONALS['mean'])
    with pytest.raises(RegressorError, match='do not differ'):
        kind.fit(X, np.ones(10), Setting(curves=same))
    empty = CurveRows(AXIS, GRID, np.vstack([Y[:9], 0 * Y[:1]]), FUNCTIONALS['width'])
    with pytest.raises(RegressorError, match='has no area'):
        kind.fit(X, np.arange(10.0), Setting(curves=empty))


def test_it_says_in_words_what_is_learned() -> None:
    asked = {'a': {'property': 'dos', 'functional': 'mean'}, 'b': {'property': 'dos', 'functional': 'width'}}
    first, second = in_words(asked, 'auto', 'auto')
    assert 'a is linear in the curve dos; each whole curve' in first
    assert 'closed form' in first
    assert 'b is not linear' in second
    assert 'cumulative share' in second
    assert 'from draws' in second
    assert 'learns the number alone' in next(in_words(asked, 'gp', 'auto'))


def test_beside_curves_a_plain_number_is_learned_by_auto() -> None:
    X, Y = hills(20)
    functional = FUNCTIONALS['mean']
    targets = {'d': functional.of_rows(GRID, Y, AXIS), 'energy': X[:, 0]}
    rows = {'d': CurveRows(AXIS, GRID, Y, functional)}
    surrogate = fit_on_features(X, targets, kind='curves', curves=rows)
    assert surrogate.models['d'].kind == 'curves'
    assert 'curves' not in surrogate.record['energy']['candidates']
    assert surrogate.record['energy']['n'] == 18
    with pytest.raises(SurrogateError, match='not a number of one'):
        fit_on_features(X, {'energy': X[:, 0]}, kind='curves')
