"""Whether chains can be believed, and how well models predict. Sources stand with each number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Array

#: Largest R-hat (A. Vehtari et al., Bayesian Anal. 16, 667 (2021)).
LARGEST_R_HAT = 1.01
#: Fewest effective samples (the same), of each parameter.
FEWEST_EFFECTIVE = 400
#: Fewest autocorrelation times in a chain for that time to be an estimate (documentation of emcee).
FEWEST_TIMES = 50
#: Accepted share below which an ensemble sampler hardly moves; 0.2 to 0.5 is usual (D. Foreman-Mackey et al., PASP 125,
#: 306 (2013), section 4).
LEAST_ACCEPTANCE = 0.05
#: Effective parameters of one point above which WAIC is not reliable (A. Vehtari, A. Gelman and J. Gabry, Stat. Comput.
#: 27, 1413 (2017), section 2.2).
_LARGEST_SHARE = 0.4


def r_hat(chains: Array) -> Array:
    """Split R-hat of each parameter, shape (p,): the spread of all samples over that within halves of the runs.

    The walkers of one ensemble depend on each other, so that a chain is half of a whole ensemble: R̂² = (W + B) / W with
    the mean variance W within and the variance B of the means (A. Gelman and D. B. Rubin, Stat. Sci. 7, 457 (1992)).

    :param chains: shape (ensembles, steps, walkers, p).
    """
    half = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :half], chains[:, -half:]]).reshape(2 * len(chains), -1, chains.shape[-1])
    within, between = halves.var(axis=1).mean(axis=0), halves.mean(axis=1).var(axis=0, ddof=1)
    # chains that do not move at all have not converged either
    return np.where(within > 0, np.sqrt((within + between) / np.where(within > 0, within, 1.0)), np.inf)


def autocorrelation_times(chains: Array) -> Array:
    """Integrated autocorrelation time of each parameter in steps, shape (p,): the estimate of ``emcee``.

    :param chains: shape (ensembles, steps, walkers, p); walkers of all ensembles are averaged.
    """
    from emcee.autocorr import integrated_time

    with np.errstate(all='ignore'):
        times = integrated_time(np.concatenate(list(chains), axis=1), quiet=True, tol=0)
    return np.where(np.isfinite(times), np.maximum(times, 1.0), np.inf)


def problems_of(names: Sequence[str], chains: Array, times: Array, ratios: Array, acceptance: float) -> list[str]:
    """Why the chains cannot be relied on, in words; empty if they can.

    :param chains: shape (ensembles, steps, walkers, p). :param times: autocorrelation times, shape (p,), in steps.
    :param ratios: R-hat, shape (p,). :param acceptance: accepted share of the proposed steps.
    """
    steps, samples = chains.shape[1], chains[..., 0].size
    found = []
    if acceptance < LEAST_ACCEPTANCE:
        found.append(f'only {acceptance:.1%} of the steps were accepted: narrow the priors, or use more walkers')
    if bad := [f'{name} {value:.3g}' for name, value in zip(names, ratios, strict=True) if not value <= LARGEST_R_HAT]:
        found.append(
            f'the independent ensembles disagree (R-hat above {LARGEST_R_HAT}: {", ".join(bad)}): take more steps; if '
            'that does not help, the posterior has several maxima or a parameter is not determined'
        )
    longest = float(times.max())
    if not steps >= FEWEST_TIMES * longest:
        needed = f'take at least {int(np.ceil(FEWEST_TIMES * longest))}' if np.isfinite(longest) else 'take more'
        found.append(
            f'{steps} steps are fewer than {FEWEST_TIMES} autocorrelation times ({longest:.0f} steps): {needed}'
        )
    few = [
        f'{name} {samples / time:.0f}'
        for name, time in zip(names, times, strict=True)
        if not samples / time >= FEWEST_EFFECTIVE
    ]
    if few:
        found.append(f'fewer than {FEWEST_EFFECTIVE} effective samples ({", ".join(few)}): take more steps')
    return found


@dataclass(frozen=True)
class Waic:
    """The widely applicable information criterion as expected log predictive density (larger is better).

    :param points: of each point, shape (n,). :param unreliable: number of points whose effective parameters exceed 0.4.
    """

    points: Array
    effective_parameters: float
    unreliable: int

    @property
    def value(self) -> float:
        """The sum over the points."""
        return float(self.points.sum())


def waic(log_likelihoods: Array) -> Waic:
    """WAIC of samples: log mean density less its variance, point by point.

    S. Watanabe, J. Mach. Learn. Res. 11, 3571 (2010), as in Vehtari, Gelman and Gabry (2017), eqs. 3 and 11–13.

    :param log_likelihoods: of each point in each sample, shape (samples, n).
    """
    highest = log_likelihoods.max(axis=0)
    means = highest + np.log(np.exp(log_likelihoods - highest).mean(axis=0))
    shares = log_likelihoods.var(axis=0, ddof=1)
    return Waic(means - shares, float(shares.sum()), int((shares > _LARGEST_SHARE).sum()))


def difference(one: Waic, other: Waic) -> tuple[float, float]:
    """How much better one model predicts than another, in units of log density, and the standard error of that.

    Vehtari, Gelman and Gabry (2017), eq. 24; both must be of the same points.
    """
    each = one.points - other.points
    return float(each.sum()), float(np.sqrt(len(each) * each.var(ddof=1)))
