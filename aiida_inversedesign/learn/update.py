"""A fitted surrogate that is told of further evaluations, without choosing or optimising anything again.

Kinds of models, kernels, length scales and calibration stay as they were fitted; what follows from the data by linear
algebra or by growing trees again (weights, base rates, leaves) is computed from all rows. It costs one factorisation in
place of some hundreds, so that every choice of an asynchronous campaign knows every result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.learn.models.ensemble import Ensemble
from aiida_inversedesign.learn.models.gp import GaussianProcess
from aiida_inversedesign.learn.models.hurdle import Hurdle
from aiida_inversedesign.learn.models.mixture import Mixture
from aiida_inversedesign.learn.models.multitask import MultiTask
from aiida_inversedesign.learn.models.transfer import Transfer
from aiida_inversedesign.learn.regressor import Regressor, RegressorError
from aiida_inversedesign.learn.surrogate import Surrogate, values_of

Array = NDArray[np.float64]


def knows(surrogate: Surrogate, rows: Sequence[EvaluationRow]) -> bool:
    """Whether the surrogate was fitted to as many evaluations as these."""
    return surrogate.failure is None or len(surrogate.failure.X) >= len(rows)


def with_rows(surrogate: Surrogate, rows: Sequence[EvaluationRow], space: SpaceSection) -> Surrogate:
    """The surrogate as it is after all of these evaluations.

    :param rows: every evaluation so far, those that it was fitted to included.
    :param space: what was evaluated.
    """
    inputs = surrogate.inputs(space, [row.proposed for row in rows], [row.probability for row in rows])
    models = {}
    for name, model in surrogate.models.items():
        values = values_of(rows, name)
        known = np.isfinite(values)
        models[name] = refitted(model, inputs[known], values[known])
    failure = surrogate.failure
    if failure is not None:
        failure = failure.with_rows(inputs, np.array([row.status == 'failed' for row in rows], dtype=bool))
    return replace(surrogate, models=models, failure=failure)


def refitted(model: Regressor, X: Array, y: Array) -> Regressor:
    """The same model with other training rows.

    :param X: inputs, shape (n, d), standardised as those that it was fitted to.
    :param y: targets, shape (n,).
    :raises RegressorError: if it is of a kind that cannot be told of rows.
    """
    if isinstance(model, GaussianProcess):
        return _process(model, X, y)
    if isinstance(model, Ensemble):
        return type(model).from_state({**model.state(), 'X': X, 'y': y, 'pending': []})
    if isinstance(model, Transfer):
        extended = model.extended(X)
        return replace(model, process=_process(model.process, extended, y - extended[:, X.shape[1] :] @ model.slopes))
    if isinstance(model, MultiTask):
        return model.with_rows(X, y)
    if isinstance(model, Mixture):
        return replace(model, parts=tuple(refitted(part, X, y) for part in model.parts))
    if isinstance(model, Hurdle):
        other = y != model.usual
        # up to three rows with another value are described by their mean: a fit decides about that
        process = _process(model.process, X[other], y[other]) if other.sum() > len(model.process.y) else model.process
        return replace(model, chance=model.chance.with_rows(X, other), process=process, X=X, y=y)
    raise RegressorError(f'a {model.kind} cannot be told of further rows: fit it again')


def _process(model: GaussianProcess, X: Array, y: Array) -> GaussianProcess:
    told = GaussianProcess.assemble(X, y, model.offset, model.scale, model.kernel, model.noise)
    return replace(told, outputscale=model.outputscale)
