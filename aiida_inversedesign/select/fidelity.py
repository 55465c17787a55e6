"""Whether asking a cheaper method about a candidate is worth more for its cost than an evaluation.

What the cheaper method says is a lower fidelity. The gain of an evaluation is its expected improvement; that of asking
the cheaper method is the same times the correlation of the two, times the ratio of the costs (the augmented expected
improvement of Huang, Allen, Notz and Miller, Struct. Multidisc. Optim. 32, 369 (2006), eq. 12, without replicates).
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.goal import Objective
from aiida_inversedesign.select.utility import Utility


def worth_asking(
    objective: Objective, mean: Array, deviation: Array, unknown: Array, observed: Array, ratio: float
) -> Integers:
    """Indices of candidates about which asking is worth more for its cost than any evaluation.

    :param mean: what the surrogate predicts of the property, shape (n,).
    :param deviation: its standard deviation, where the estimate is exact, shape (n,).
    :param unknown: standard deviation of what the cheaper method would say, shape (n,); 0 where it was asked, or cannot
        be. The slope of the estimate is taken as 1: this adds to ``deviation``.
    :param observed: values of the property so far, shape (m,).
    :param ratio: how many questions cost as much as one evaluation.
    :returns: the most worth first, no more than the cost of one evaluation.
    """
    total = np.sqrt(deviation**2 + unknown**2)
    utility = Utility.of(objective, 0.0, 1.0)
    gain = utility.log_gain(mean, total, float(utility.value(observed).max()))
    with np.errstate(divide='ignore', invalid='ignore'):
        asking = np.where(unknown > 0, gain + np.log(unknown / total) + np.log(ratio), -np.inf)
    chosen = np.flatnonzero(asking > gain.max())
    return np.asarray(chosen[np.argsort(-asking[chosen], kind='stable')][: int(ratio)], dtype=np.int64)
