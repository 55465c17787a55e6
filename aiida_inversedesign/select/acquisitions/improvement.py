"""Acquisitions in closed form: expected improvement, probability of improvement, upper bound, posterior mean.

Sources: Jones, Schonlau and Welch 1998 (EI); Ament et al., NeurIPS 2023 (its logarithm); Srinivas et al., ICML 2010
(UCB); Kushner 1964 (PI).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.select.problem import Marginals, SearchProblem
from aiida_inversedesign.select.rule import Marginal

#: Standard deviations of the upper confidence bound. One finds more than two of the best 5 % of 1 181 crystals in 100
#: evaluations: shear modulus 41.7 [39.6, 43.2] and 37.7 [36.9, 38.4] of 60 (16 seeds), bulk modulus 52.4 and 51.7 (12
#: seeds); of the lowest 1 % of 11 654 formation heats 26.8 and 24.4 of 127 (20 seeds, not significant).
_BOUND = 1.0


class LogExpectedImprovement(Marginal):
    """log E[(u − best)⁺]; for a target or window the improvement of the margin to its nearer edge."""

    name = 'log_ei'
    words = 'the logarithm of the expected improvement'
    citations: ClassVar[tuple[str, ...]] = ('logei2023', 'ego1998')
    single = True

    def shrinks(self, problem: SearchProblem) -> bool:
        """A utility that rises or falls throughout is convex above the best; a tent is not."""
        return super().shrinks(problem) and all(utility.sign for utility in problem.utilities)

    def value(self, problem: SearchProblem, inputs: Array, marginals: Marginals) -> Array:
        utility = problem.utilities[0]
        return utility.log_gain(*marginals[utility.property], problem.best())


def upper_bound(problem: SearchProblem, marginals: Marginals, deviations: float) -> Array:
    """u(μ) and so many deviations of it, the mean over the objectives, shape (n,)."""
    bounds = [
        utility.value(mean) + deviations * utility.deviation(deviation)
        for utility in problem.utilities
        for mean, deviation in [marginals[utility.property]]
    ]
    return np.asarray(np.mean(bounds, axis=0))


class UpperConfidenceBound(Marginal):
    """u(μ) + σ, the mean over the objectives: every utility is 1-Lipschitz, so that it bounds composite ones too."""

    name = 'ucb'
    words = 'an upper confidence bound'
    citations = ('ucb2010',)

    def value(self, problem: SearchProblem, inputs: Array, marginals: Marginals) -> Array:
        return upper_bound(problem, marginals, _BOUND)


class PosteriorMean(Marginal):
    """u(μ), the mean over the objectives: pure exploitation."""

    name = 'posterior_mean'
    words = 'the predicted mean'

    def value(self, problem: SearchProblem, inputs: Array, marginals: Marginals) -> Array:
        values = [utility.value(marginals[utility.property][0]) for utility in problem.utilities]
        return np.asarray(np.mean(values, axis=0))
