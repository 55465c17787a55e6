"""A Gaussian process as a BoTorch model, for acquisition functions that come from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP

    from aiida_inversedesign.learn.models.gp import GaussianProcess

#: Variance that keeps factorisations sound, and length scale (in standard deviations) of what crystals do not share.
_LEAST_NOISE, _OWN_LENGTH = 1e-6, 1e-3


def botorch_model(process: GaussianProcess) -> SingleTaskGP:
    """The process of the standardised targets (y − offset) / scale.

    What the process calls noise stands in the covariance, as a part that no two crystals share: the latent function
    of this model is the property itself, whose deviation at a new crystal contains it.

    :param process: a fitted process; its hyperparameters are kept as they are.
    """
    import torch
    from botorch.models import SingleTaskGP
    from gpytorch.constraints import GreaterThan
    from gpytorch.likelihoods import GaussianLikelihood
    from gpytorch.means import ConstantMean

    z = (process.y - process.offset) / process.scale
    model = SingleTaskGP(
        torch.from_numpy(process.X.copy()),
        torch.from_numpy(z).unsqueeze(-1),
        likelihood=GaussianLikelihood(noise_constraint=GreaterThan(_LEAST_NOISE / 2)),
        covar_module=_covariance(process),
        mean_module=ConstantMean(),
        outcome_transform=None,
    ).to(torch.double)
    with torch.no_grad():
        model.likelihood.noise_covar.noise = _LEAST_NOISE
        model.mean_module.constant = process.mean
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model.eval()
    return model


def _covariance(process: GaussianProcess) -> Any:
    import torch
    from gpytorch.kernels import MaternKernel, ScaleKernel

    def matern(columns: Any, lengths: Any) -> Any:
        kernel = MaternKernel(nu=2.5, ard_num_dims=len(columns), active_dims=tuple(int(one) for one in columns))
        kernel.lengthscale = torch.tensor(np.asarray(lengths), dtype=torch.double)
        return kernel.to(torch.double)

    def scaled(kernel: Any, factor: float) -> Any:
        outer = ScaleKernel(kernel).to(torch.double)
        outer.outputscale = torch.tensor(max(factor, 1e-12), dtype=torch.double)
        return outer

    own, scale = process.kernel, process.outputscale
    lengths = own.lengths[own.groups]
    columns = np.arange(len(lengths))
    alone = scaled(matern(columns, np.full(len(columns), _OWN_LENGTH)), process.noise * scale - _LEAST_NOISE)
    if own.form != 'mixed':
        return scaled(matern(columns, lengths), scale) + alone
    pairs = [(np.flatnonzero(own.groups == group), own.lengths[group]) for group in (0, 1)]
    first, second = (matern(part, np.full(len(part), length)) for part, length in pairs)
    both = [matern(part, np.full(len(part), length)) for part, length in pairs]
    weights = own.weights * scale
    return scaled(first, weights[0]) + scaled(second, weights[1]) + scaled(both[0] * both[1], weights[2]) + alone
