"""What a cheaper method would say of candidates about which it was not asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.learn.models.gp import fit_gp
from aiida_inversedesign.learn.models.transfer import FITTED
from aiida_inversedesign.learn.scaling import scaling, standardised


def expected_estimates(features: Array, asked: Sequence[int], values: Array) -> tuple[Array, Array]:
    """What the method says or would say of each candidate, by a Gaussian process of its answers, and how sure that is.

    :param features: descriptors of all candidates, shape (n, d).
    :param asked: indices of those about which it was asked; of more than ``transfer.FITTED`` the last are fitted.
    :param values: its answers, shape (n,), finite where it was asked.
    :returns: mean and standard deviation, each of shape (n,): the answer and 0 where it was asked.
    """
    inputs = standardised(features, *scaling(features))
    rows, known = np.array(asked[-FITTED:], dtype=np.int64), np.array(asked, dtype=np.int64)
    mean, deviation = fit_gp(inputs[rows], values[rows], 'ard').predict(inputs)
    mean[known], deviation[known] = values[known], 0.0
    return mean, deviation
