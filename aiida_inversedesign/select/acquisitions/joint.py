"""Joint expected improvement of a batch from joint draws of the surrogate (qLogEI).

Source: Ginsbourger, Le Riche and Carraro 2010; Wilson, Hutter and Deisenroth, NeurIPS 2018 (sequential greedy).
Without pending candidates it is the closed form; candidates that no draw improves follow in the order of the closed
form, where Ament et al., NeurIPS 2023, smooth the draws for their gradients.
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.select.acquisitions.improvement import LogExpectedImprovement
from aiida_inversedesign.select.problem import SearchProblem
from aiida_inversedesign.select.rule import ranked_gains, refined

#: Joint draws: BoTorch's default for its Monte Carlo acquisitions.
_SAMPLES = 512


class JointLogExpectedImprovement(LogExpectedImprovement):
    """log E[(max over the candidate and the pending ones of u, less the best so far)⁺] − that of the pending ones."""

    name = 'qlog_ei'
    words = 'the logarithm of the expected improvement of the batch'
    citations = ('logei2023', 'ego1998')

    def shrinks(self, problem: SearchProblem) -> bool:
        """Up to the noise of the draws, which is no guarantee."""
        return False

    def score(self, problem: SearchProblem, inputs: Array, pending: Array) -> Array:
        first = super().score(problem, inputs, pending)
        if not len(pending):
            return first
        utility, best = problem.utilities[0], problem.best()
        model = problem.models[utility.property]

        def exact(short: Integers) -> Array:
            points = inputs[short]
            drawn = utility.value(model.sample(np.concatenate([pending, points]), _SAMPLES, problem.seed))
            level = np.maximum(drawn[:, : len(pending)].max(axis=1), best)
            gains = np.maximum(drawn[:, len(pending) :] - level[:, None], 0.0).mean(axis=0)
            return ranked_gains(gains, first[short]) + problem.log_weight(points, problem.marginals(points))

        return refined(first, exact)
