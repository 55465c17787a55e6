"""Several properties learned together: what one tells of the other, and that nothing of a left-out row leaks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_inversedesign.campaign.contracts.surrogate import Other, Setting, surrogate_kind
from aiida_inversedesign.learn.choice import fit_chosen
from aiida_inversedesign.learn.fit import fit_on_features
from aiida_inversedesign.learn.models.gp import GaussianProcess, fit_gp
from aiida_inversedesign.learn.models.multitask import MultiTask, Task, beside, fit_multitask
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state
from aiida_inversedesign.learn.surrogate import SurrogateError


def truth(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(1.5 * X[:, 0]) + 0.5 * X[:, 1] * X[:, 2])


def points(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 4))


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_a_property_known_of_more_crystals_helps_one_known_of_few(sign: float) -> None:
    many, test = points(120, 1), points(300, 2)
    X, y = many[:12], 100 + 20 * truth(many[:12])
    model = fit_multitask(X, y, [Task('cheap', many, -3.0 + sign * truth(many) + 0.05 * many[:, 3])])
    alone = fit_gp(X, y, form='ard')
    wanted = 100 + 20 * truth(test)
    errors = [np.abs(found.predict(test)[0] - wanted).mean() for found in (model, alone)]
    assert errors[0] < 0.5 * errors[1]
    assert model.correlation()['cheap'] > 0.8
    assert (model.offset, model.scale) == pytest.approx((y.mean(), y.std(ddof=1)))
    assert model.X.tolist() == X.tolist()


def test_a_property_that_has_nothing_to_do_with_it_does_no_harm() -> None:
    many, test = points(80, 1), points(300, 2)
    y = np.where(np.arange(80) < 30, truth(many), np.nan)
    noise = np.random.default_rng(3).normal(size=80)
    together = fit_on_features(many, {'y': y, 'noise': noise}, kind='multitask')
    alone = fit_on_features(many, {'y': y}, kind='gp')
    errors = [
        np.abs(found.models['y'].predict(found.standardise(test))[0] - truth(test)).mean()
        for found in (together, alone)
    ]
    assert errors[0] < 1.25 * errors[1]
    assert together.record['y']['weights'].get('multitask', 0.0) < 0.1
    assert fit_multitask(many[:30], y[:30], [Task('noise', many, noise)]).correlation()['noise'] < 0.6


def test_state_comes_back_and_others_without_information_are_left_out() -> None:
    X = points(15, 4)
    tasks = [Task('equal', X, np.ones(15)), Task('one', X[:1], np.ones(1)), Task('good', X, truth(X))]
    model = fit_multitask(X, truth(X), tasks)
    assert model.tasks == ('good',)
    again = regressor_from_state(json.loads(json.dumps(model.state())))
    assert isinstance(again, MultiTask)
    assert again.predict(X)[1] == pytest.approx(model.predict(X)[1], rel=1e-9)
    with pytest.raises(RegressorError, match='version 9'):
        MultiTask.from_state({**model.state(), 'version': 9})
    updated = model.condition(points(2, 5))
    assert updated.predict(points(2, 5))[1].max() < model.predict(points(2, 5))[1].min()
    assert model.sample(X, 3, 0).shape == (3, 15)


def test_of_a_row_that_is_left_out_the_other_property_is_not_known_either() -> None:
    X = points(6, 6)
    shared = np.array([True, True, True, True, False, False])
    found = beside(Other('cheap', X, np.arange(6.0), shared), X[:2])
    assert found.y.tolist() == [0.0, 1.0, 4.0, 5.0]


def test_the_surrogate_of_two_properties() -> None:
    X = points(60, 7)
    dear = np.where(np.arange(60) < 20, 5 * truth(X), np.nan)
    surrogate = fit_on_features(X, {'dear': dear, 'cheap': truth(X)}, kind='multitask')
    test = points(200, 8)
    alone = fit_on_features(X, {'dear': dear}, kind='gp')
    errors = [
        np.abs(found.models['dear'].predict(found.standardise(test))[0] - 5 * truth(test)).mean()
        for found in (surrogate, alone)
    ]
    assert errors[0] < 0.6 * errors[1]
    assert surrogate.record['dear']['chosen'] == 'multitask'
    # calibrated on rows of which nothing was known
    mean, deviation = surrogate.models['dear'].predict(surrogate.standardise(test))
    assert 0.55 < (np.abs(mean - 5 * truth(test)) < 1.2816 * deviation).mean() < 0.99


def test_one_property_alone_is_refused() -> None:
    with pytest.raises(RegressorError, match='several properties'):
        fit_chosen(points(12, 0), np.arange(12.0), 'multitask')
    with pytest.raises(SurrogateError, match='several properties'):
        fit_on_features(points(10, 0), {'y': np.arange(10.0)}, kind='multitask')
    assert 'multitask' not in surrogate_kind('mixture').recipes(Setting())


def test_a_row_left_out_of_the_fitted_model_takes_the_other_property_with_it() -> None:
    X = points(20, 5)
    rng = np.random.default_rng(6)
    y = rng.normal(size=20)
    # the other property is the same, but for noise, of the first twelve crystals and of ten further ones
    more = points(10, 7)
    other = Task('same', np.vstack([X[:12], more]), np.concatenate([y[:12], rng.normal(size=10)]))
    model = fit_multitask(X, y, [other]).with_factor(1.2)
    means, deviations = model.left_out()
    assert means.shape == (20,)
    process = model.process
    for row in (3, 15):
        rest = (process.X[:, :4] != X[row]).any(axis=1)
        assert (~rest).sum() == (2 if row < 12 else 1)
        fixed = (process.offset, process.scale, process.kernel, process.noise, process.mean)
        without = GaussianProcess.assemble(process.X[rest], process.y[rest], *fixed).with_factor(1.2)
        mean, deviation = without.predict(np.append(X[row], 0.0)[None])
        assert (means[row], deviations[row]) == pytest.approx((mean[0], deviation[0]))
