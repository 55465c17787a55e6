"""Thompson sampling: each slot of a batch goes to the best candidate of one draw of the surrogate.

Source: Thompson 1933; for batches Kandasamy et al., AISTATS 2018. A joint draw of a large pool is not affordable, so
that it is made over the candidates with the highest upper bounds u(μ) + 3σ: the others would have to be three standard
deviations luckier than they are expected to be even to enter.
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.acquisition import Acquisition
from aiida_inversedesign.select.acquisitions.improvement import upper_bound
from aiida_inversedesign.select.problem import SearchProblem
from aiida_inversedesign.select.rule import in_chunks, refined

#: Deviations above the mean by which the candidates of a draw are preselected: one in 700 would pass them.
_BOUND = 3.0


class Thompson(Acquisition):
    """The utility in one joint draw of the posterior, the mean over the objectives."""

    name = 'thompson'
    words = 'Thompson sampling'
    citations = ('thompson1933',)

    def score(self, problem: SearchProblem, inputs: Array, pending: Array) -> Array:
        """The utility in a draw; each number of pending candidates has a draw of its own."""

        def bound(points: Array) -> Array:
            marginals = problem.marginals(points)
            return np.asarray(upper_bound(problem, marginals, _BOUND) + problem.log_weight(points, marginals))

        def draw(short: Integers) -> Array:
            points = inputs[short]
            seed = int(np.random.SeedSequence([problem.seed, len(pending)]).generate_state(1)[0])
            drawn = {
                name: problem.models[name].sample(points, 1, seed + index)[0]
                for index, name in enumerate(dict.fromkeys(utility.property for utility in problem.utilities))
            }
            values = [utility.value(drawn[utility.property]) for utility in problem.utilities]
            return np.asarray(np.mean(values, axis=0) + problem.log_weight(points, problem.marginals(points)))

        return refined(in_chunks(bound, inputs), draw)
