"""A fitted surrogate that gets further evaluations, without choosing or optimising anything again.

Kinds of models, kernels, length scales and calibration stay as they were fitted; what follows from the data by linear
algebra or by growing trees again (weights, base rates, leaves) is computed from all rows. It costs one factorisation
instead of some hundreds, so that every choice of an asynchronous campaign knows every result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.learn.fit import errors_of, values_of
from aiida_inversedesign.learn.models.mixture import model_of_rows
from aiida_inversedesign.learn.surrogate import Surrogate


def knows(surrogate: Surrogate, rows: Sequence[EvaluationRow]) -> bool:
    """Whether the surrogate was fitted to as many evaluations as these."""
    return surrogate.failure is None or len(surrogate.failure.X) >= len(rows)


def with_rows(
    surrogate: Surrogate,
    rows: Sequence[EvaluationRow],
    space: SpaceSection,
    curves: Mapping[str, CurveRows] | None = None,
    noisy: bool = True,
) -> Surrogate:
    """The surrogate as it is after all of these evaluations.

    :param rows: every evaluation so far, those that it was fitted to included.
    :param curves: those of the rows, of properties that are numbers of curves.
    :param noisy: whether the engine measures; see :func:`.fit.errors_of`.
    """
    inputs = surrogate.inputs_of(space, rows)
    models = {}
    for name, model in surrogate.models.items():
        values = values_of(rows, name)
        known = np.isfinite(values)
        own = curves[name].at(known) if curves and name in curves else None
        errors = errors_of(rows, name, noisy)
        models[name] = model_of_rows(model, inputs[known], values[known], errors[known], own)
    failure = surrogate.failure
    if failure is not None:
        failure = failure.with_rows(inputs, np.array([row.status == 'failed' for row in rows], dtype=bool))
    return replace(surrogate, models=models, failure=failure)
