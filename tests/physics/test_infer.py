"""Sampling posteriors: right on what is known in closed form, replayable, and plain words where it cannot be done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.contracts.registry import PartError
from aiida_inversedesign.learn.physics.diagnostics import difference, problems_of, r_hat, waic
from aiida_inversedesign.learn.physics.infer import Posterior, infer
from aiida_inversedesign.learn.physics.model import (
    Parameter,
    PhysicalModel,
    PhysicsError,
    Prior,
    model_named,
)
from aiida_inversedesign.learn.physics.problem import Data, Problem

WIDE = Prior('uniform', -100.0, 100.0)
X = np.linspace(0, 1, 20)


def a_model(function: Callable[..., Any], **priors: Prior) -> PhysicalModel:
    return PhysicalModel(
        'decay',
        function,
        tuple(Parameter(name, '1/s', prior) for name, prior in priors.items()),
        ('t', 's'),
        ('T', 'K'),
    )


LINE = a_model(lambda x, offset, slope: offset + slope * x, offset=WIDE, slope=WIDE)


def made(seed: int = 0, noise: float = 0.3) -> np.ndarray:
    return 1 + 2 * X + noise * np.random.default_rng(seed).standard_normal(20)


@pytest.fixture(scope='module')
def known() -> Posterior:
    """Of a line with known errors and a normal prior of its slope."""
    priors = {'slope': {'normal': [0.0, 1.0]}}
    return infer(LINE, Data.of(X, made(), np.full(20, 0.3)), seed=7, walkers=20, steps=1500, priors=priors)


def test_the_posterior_of_a_line_is_the_normal_one_of_the_textbooks(known: Posterior) -> None:
    design = np.stack([np.ones(20), X], axis=1) / 0.3
    covariance = np.linalg.inv(design.T @ design + np.diag([0.0, 1.0]))
    mean = covariance @ design.T @ (made() / 0.3)
    assert known.converged, known.problems
    deviations = np.sqrt(np.diag(covariance))
    # some thousand effective samples know a mean to 2 % of a deviation, and a deviation to 2 %; three times that
    assert (known.samples.mean(axis=0) - mean) / deviations == pytest.approx(np.zeros(2), abs=0.06)
    assert np.cov(known.samples.T) == pytest.approx(covariance, rel=0.12)
    low, high = known.interval('slope')
    assert high - low == pytest.approx(2 * 1.96 * deviations[1], rel=0.06)
    middle, below, above = known.band(np.array([0.0]))
    assert above - below == pytest.approx(2 * 1.96 * deviations[:1], rel=0.1)
    assert below < middle < above


def test_the_summary_is_plain_and_complete(known: Posterior) -> None:
    summary = known.summary()
    assert summary['converged'] is True
    assert summary['samples'] == 4 * 20 * 1500
    slope = summary['parameters']['slope']
    assert slope['unit'] == '1/s'
    assert slope['prior'] == {'normal': [0.0, 1.0]}
    assert 1 <= slope['r_hat'] < 1.01
    assert 400 < slope['effective_samples'] < 120_000
    assert 0.1 < summary['acceptance'] < 0.8


def test_the_same_seed_gives_the_same_samples_and_another_one_others() -> None:
    data = Data.of(X, made())
    one, two, other = (infer(LINE, data, seed=seed, walkers=10, steps=100).chains for seed in (3, 3, 4))
    np.random.seed(0)  # whatever others do with the global state
    again = infer(LINE, data, seed=3, walkers=10, steps=100).chains
    assert (one == two).all()
    assert (one == again).all()
    assert not (one == other).any()


def test_no_move_of_the_sampler_is_biased() -> None:
    """The snooker move of emcee 3.1 gives deviations of 0.8; a normal posterior of eight parameters tells."""
    model = a_model(
        lambda x, **p: np.concatenate(list(p.values()), axis=1),
        **{f'p{number}': Prior('uniform', -50.0, 50.0) for number in range(8)},
    )
    found = infer(model, Data.of(np.arange(8.0), np.zeros(8), np.ones(8)), seed=0, walkers=30, steps=800)
    assert found.samples.std(axis=0) == pytest.approx(np.ones(8), abs=0.08)


def test_two_maxima_are_said_not_hidden() -> None:
    # the sign of the root is not determined, and noise this small lets no walker cross
    model = a_model(lambda x, root: root**2 * x, root=Prior('uniform', -9, 9))
    found = infer(model, Data.of(X, 4 * X, np.full(20, 0.01)), seed=1, walkers=10, steps=300)
    assert not found.converged
    assert any('independent ensembles disagree' in text for text in found.problems)
    assert found.summary()['problems']


def test_too_few_steps_are_said() -> None:
    found = infer(LINE, Data.of(X, made()), seed=0, walkers=10, steps=100)
    assert any('100 steps are fewer than 50 autocorrelation times' in text for text in found.problems)


def test_chains_that_hardly_move_are_said() -> None:
    chains = np.random.default_rng(0).standard_normal((4, 100, 10, 1))
    (found,) = problems_of(['a'], chains, np.ones(1), r_hat(chains), 0.01)
    assert 'only 1.0% of the steps were accepted' in found
    assert np.isinf(r_hat(np.zeros((4, 100, 10, 1)))).all()
    chains[0] += 1
    assert r_hat(chains)[0] > 1.05


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({'walkers': 5}, '5 walkers are too few for 3 parameters: at least 8'),
        ({'steps': 10}, '10 steps are too few'),
        ({'priors': {'slop': {'uniform': [0, 1]}}}, "has no parameter 'slop': it has offset, slope"),
        ({'priors': {'slope': {'uniform': [1, 0]}}}, 'a uniform prior needs a lower and a higher bound'),
        ({'priors': {'slope': {'log_uniform': [0, 1]}}}, 'a log_uniform prior needs positive bounds'),
        ({'priors': {'slope': {'normal': [0, -1]}}}, 'must be positive'),
        ({'priors': {'slope': {'cauchy': [0, 1]}}}, "there is no prior 'cauchy'"),
        ({'priors': {'slope': [0, 1]}}, 'a prior is written as'),
        ({'priors': {'slope': {'normal': [0, float('nan')]}}}, 'must be finite'),
        ({'seed': -1}, 'the seed must not be negative'),
        (
            {'data': Data.of(X, X, np.ones(20)), 'priors': {'noise': {'uniform': [0, 1]}}},
            'the errors of the points are given',
        ),
        (
            {'data': Data.of(X[:3], X[:3])},
            "3 point(s) are too few for the 2 parameters of 'decay' and an unknown noise",
        ),
    ],
)
def test_what_cannot_be_sampled_is_refused_in_words(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(PhysicsError) as error:
        infer(LINE, **{'seed': 0, 'data': Data.of(X, made()), **arguments})
    assert words in str(error.value)


def test_bad_data_are_refused() -> None:
    for arguments, words in (
        (([1, 2], [1, 2, 3]), 'as many numbers each'),
        (([1, 2], [1, np.nan]), 'must be finite'),
        (([1, 2], [1, 2], [0.1, 0.0]), 'errors must be positive'),
    ):
        with pytest.raises(PhysicsError, match=words):
            Data.of(*arguments)


def broken(x: Any, rate: Any) -> Any:
    raise ZeroDivisionError('no rate')


@pytest.mark.parametrize(
    ('function', 'words'),
    [
        (broken, 'ZeroDivisionError: no rate. Correct the function, or the prior'),
        (lambda x, rate: np.log(-np.abs(rate)) * x, 'none gives finite values (for example rate = '),
        (lambda x, rate: rate, 'have the shape (1000, 1), not (1000, 20)'),
    ],
)
def test_a_model_that_cannot_be_evaluated_at_its_prior(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(PhysicsError) as error:
        infer(a_model(function, rate=WIDE), Data.of(X, made()), seed=0)
    assert "the model 'decay' cannot be evaluated at its prior" in str(error.value)
    assert words in str(error.value)


def test_a_model_that_is_defined_on_a_part_of_its_prior_is_sampled_there() -> None:
    model = a_model(lambda x, a: np.sqrt(a) * x, a=Prior('uniform', -5, 5))
    found = infer(model, Data.of(X, 1.5 * X + 0.1 * made()), seed=0, walkers=10, steps=400)
    assert (found.samples[:, 0] > 0).all()


def test_without_emcee_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'emcee', None)
    with pytest.raises(PhysicsError, match=r'pip install "aiida-inversedesign\[physics\]"'):
        infer(LINE, Data.of(X, made()), seed=0)


def test_waic_prefers_the_model_that_made_the_data() -> None:
    constant = a_model(lambda x, offset: offset + 0 * x, offset=WIDE)
    data = Data.of(X, made())
    one, two = (infer(model, data, seed=0, walkers=20, steps=400).waic for model in (LINE, constant))
    gain, error = difference(one, two)
    assert gain == pytest.approx(one.value - two.value)
    assert gain > 2 * error > 0
    # two parameters and a noise
    assert 1.5 < one.effective_parameters < 4.5


def test_waic_of_a_normal_posterior_is_the_exact_one() -> None:
    """One point at 0 of deviation 1, posterior N(0, v): log mean density less the variance, in closed form."""
    draws, v = np.random.default_rng(0).standard_normal((200_000, 1)), 0.1
    found = waic(-0.5 * v * draws**2 - 0.5 * np.log(2 * np.pi))
    exact = -0.5 * np.log(2 * np.pi * (1 + v)) - 0.5 * v**2
    assert found.value == pytest.approx(exact, abs=2e-4)
    assert found.unreliable == 0


def test_noise_has_a_prior_of_its_own() -> None:
    problem = Problem(LINE, Data.of(X, made()), Prior('uniform', 0.1, 0.2))
    assert problem.names == ('offset', 'slope', 'noise')
    found = infer(LINE, Data.of(X, made()), seed=0, walkers=10, steps=200, priors={'noise': {'uniform': [0.1, 0.2]}})
    assert found.samples[:, -1].max() <= 0.2


def test_unknown_models_and_wrong_ones_are_refused() -> None:
    assert model_named('exciton_series').name == 'exciton_series'
    with pytest.raises(PartError, match="did you mean 'vinet'"):
        model_named('vinnet')
    with pytest.raises(PhysicsError, match='of different names'):
        PhysicalModel('twice', np.add, (LINE.parameters[0],) * 2, ('t', 's'), ('T', 'K'))
