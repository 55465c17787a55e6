"""The probability of a hit, or else of an improvement: products over the properties of differences of Φ.

Source: Spacier (Nanjo et al., npj Comput. Mater. 2025), whose "PI" it is.
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import narrow
from aiida_inversedesign.select.problem import Marginals, SearchProblem
from aiida_inversedesign.select.rule import Marginal


class Probability(Marginal):
    """log ∏ P(low ≤ y ≤ high) over the objectives and constraints.

    An objective without a hit threshold contributes the probability that it improves on its best value so far.
    Conditioning on pending candidates sharpens the prediction around them, which can raise it as well.
    """

    name = 'pi'
    words = 'the probability of a hit or an improvement'
    citations = ('spacier2025', 'activesearch2012')

    def shrinks(self, problem: SearchProblem) -> bool:
        """No: see above."""
        return False

    def looked_at(self, problem: SearchProblem) -> frozenset[str]:
        """Constraints on a property that has a window are part of that window."""
        return frozenset(utility.property for utility in problem.utilities if utility.has_hits)

    def value(self, problem: SearchProblem, inputs: Array, marginals: Marginals) -> Array:
        total = np.zeros(len(inputs))
        windows: dict[str, tuple[float, float]] = {}
        for index, utility in enumerate(problem.utilities):
            if utility.has_hits:
                narrow(windows, utility.property, utility.low, utility.high)
            else:
                total += utility.log_above(*marginals[utility.property], problem.best(index))
        for name, (low, high) in windows.items():
            least, most = problem.intervals.get(name, (-np.inf, np.inf))
            total += problem.log_between(name, inputs, marginals, max(low, least), min(high, most))
        return total
