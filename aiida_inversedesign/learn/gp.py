"""A Gaussian process for one property: Matérn 5/2 with a dimension-scaled prior, and a plain, exact state.

Length scale: log-normal prior that widens with the square root of the dimension d (Hvarfner, Hellsten, Nardi,
ICML 2024). One length scale serves all descriptors, and its optimisation starts at √d. Measured on 1 181 bulk
moduli (de Jong 2015), 33 descriptors, medians over 10 to 20 random training sets, rank correlation / MAE in GPa:
10 rows 0.69 / 49 (one scale per descriptor 0.57 / 60; principal components 0.69 / 49), 20 rows 0.85 / 32
(0.66 / 59; 0.83 / 33), 50 rows 0.92 / 21 (0.93 / 19; 0.92 / 21). One scale per descriptor stays stuck at its prior
until about 50 rows and then costs five to eight times the time.
"""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.reproducible import reproducible

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP

Array = NDArray[np.float64]

#: Version of the layout of :meth:`GaussianProcess.state`.
STATE_VERSION = 1
#: Rows predicted at once (memory: chunk × training rows doubles).
_CHUNK = 8192


class GpError(InverseDesignError):
    """Training data from which no Gaussian process can be made."""


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted Gaussian process; predictions are in the units of its targets.

    :param X: training inputs, shape (n, d), already scaled.
    :param y: training targets, shape (n,), in their own unit.
    :param offset: mean of the targets.
    :param scale: standard deviation of the targets, or its stand-in (see :func:`fit_gp`).
    :param model: the BoTorch model of the standardised targets (y − offset) / scale.
    """

    X: Array
    y: Array
    offset: float
    scale: float
    model: SingleTaskGP

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the property itself (no noise added), each of shape (m,).

        :param X: inputs, shape (m, d), scaled as the training inputs were.
        :raises GpError: if the inputs have another number of columns or are not finite.
        """
        import torch

        X = np.atleast_2d(np.asarray(X, dtype=np.float64))
        if X.shape[1] != self.X.shape[1]:
            raise GpError(f'fitted on {self.X.shape[1]} descriptors, asked about {X.shape[1]}')
        if not np.isfinite(X).all():
            raise GpError('descriptors contain NaN or infinity')
        means, deviations = [np.empty(0)], [np.empty(0)]
        with torch.no_grad(), reproducible(0):
            for start in range(0, len(X), _CHUNK):
                # one point per batch entry: the variances are wanted, not the covariance of the whole pool
                posterior = self.model.posterior(torch.from_numpy(X[start : start + _CHUNK]).unsqueeze(-2))
                means.append(posterior.mean.reshape(-1).numpy())
                deviations.append(posterior.variance.clamp_min(0).sqrt().reshape(-1).numpy())
        return np.concatenate(means) * self.scale + self.offset, np.concatenate(deviations) * self.scale

    def state(self) -> dict[str, Any]:
        """Everything that is needed to predict the same again, as plain JSON data."""
        import botorch
        import gpytorch
        import torch

        return {
            'version': STATE_VERSION,
            'X': self.X.tolist(),
            'y': self.y.tolist(),
            'offset': self.offset,
            'scale': self.scale,
            'hyperparameters': {name: value.tolist() for name, value in self.model.named_parameters()},
            'versions': {
                'python': platform.python_version(),
                'torch': str(torch.__version__),
                'gpytorch': str(gpytorch.__version__),
                'botorch': str(botorch.__version__),
            },
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GaussianProcess:
        """The process of :meth:`state`; nothing is optimised again.

        :raises GpError: if the state is of another version or lacks a hyperparameter.
        """
        import torch

        if state.get('version') != STATE_VERSION:
            raise GpError(f'surrogate state of version {state.get("version")!r}; this package reads {STATE_VERSION}')
        X = np.array(state['X'], dtype=np.float64)
        y = np.array(state['y'], dtype=np.float64)
        model = _build(X, (y - state['offset']) / state['scale'])
        known = dict(model.named_parameters())
        if set(known) != set(state['hyperparameters']):
            raise GpError(f'hyperparameters {sorted(state["hyperparameters"])} where {sorted(known)} are expected')
        with torch.no_grad():
            for name, value in state['hyperparameters'].items():
                known[name].copy_(torch.tensor(value, dtype=torch.double))
        model.eval()
        return cls(X, y, float(state['offset']), float(state['scale']), model)


def fit_gp(X: Array, y: Array, seed: int = 0) -> GaussianProcess:
    """Fit by the maximum of the marginal posterior; the same data and seed give the same process.

    Rows with equal inputs and different targets are allowed: the noise takes up the difference. Where the targets
    carry no scale (one row, or all equal) nothing is optimised: the length scale stays at √d, and the
    prior standard deviation is a tenth of the target's size (1 if that is zero).

    :param X: inputs, shape (n, d), scaled to about unit variance.
    :param y: targets, shape (n,).
    :raises GpError: if there are no rows, the shapes differ, or a number is not finite.
    """
    from botorch import fit_gpytorch_mll
    from botorch.exceptions.errors import ModelFittingError
    from gpytorch.mlls import ExactMarginalLogLikelihood

    X = np.array(X, dtype=np.float64)
    y = np.array(y, dtype=np.float64)
    if X.ndim != 2 or y.shape != (len(X),):
        raise GpError(f'inputs of shape {X.shape} and targets of shape {y.shape}: one target per row is needed')
    if len(X) == 0 or X.shape[1] == 0:
        raise GpError('no rows or no descriptors to learn from')
    for what, values in (('descriptors', X), ('targets', y)):
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(X), -1)).all(axis=1))
        if len(bad):
            raise GpError(f'{what} of row(s) {bad[:5].tolist()} contain NaN or infinity: leave these rows out')
    offset = float(y.mean())
    spread = float(y.std(ddof=1)) if len(y) > 1 else 0.0
    flat = spread <= 1e-9 * max(abs(offset), 1e-9)
    scale = (0.1 * abs(offset) or 1.0) if flat else spread
    with reproducible(seed):
        model = _build(X, (y - offset) / scale)
        if not flat:
            try:
                fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            except ModelFittingError as error:
                raise GpError(f'the Gaussian process could not be fitted to {len(y)} rows: {error}') from error
    model.eval()
    return GaussianProcess(X, y, offset, scale, model)


def _build(X: Array, z: Array) -> SingleTaskGP:
    """The unfitted model of standardised targets ``z``, its hyperparameters where the optimisation starts."""
    import torch
    from botorch.models import SingleTaskGP
    from gpytorch.constraints import GreaterThan
    from gpytorch.kernels import MaternKernel
    from gpytorch.priors import LogNormalPrior

    dimension = X.shape[1]
    kernel = MaternKernel(
        nu=2.5,
        lengthscale_prior=LogNormalPrior(loc=math.sqrt(2) + math.log(dimension) / 2, scale=math.sqrt(3)),
        lengthscale_constraint=GreaterThan(2.5e-2, transform=None, initial_value=math.sqrt(dimension)),
    )
    return SingleTaskGP(
        torch.from_numpy(X.copy()),
        torch.from_numpy(z.copy()).unsqueeze(-1),
        covar_module=kernel,
        outcome_transform=None,
    )
