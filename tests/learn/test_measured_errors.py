"""Standard errors of the values are a part of the noise: weights of rows, honest intervals, plain state."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from aiida_inversedesign.campaign.contracts.surrogate import Setting
from aiida_inversedesign.campaign.replicates import mean_of, noise_of
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.calibrate import Z80
from aiida_inversedesign.learn.choice import fit_chosen, later_predictions, unseen_predictions
from aiida_inversedesign.learn.fit import errors_of, fit_on_features, fit_surrogate
from aiida_inversedesign.learn.models.gp import GaussianProcess, fit_gp
from aiida_inversedesign.learn.models.kernel import start
from aiida_inversedesign.learn.models.posterior import _loss, _Prior
from aiida_inversedesign.learn.next_fit import fit_next, with_later_rows
from aiida_inversedesign.learn.regressor import regressor_from_state
from aiida_inversedesign.learn.surrogate import SurrogateError
from aiida_inversedesign.learn.update import with_rows
from aiida_inversedesign.spaces.parameters.point import Point
from aiida_inversedesign.spaces.parameters.space import ParameterSpace

Array = np.ndarray


def measured(seed: int, n: int = 60) -> tuple[Array, Array, Array]:
    """Inputs, noisy values of a smooth function, and their errors, which differ by a factor of up to 20."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.7, 1.7, (n, 2))
    errors = np.where(rng.random(n) < 0.5, 0.05, 1.0)
    return X, np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] + errors * rng.standard_normal(n), errors


def test_values_of_known_errors_are_weighted() -> None:
    gains, covered, misses = [], [], []
    for seed in range(12):
        X, y, errors = measured(seed)
        new, value, own = measured(1000 + seed, 100)
        densities = []
        for given in (None, errors):
            mean, deviation = fit_chosen(X, y, 'gp', Setting(errors=given))[0].predict(new)
            densities.append(float((-0.5 * ((value - mean) / deviation) ** 2 - np.log(deviation)).mean()))
            misses.append(float(np.abs(value - mean)[own < 0.1].mean()))
        gains.append(densities[1] - densities[0])
        covered.append(float((np.abs(value - mean) <= Z80 * deviation).mean()))
    gain, coverage = np.array(gains), np.array(covered)
    assert gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert abs(coverage.mean() - 0.8) < 3 * coverage.std(ddof=1) / np.sqrt(len(coverage))
    # how far off the truth the mean is: without errors half of the rows pull it about
    assert np.mean(misses[1::2]) < 0.3 * np.mean(misses[::2])


def test_a_row_without_error_is_one_of_the_common_noise_and_no_errors_change_nothing() -> None:
    X, y, errors = measured(1)
    plain = json.dumps(fit_gp(X, y).state())
    assert json.dumps(fit_gp(X, y, errors=np.full(len(y), np.nan)).state()) == plain
    assert json.dumps(fit_on_features(X, {'y': y}, kind='auto', errors={'y': np.full(len(y), np.nan)}).state()) == (
        json.dumps(fit_on_features(X, {'y': y}, kind='auto').state())
    )
    some = fit_gp(X, y, errors=np.where(np.arange(len(y)) % 2, errors, np.nan))
    assert some.errors.tolist() == np.where(np.arange(len(y)) % 2, errors, 0.0).tolist()
    far = np.full((1, 2), 1e6)
    variance = 1 + some.noise + np.mean((some.errors / some.scale) ** 2)
    assert some.predict(far)[1][0] == pytest.approx(some.scale * np.sqrt(variance * some.outputscale))


def test_errors_are_kept_in_the_state_and_by_pending_points() -> None:
    X, y, errors = measured(2)
    gp = fit_gp(X, y, 'ard', errors=errors)
    new = measured(3)[0]
    again = regressor_from_state(json.loads(json.dumps(gp.state())))
    np.testing.assert_array_equal(again.predict(new), gp.predict(new))
    same = gp.with_rows(X, y, errors)
    np.testing.assert_allclose(same.predict(new), gp.predict(new), rtol=1e-9)
    assert not np.allclose(gp.with_rows(X, y).predict(new)[0], gp.predict(new)[0], rtol=0.01)
    pending = gp.condition(new[:3])
    whole = GaussianProcess.assemble(
        pending.X, pending.y, gp.offset, gp.scale, gp.kernel, gp.noise, gp.mean, pending.errors
    ).with_factor(np.sqrt(gp.outputscale))
    np.testing.assert_allclose(pending.predict(new), whole.predict(new), rtol=1e-6)
    assert pending.errors[-3:] == pytest.approx(np.sqrt(np.mean(errors**2)))


def test_joint_draws_spread_as_predicted() -> None:
    X, y, errors = measured(4)
    gp = fit_gp(X, y, errors=errors)
    few = gp.sample(X[:4], 4000, 1)
    many = gp.sample(np.vstack([X[:4], np.random.default_rng(0).uniform(-1.7, 1.7, (1100, 2))]), 2000, 1)[:, :4]
    for drawn in (few, many):
        np.testing.assert_allclose(drawn.std(axis=0), gp.predict(X[:4])[1], rtol=0.08)


def test_the_slopes_of_the_likelihood_are_right() -> None:
    X, y, errors = measured(5, 20)
    kernel = start('iso', 2).by_column()
    arguments = (kernel, _Prior.of(kernel), X, (y - y.mean()) / y.std(), errors**2)
    here = np.array([0.3, 0.1, -3.0])
    slopes = _loss(here, *arguments)[1]
    for place in range(3):
        step = 1e-5 * np.eye(3)[place]
        rise = _loss(here + step, *arguments)[0] - _loss(here - step, *arguments)[0]
        assert slopes[place] == pytest.approx(rise / 2e-5, rel=1e-4)


def test_a_row_that_is_left_out_takes_its_error_with_it() -> None:
    X, y, errors = measured(6, 40)
    setting = Setting(seed=3, errors=errors)
    seen: list[tuple[Array, Array]] = []

    def fit(X: Array, y: Array, setting: Setting) -> GaussianProcess:
        assert setting.errors is not None
        seen.append((y, setting.errors))
        return fit_gp(X, y, errors=setting.errors)

    unseen_predictions(X, y, 'gp', fit, setting)
    later_predictions(X, y, 'gp', fit, setting)
    own = dict(zip(y.tolist(), errors.tolist(), strict=True))
    assert len(seen) == 10
    for values, given in seen:
        assert [own[value] for value in values.tolist()] == given.tolist()
    # standardised targets have standardised errors: another unit changes nothing but the unit
    model, record = fit_chosen(X, y, 'gp', setting)
    other, scores = fit_chosen(X, 1000 * y, 'gp', Setting(seed=3, errors=1000 * errors))
    assert scores['candidates'][record['chosen']]['score'] == pytest.approx(
        record['candidates'][record['chosen']]['score'], abs=1e-4
    )
    np.testing.assert_allclose(other.predict(X)[1], 1000 * model.predict(X)[1], rtol=1e-3)
    assert fit_chosen(X, y, 'gp', Setting(seed=3))[1]['candidates'] != record['candidates']


def test_the_table_of_a_campaign_gives_its_errors() -> None:
    X, y, errors = measured(7, 30)
    variable = {'min': -2, 'max': 2}
    space = ParameterSpace.model_validate({'kind': 'parameters', 'variables': {'a': variable, 'b': variable}})
    table = [
        EvaluationRow(
            f'c{place}',
            1,
            'initial',
            f'{place}',
            'completed',
            Point({'a': float(row[0]), 'b': float(row[1])}),
            properties={'y': float(value)},
            errors={'y': float(error)} if place != 4 else {},
        )
        for place, (row, value, error) in enumerate(zip(X, y, errors, strict=True))
    ]
    expected = np.where(np.arange(30) == 4, 0.0, errors)
    early = fit_surrogate(table[:20], ['y'], space, 'gp', 1)
    assert early.models['y'].errors.tolist() == expected[:20].tolist()
    assert with_rows(early, table, space).models['y'].errors.tolist() == expected.tolist()


@pytest.mark.parametrize('bad', [-0.1, np.inf])
def test_an_error_that_is_not_one_is_refused(bad: float) -> None:
    X, y, errors = measured(8, 20)
    with pytest.raises(SurrogateError, match="errors of 'y' must be finite and not negative"):
        fit_on_features(X, {'y': y}, errors={'y': np.where(np.arange(20) == 3, bad, errors)})
    with pytest.raises(SurrogateError, match='shape'):
        fit_on_features(X, {'y': y}, errors={'y': errors[:5]})


def repeated(
    seed: int, deviation: float = 0.4, pairs: int = 8, singles: int = 30
) -> tuple[list[EvaluationRow], ParameterSpace]:
    """Points of a smooth function: the first measured twice, the others once, none with an error of its own."""
    rng = np.random.default_rng(seed)
    variable = {'min': -2, 'max': 2}
    space = ParameterSpace.model_validate({'kind': 'parameters', 'variables': {'a': variable, 'b': variable}})
    rows = []
    for place, (a, b) in enumerate(rng.uniform(-1.7, 1.7, (pairs + singles, 2)).tolist()):
        values = np.sin(2 * a) + 0.5 * b + deviation * rng.standard_normal(2 if place < pairs else 1)
        record = mean_of([{'value': float(value), 'unit': ''} for value in values])
        rows.append(
            EvaluationRow(
                f'c{place}',
                1,
                'initial',
                f'{place}',
                'completed',
                Point({'a': a, 'b': b}),
                properties={'y': record['value']},
                errors={'y': record['error']} if 'error' in record else {},
                replicates={'y': tuple(record['replicates'])} if 'replicates' in record else {},
            )
        )
    return rows, space


def test_repeated_points_tell_the_noise_of_the_others() -> None:
    rows, space = repeated(1)
    squares = [row.replicates['y'][1] ** 2 for row in rows[:8]]
    found = errors_of(rows, 'y')
    pooled = np.mean(squares)
    # of two measurements: four degrees of freedom of all, one of their own
    assert found[:8] == pytest.approx([np.sqrt((4 * pooled + own) / 5 / 2) for own in squares])
    assert found[8:] == pytest.approx(np.sqrt(pooled))
    # a larger error that was given stays, a smaller one of a single measurement too
    given = replace(rows[0], errors={'y': 5.0}), *rows[1:8], replace(rows[8], errors={'y': 0.01})
    assert errors_of(given, 'y')[[0, 8]].tolist() == [5.0, 0.01]
    surrogate = fit_surrogate(rows, ['y'], space, 'gp', 1)
    assert surrogate.models['y'].errors == pytest.approx(found)
    assert with_rows(surrogate, rows, space).models['y'].errors == pytest.approx(found)
    # five pairs have five degrees of freedom: too few to rely on
    assert np.isnan(errors_of(rows[3:], 'y')[5:]).all()
    assert np.isnan(errors_of(rows[8:], 'y')).all()


def test_measured_starting_data_tell_nothing_of_computed_values() -> None:
    rows, space = repeated(3, pairs=16)
    rows = [replace(row, arm='known' if place < 10 else 'initial') for place, row in enumerate(rows)]
    known, computed = rows[:10], [replace(row, replicates={}, errors={}) for row in rows[10:]]
    measured = errors_of(known, 'y')
    found = errors_of([*known, *computed], 'y', noisy=False)
    assert np.isfinite(measured).all()
    np.testing.assert_array_equal(found, [*measured, *[np.nan] * len(computed)])
    # an evaluation of what is known already is no repeat of it
    again = replace(known[0], arm='acquisition', replicates={}, errors={}, properties={'y': 90.0})
    np.testing.assert_array_equal(errors_of([*known, again], 'y', noisy=False), [*measured, np.nan])
    # a laboratory measures with the same noise, and so does a table whose own rows were repeated
    assert np.isfinite(errors_of([*known, *computed], 'y')).all()
    np.testing.assert_array_equal(errors_of(rows, 'y', noisy=False), errors_of(rows, 'y'))
    fitted = fit_surrogate([*known, *computed], ['y'], space, 'gp', 1, noisy=False)
    assert fitted.models['y'].errors == pytest.approx(np.nan_to_num(found))
    later = with_rows(fitted, [*known, *computed, again], space, noisy=False)
    assert later.models['y'].errors == pytest.approx(np.nan_to_num([*found, np.nan]))


def test_the_engine_says_whether_it_measures() -> None:
    rows, _ = repeated(4, singles=8)
    rows = [replace(row, arm='known' if row.replicates else 'initial') for row in rows]
    variables = {name: {'min': -2, 'max': 2} for name in 'ab'}
    section = {'engine': 'external', 'units': {'y': ''}}
    table = {'engine': 'table', 'data': 'y.csv', 'units': {'y': ''}}
    errors = []
    for evaluate in (section, table):
        spec = CampaignSettings.model_validate(
            {
                'name': 'n',
                'goal': {'objectives': [{'property': 'y', 'maximize': True}]},
                'space': {'kind': 'parameters', 'variables': variables},
                'learn': {'surrogate': 'gp'},
                'evaluate': evaluate,
            }
        )
        model = fit_next(spec, rows[:12], None)
        errors.append(model.models['y'].errors[8:])
        assert with_later_rows(spec, model, rows).models['y'].errors[12:] == pytest.approx(errors[-1][0])
    assert min(errors[0]) > 0.1
    assert max(errors[1]) == 0


def test_rows_of_one_point_are_repeats_and_failures_are_none() -> None:
    rows, _ = repeated(2, pairs=0, singles=4)
    again = [
        replace(row, candidate=f'{row.candidate}_r{number}', properties={'y': row.properties['y'] + number})
        for row in rows
        for number in (1, 2)
    ]
    noise = noise_of([*rows, *again, replace(rows[0], status='failed')], 'y')
    assert (noise.variance, noise.degrees) == (pytest.approx(1.0), 8)
    assert noise_of(rows, 'z').degrees == 0


def test_the_noise_of_repeats_is_the_truth_on_average() -> None:
    found = [noise_of(repeated(seed)[0], 'y').variance for seed in range(300)]
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - 0.16) < 3 * error


def test_one_row_of_unusual_error_does_not_widen_all_predictions() -> None:
    X, y, _ = measured(6, 40)
    usual = np.full(40, 0.02)
    jumped = usual.copy()
    jumped[7] = 50.0
    far = np.full((1, X.shape[1]), 5.0)
    plain, other = (fit_gp(X, y, errors=errors).predict(far)[1] for errors in (usual, jumped))
    assert other < 1.5 * plain
