"""The posterior of a physical model by an ensemble sampler (``emcee``), with what tells whether it can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.learn.physics.diagnostics import (
    Waic,
    autocorrelation_times,
    problems_of,
    r_hat,
    waic,
)
from aiida_inversedesign.learn.physics.model import NOISE, Parameter, PhysicalModel, PhysicsError, Prior
from aiida_inversedesign.learn.physics.problem import TRIALS, Data, Problem
from aiida_inversedesign.learn.threads import one_thread

#: Independent ensembles: R-hat needs several; with four, two of eight halves that went astray are seen.
ENSEMBLES = 4
#: Samples that predictions and WAIC are computed with: their error is 1/√2000 = 2 % of a deviation.
_DRAWS = 2000
#: Starting points are drawn this many times wider than the curvature at the maximum says, so that R-hat can see that
#: ensembles have not met.
_WIDER = 2.0
#: Least-squares fits of each ensemble, from the best draws of the prior. From one alone all four ensembles ended in the
#: same false maximum of the exciton series.
_FITS = 10
#: Differential evolution, and in one of ten steps its jumps between maxima: γ (None: 2.38/√(2p)) and weight (C. J. F.
#: ter Braak, Stat. Comput. 16, 239 (2006)). On a normal distribution of eight parameters it needs a third of the steps
#: of the stretch move. Not the snooker move of emcee 3.1: its acceptance is wrong, deviations come out 20 % too small.
_MOVES = ((None, 0.9), (1.0, 0.1))


@dataclass(frozen=True)
class Posterior:
    """Samples of the parameters of a model.

    :param parameters: in the order of the columns, that of an unknown noise last.
    :param chains: shape (ensembles, steps, walkers, p), in the parameters' units; the first steps are left out.
    :param times: autocorrelation time of each parameter in steps, shape (p,). :param ratios: R-hat, shape (p,).
    :param acceptance: accepted share of the proposed steps.
    :param waic: of the data. :param problems: why the chains cannot be relied on, in words.
    """

    model: PhysicalModel
    parameters: tuple[Parameter, ...]
    chains: Array = field(repr=False)
    times: Array
    ratios: Array
    acceptance: float
    waic: Waic = field(repr=False)
    problems: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against the chains."""
        return not self.problems

    @property
    def samples(self) -> Array:
        """All samples, shape (number, p)."""
        return np.asarray(self.chains.reshape(-1, self.chains.shape[-1]))

    def draws(self, number: int = _DRAWS) -> Array:
        """Samples evenly taken from all, shape (at most number, p)."""
        indices = np.linspace(0, len(self.samples) - 1, min(number, len(self.samples))).astype(int)
        return np.asarray(self.samples[indices])

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """The central interval of a parameter, in its unit."""
        column = self.samples[:, [item.name for item in self.parameters].index(name)]
        low, high = np.quantile(column, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def band(self, x: Array, level: float = 0.95) -> tuple[Array, Array, Array]:
        """Median and bounds of the model's values without noise, each of shape (n,). :param x: shape (n,)."""
        values = self.model.values(x, self.draws()[:, : len(self.model.parameters)])
        low, middle, high = np.quantile(values, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
        return middle, low, high

    def summary(self) -> dict[str, Any]:
        """Plain data: each parameter with mean, deviation, 95 % interval and diagnostics; whether it converged."""
        means, deviations = self.samples.mean(axis=0), self.samples.std(axis=0)
        number = len(self.samples)
        return {
            'model': self.model.name,
            'converged': self.converged,
            'problems': list(self.problems),
            'samples': number,
            'acceptance': self.acceptance,
            'waic': self.waic.value,
            'waic_effective_parameters': self.waic.effective_parameters,
            'waic_unreliable_points': self.waic.unreliable,
            'parameters': {
                item.name: {
                    'unit': item.unit,
                    'prior': item.prior.to_dict(),
                    'mean': float(means[i]),
                    'deviation': float(deviations[i]),
                    'interval_95': list(self.interval(item.name)),
                    'r_hat': float(self.ratios[i]),
                    'effective_samples': number / float(self.times[i]),
                    'autocorrelation_steps': float(self.times[i]),
                }
                for i, item in enumerate(self.parameters)
            },
        }


def infer(
    model: PhysicalModel,
    data: Data,
    seed: int,
    walkers: int = 40,
    steps: int = 2000,
    burn: int | None = None,
    priors: Mapping[str, Any] | None = None,
) -> Posterior:
    """Sample the posterior; the same arguments give the same samples.

    Four independent ensembles of walkers start around the maxima that a least-squares fit finds from the best of some
    draws from the prior. Sampler: D. Foreman-Mackey et al., PASP 125, 306 (2013).

    :param walkers: of each ensemble; at least twice the parameters. :param steps: that are kept.
    :param burn: steps before them that are not; by default a quarter as many.
    :param priors: of some parameters, also of ``noise``, as plain data: ``{'E_g': {'uniform': [2.1, 2.2]}}``.
    :raises PhysicsError: if emcee is not installed, there are too few points, walkers or steps, or the model cannot be
        evaluated at its prior. Chains that do not converge are no error: ``problems`` says so.
    """
    given = dict(priors or {})
    if seed < 0:
        raise PhysicsError(f'the seed must not be negative, got {seed}')
    if NOISE in given and data.error is not None:
        raise PhysicsError(f'the errors of the points are given, there is no parameter {NOISE!r}: leave its prior out')
    model = model.with_priors(given)
    problem = Problem(model, data, Prior.from_dict(given[NOISE]) if NOISE in given else None)
    number = len(problem.parameters)
    if walkers < 2 * number + 2:
        raise PhysicsError(
            f'{walkers} walkers are too few for {number} parameters: at least {2 * number + 2} are needed'
        )
    if steps < 100:
        raise PhysicsError(f'{steps} steps are too few: at least 100 are needed')
    burn = steps // 4 if burn is None else burn
    with one_thread():
        runs = [_run(problem, child, walkers, steps, burn) for child in np.random.SeedSequence(seed).spawn(ENSEMBLES)]
        moved = np.stack([chain for chain, _ in runs])
        chains = problem.parameters_at(moved)
        acceptance = float(np.mean([share for _, share in runs]))
        times, ratios = autocorrelation_times(moved), r_hat(moved)
        problems = problems_of(problem.names, moved, times, ratios, acceptance)
        flat = chains.reshape(-1, number)
        indices = np.linspace(0, len(flat) - 1, min(_DRAWS, len(flat))).astype(int)
        found = waic(problem.log_likelihoods(flat[indices]))
    return Posterior(model, problem.parameters, chains, times, ratios, acceptance, found, tuple(problems))


def _run(problem: Problem, seed: np.random.SeedSequence, walkers: int, steps: int, burn: int) -> tuple[Array, float]:
    """One ensemble: coordinates of shape (steps, walkers, p), and the accepted share."""
    try:
        import emcee
    except ImportError as error:
        raise PhysicsError(
            'the posterior of a physical model is sampled by emcee, which is not installed: '
            'pip install "aiida-inversedesign[physics]"'
        ) from error
    rng = np.random.default_rng(seed)
    start = _start(problem, rng, walkers)
    moves = [(emcee.moves.DEMove(gamma0=gamma), weight) for gamma, weight in _MOVES]
    sampler = emcee.EnsembleSampler(walkers, start.shape[1], problem.log_density, moves=moves, vectorize=True)
    # all that emcee draws comes from this state
    state = emcee.State(start, random_state=np.random.RandomState(rng.integers(2**31)).get_state())
    state = sampler.run_mcmc(state, burn, skip_initial_state_check=True) if burn else state
    sampler.reset()
    sampler.run_mcmc(state, steps, skip_initial_state_check=True)
    return np.asarray(sampler.get_chain()), float(np.mean(sampler.acceptance_fraction))


def _start(problem: Problem, rng: np.random.Generator, walkers: int) -> Array:
    """Coordinates where walkers start, shape (walkers, p): around the best maximum that is found from the prior."""
    draws = problem.draw_prior(rng, TRIALS)
    with np.errstate(all='ignore'):
        squares = problem.tried(draws)
    if not np.isfinite(squares).any():
        raise PhysicsError(f'{problem.model.name!r} overflows everywhere in its prior: narrow it')
    first = np.argsort(np.where(np.isfinite(squares), squares, np.inf), kind='stable')[:_FITS]
    best, widths = min((_fitted(problem, draws[position]) for position in first), key=lambda found: found[0])[1:]
    # of a logarithm the width is the relative one; one that is not determined starts within a factor of about e
    widths = np.where(problem.logarithmic, np.clip(widths / np.where(problem.logarithmic, best, 1), -1, 1), widths)
    best = problem.coordinates_of(best)
    found: list[Array] = []
    for _ in range(60):
        around = best + rng.standard_normal((4 * walkers, len(best))) @ widths
        found += list(around[np.isfinite(problem.log_density(around))])
        if len(found) >= walkers:
            return np.array(found[:walkers])
        # close to a bound, or the curvature is not that of the posterior
        widths = widths / 2
    raise PhysicsError(f'no starting points were found for {problem.model.name!r} around {best}: widen the priors')


def _fitted(problem: Problem, first: Array) -> tuple[float, Array, Array]:
    """A maximum: minus its log posterior, parameters of shape (p,), factor of starting points of shape (p, p)."""
    from scipy.optimize import least_squares

    bounds = np.array([item.prior.bounds for item in problem.parameters]).T
    priors = [item.prior for item in problem.parameters]
    # about the width of each
    sizes = np.array([prior.second - (0.0 if prior.kind == 'normal' else prior.first) for prior in priors])
    own = len(problem.model.parameters)
    has_noise = own < len(first)
    normal = [(i, item.prior) for i, item in enumerate(problem.model.parameters) if item.prior.kind == 'normal']

    def misses(theta: Array, error: Any, weighs: bool) -> Array:
        values = (problem.data.y - problem.model.values(problem.data.x, theta[None])[0]) / error
        # where the model cannot be computed the fit turns back
        values = np.where(np.isfinite(values), values, 1e6 * (1 + np.abs(problem.data.y / error)))
        return np.append(values, [weighs * (theta[i] - prior.first) / prior.second for i, prior in normal])

    inner = bounds[:, :own] + 1e-9 * sizes[:own] * np.array([[1.0], [-1.0]])
    best, noise = np.clip(first[:own], *inner), 1.0
    # of an unknown noise the first fit tells how much normal priors weigh in the second
    for weighs in (False, True) if has_noise else (True,):
        error = noise if problem.data.error is None else problem.data.error
        start, limits = np.clip(best, *inner), tuple(bounds[:, :own])
        fit = least_squares(misses, start, bounds=limits, x_scale=sizes[:own], args=(error, weighs))
        best = np.array(fit.x)
        if has_noise:
            squares = float((misses(best, 1.0, False) ** 2).sum())
            noise = float(np.clip(np.sqrt(squares / max(len(problem.data.y) - own, 1)), *bounds[:, -1]))
    scaled = fit.jac * sizes[:own]
    curvatures, directions = np.linalg.eigh(scaled.T @ scaled)
    # directions that the data do not determine are as wide as a third of the prior
    lengths = np.minimum(1 / np.sqrt(np.maximum(curvatures, 1e-24)), 1 / 3)
    widths = np.zeros((len(first), len(first)))
    widths[:own, :own] = _WIDER * lengths[:, None] * directions.T * sizes[:own]
    if has_noise:
        best = np.append(best, noise)
        widths[own, own] = _WIDER * noise / np.sqrt(2 * len(problem.data.y))
    return -float(problem.log_posterior(best[None])[0]), best, widths
