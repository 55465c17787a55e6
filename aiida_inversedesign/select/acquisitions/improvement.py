"""Acquisitions in closed form: expected improvement, probability of improvement, upper bound, posterior mean.

Sources: Jones, Schonlau and Welch 1998 (EI); Ament et al., NeurIPS 2023 (its logarithm); Srinivas et al., ICML 2010
(UCB); Kushner 1964 (PI).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.problem import Marginals, Problem
from aiida_inversedesign.select.rule import in_chunks

Array = NDArray[np.float64]

#: Standard deviations of the upper confidence bound. One finds more than two of the best 5 % of 1 181 crystals in 100
#: evaluations: shear modulus 41.7 [39.6, 43.2] and 37.7 [36.9, 38.4] of 60 (16 seeds), bulk modulus 52.4 and 51.7 (12
#: seeds); of the lowest 1 % of 11 654 formation heats 26.8 and 24.4 of 127 (20 seeds, not significant).
_BOUND = 1.0


class _Marginal:
    """An acquisition that needs the mean and standard deviation of each candidate only."""

    name: ClassVar[str]
    #: Whether it is defined for one objective only.
    single: ClassVar[bool] = False

    def shrinks(self, problem: Problem) -> bool:
        """Conditioning keeps the means and lowers the deviations: true where the score rises with the deviation."""
        # a probability of feasibility can rise when the prediction gets sharper
        return not problem.intervals

    def refuses(self, goal: Goal) -> str:
        """Why it cannot serve this goal; empty if it can."""
        if self.single and len(goal.objectives) > 1:
            return f'{self.name} is for one objective; for {len(goal.objectives)} use log_ehvi, log_nehvi or pi'
        return ''

    def score(self, problem: Problem, inputs: Array, pending: Array) -> Array:
        """See :class:`~aiida_inversedesign.select.rule.Rule`."""
        given = problem.given(pending)

        def part(points: Array) -> Array:
            marginals = given.marginals(points)
            return self.value(given, points, marginals) + given.log_weight(points, marginals, self.looked_at(given))

        return in_chunks(part, inputs)

    def looked_at(self, problem: Problem) -> frozenset[str]:
        """Properties whose constraints :meth:`value` takes into account itself."""
        return frozenset()

    def value(self, problem: Problem, inputs: Array, marginals: Marginals) -> Array:
        """Value without the probability of feasibility, shape (n,)."""
        raise NotImplementedError


class LogExpectedImprovement(_Marginal):
    """log E[(u − best)⁺]; for a target or window the improvement of the margin to its nearer edge."""

    name = 'log_ei'
    single = True

    def shrinks(self, problem: Problem) -> bool:
        """A utility that rises or falls throughout is convex above the best; a tent is not."""
        return super().shrinks(problem) and all(utility.sign for utility in problem.utilities)

    def value(self, problem: Problem, inputs: Array, marginals: Marginals) -> Array:
        """See above."""
        utility = problem.utilities[0]
        return utility.log_gain(*marginals[utility.property], problem.best())


class UpperConfidenceBound(_Marginal):
    """u(μ) + σ, the mean over the objectives: every utility is 1-Lipschitz, so that it bounds composite ones too."""

    name = 'ucb'

    def value(self, problem: Problem, inputs: Array, marginals: Marginals) -> Array:
        """See above."""
        bounds = [
            utility.value(mean) + _BOUND * utility.deviation(deviation)
            for utility in problem.utilities
            for mean, deviation in [marginals[utility.property]]
        ]
        return np.asarray(np.mean(bounds, axis=0))


class PosteriorMean(_Marginal):
    """u(μ), the mean over the objectives: pure exploitation."""

    name = 'posterior_mean'

    def value(self, problem: Problem, inputs: Array, marginals: Marginals) -> Array:
        """See above."""
        values = [utility.value(marginals[utility.property][0]) for utility in problem.utilities]
        return np.asarray(np.mean(values, axis=0))
