"""A Gaussian process for one property: Matérn 5/2 with dimension-scaled priors, fast, and with a plain state.

It is the model of BoTorch's ``SingleTaskGP`` (same priors, same maximum of the posterior), with factors of its own so
that 100 000 candidates are predicted in seconds and pending points cost one update of the Cholesky factor. Its variance
is not fitted by the likelihood but by leaving rows out (Bachoc, Comput. Stat. Data Anal. 66, 55 (2013)), so that
intervals hold where the kernel is not quite right.

What is called noise is what the descriptors do not resolve: an evaluation of the same crystal repeats itself, one of
a neighbour does not. The deviation of a prediction therefore contains it. Where evaluations do not repeat themselves,
the standard errors of the targets are a second, known part of the noise (Rasmussen and Williams, Gaussian Processes for
Machine Learning, section 2.2, with one variance for each row); a prediction then contains their mean square.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.surrogate import Fit, Regressor, Setting, SurrogateKind
from aiida_inversedesign.learn.calibrate import deviation_factor
from aiida_inversedesign.learn.models.kernel import Kernel, start
from aiida_inversedesign.learn.models.posterior import FIRST_NOISE, constant_mean, optimise
from aiida_inversedesign.learn.regressor import (
    RegressorError,
    check_inputs,
    check_training,
    normal_within,
    target_scale,
)
from aiida_inversedesign.learn.threads import one_thread

#: Version of the layout of :meth:`GaussianProcess.state`.
STATE_VERSION = 2
#: Rows predicted at once (memory: about three times chunk × training rows doubles).
_CHUNK = 2048
#: Points up to which joint draws are exact; beyond, they are made of random features.
_EXACT = 1000
#: Standard errors are expected of new candidates up to this multiple of that which nine of ten rows keep. By judgement.
UNUSUAL = 3.0
#: Random features of a joint draw, by judgement: their error is about 1/√2048 = 2 % of the prior variance.
_FEATURES = 2048


class GpError(RegressorError):
    """Training data from which no Gaussian process can be made."""


@dataclass(frozen=True)
class _Factor:
    """The covariance of the training rows, factorised: lower triangle, its inverse, and the weights of the mean."""

    lower: Array
    inverse: Array
    alpha: Array


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted Gaussian process; predictions are in the units of its targets.

    :param X: training inputs, shape (n, d), already scaled.
    :param y: training targets, shape (n,), in their own unit.
    :param offset: mean of the targets.
    :param scale: standard deviation of the targets, or its stand-in (see ``base.target_scale``).
    :param kernel: covariance of the standardised targets (y − offset) / scale, of unit variance.
    :param noise: variance that the descriptors do not resolve, in the same units.
    :param mean: constant mean of the standardised targets.
    :param errors: known standard error of each target in its unit, 0 where there is none, shape (n,).
    """

    X: Array
    y: Array
    offset: float
    scale: float
    kernel: Kernel
    noise: float
    mean: float
    outputscale: float
    errors: Array
    _factor: _Factor = field(repr=False, compare=False)

    kind = 'gp'
    normal = True

    @classmethod
    def assemble(
        cls,
        X: Array,
        y: Array,
        offset: float,
        scale: float,
        kernel: Kernel,
        noise: float,
        mean: float | None = None,
        errors: Array | None = None,
    ) -> GaussianProcess:
        """A process with given hyperparameters and an output scale of one.

        :param mean: by default the one that maximises the likelihood.
        :param errors: standard errors of the targets, shape (n,), NaN where there is none; None: of no target.
        :raises GpError: if the covariance cannot be factorised.
        """
        from scipy.linalg import LinAlgError, cholesky, solve_triangular

        errors = np.zeros(len(y)) if errors is None else np.nan_to_num(errors)
        with one_thread():
            covariance = kernel(X, X)
            covariance.flat[:: len(X) + 1] = 1.0 + (noise + (errors / scale) ** 2)
            try:
                lower = cholesky(covariance, lower=True)
            except LinAlgError as error:
                raise GpError(f'the Gaussian process could not be fitted to {len(y)} rows: {error}') from error
            inverse = solve_triangular(lower, np.eye(len(X)), lower=True)
            z = (y - offset) / scale
            if mean is None:
                mean = constant_mean(inverse.T @ inverse, z)
            alpha = inverse.T @ (inverse @ (z - mean))
        return cls(X, y, offset, scale, kernel, noise, mean, 1.0, errors, _Factor(lower, inverse, alpha))

    @property
    def _new_noise(self) -> float:
        """Variance of an evaluation of a new candidate about the smooth function, before the output scale.

        One row whose error is far larger than usual, such as a bulk modulus of energies that jump, says little of it.
        """
        squares = (self.errors / self.scale) ** 2
        usual = float(np.quantile(squares, 0.9, method='lower'))
        return self.noise + float(np.minimum(squares, UNUSUAL**2 * usual).mean())

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the property of each crystal, each of shape (m,).

        :param X: inputs, shape (m, d), scaled as the training inputs were.
        """
        X = check_inputs(X, self.X.shape[1])
        means, variances = np.empty(len(X)), np.empty(len(X))
        with one_thread():
            for begin in range(0, len(X), _CHUNK):
                chunk = slice(begin, begin + _CHUNK)
                cross = self.kernel(X[chunk], self.X)
                means[chunk] = self.mean + cross @ self._factor.alpha
                explained = cross @ self._factor.inverse.T
                variances[chunk] = 1.0 + self._new_noise - np.einsum('ij,ij->i', explained, explained)
        variances = np.maximum(variances, 1e-12) * self.outputscale
        return means * self.scale + self.offset, np.sqrt(variances) * self.scale

    def slopes(self, X: Array) -> tuple[Array, Array]:
        """Derivatives of mean and standard deviation with respect to the inputs, each of shape (m, d).

        :param X: inputs, shape (m, d), scaled as the training inputs were.
        :raises RegressorError: if the inputs have another number of columns or are not finite.
        """
        X = check_inputs(X, self.X.shape[1])
        with one_thread():
            cross = self.kernel(X, self.X)
            explained = cross @ self._factor.inverse.T
            variances = 1.0 + self._new_noise - np.einsum('ij,ij->i', explained, explained)
            means = self.kernel.slopes(X, self.X, np.broadcast_to(self._factor.alpha, cross.shape))
            # of half the variance
            halves = -self.kernel.slopes(X, self.X, explained @ self._factor.inverse)
        roots = np.sqrt(np.maximum(variances, 1e-12))[:, None]
        return means * self.scale, halves / roots * np.sqrt(self.outputscale) * self.scale

    def within(self, X: Array, low: float, high: float) -> Array:
        """Probability that the property lies between two bounds, shape (m,)."""
        return normal_within(*self.predict(X), low, high)

    def left_out(self, groups: Integers | None = None) -> tuple[Array, Array]:
        """Mean and deviation of each training row predicted from all others, hyperparameters kept, shape (n,).

        Closed form: Rasmussen and Williams, Gaussian Processes for Machine Learning, eq. 5.12; of several rows at once
        it holds with blocks of the precision instead of its diagonal.

        :param groups: rows with the same number are left out together, shape (n,); by default each by itself.
        """
        inverse, alpha = self._factor.inverse, self._factor.alpha
        with one_thread():
            precision = np.einsum('ij,ij->j', inverse, inverse)
            means = self.y - alpha / precision * self.scale
            deviations = np.sqrt(self.outputscale / precision) * self.scale
            for group in [] if groups is None else np.flatnonzero(np.bincount(groups) > 1):
                rows = np.flatnonzero(groups == group)
                block = np.linalg.inv(inverse[:, rows].T @ inverse[:, rows])
                means[rows] = self.y[rows] - block @ alpha[rows] * self.scale
                deviations[rows] = np.sqrt(self.outputscale * np.diag(block)) * self.scale
        return means, deviations

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the property at all points jointly, shape (number, m).

        Exact up to 1 000 points; beyond, random features corrected by the data (Wilson et al., ICML 2020).
        """
        X = check_inputs(X, self.X.shape[1])
        rng = np.random.default_rng(seed)
        with one_thread():
            smooth = self._draw_exactly(X, number, rng) if len(X) <= _EXACT else self._draw_paths(X, number, rng)
        spread = np.sqrt(self._new_noise * self.outputscale) * rng.standard_normal((number, len(X)))
        return np.asarray((smooth + spread) * self.scale + self.offset)

    def _draw_exactly(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        from scipy.linalg import cholesky

        cross = self.kernel(X, self.X)
        explained = cross @ self._factor.inverse.T
        covariance = self.kernel(X, X) - explained @ explained.T
        covariance.flat[:: len(X) + 1] += 1e-8
        root = np.sqrt(self.outputscale) * cholesky(covariance, lower=True) if len(X) else covariance
        return np.asarray(self.mean + cross @ self._factor.alpha + rng.standard_normal((number, len(X))) @ root.T)

    def _draw_paths(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """A draw from the prior plus what the data correct of it."""
        features = self.kernel.random_features(_FEATURES, rng)
        weights = rng.standard_normal((_FEATURES, number))
        blur = np.sqrt(self.noise + (self.errors / self.scale) ** 2)[:, None] * rng.standard_normal(
            (len(self.X), number)
        )
        misses = self._factor.inverse.T @ (self._factor.inverse @ (features(self.X) @ weights + blur))
        width = np.sqrt(self.outputscale)
        draws = np.empty((number, len(X)))
        for begin in range(0, len(X), _CHUNK):
            chunk = slice(begin, begin + _CHUNK)
            cross = self.kernel(X[chunk], self.X)
            path = width * (features(X[chunk]) @ weights - cross @ misses)
            draws[:, chunk] = (self.mean + cross @ self._factor.alpha)[None, :] + path.T
        return draws

    def condition(self, X: Array) -> GaussianProcess:
        """The same process as if points had been measured at their predicted mean; its mean does not change.

        :param X: pending points, shape (p, d).
        """
        from scipy.linalg import cholesky, solve_triangular

        if len(X) == 0:
            return self
        X = check_inputs(X, self.X.shape[1])
        old, n, p = self._factor, len(self.X), len(X)
        with one_thread():
            cross = self.kernel(X, self.X)
            border = cross @ old.inverse.T
            rest = self.kernel(X, X) - border @ border.T
            rest.flat[:: p + 1] += self._new_noise
            corner = cholesky(rest, lower=True)
            undone = solve_triangular(corner, np.eye(p), lower=True)
            lower, inverse = np.zeros((n + p, n + p)), np.zeros((n + p, n + p))
            lower[:n, :n], lower[n:, :n], lower[n:, n:] = old.lower, border, corner
            inverse[:n, :n], inverse[n:, :n], inverse[n:, n:] = old.inverse, -undone @ border @ old.inverse, undone
            means = (self.mean + cross @ old.alpha) * self.scale + self.offset
        factor = _Factor(lower, inverse, np.concatenate([old.alpha, np.zeros(p)]))
        errors = np.concatenate([self.errors, np.full(p, np.sqrt(np.mean(self.errors**2)))])
        y = np.concatenate([self.y, means])
        return replace(self, X=np.vstack([self.X, X]), y=y, errors=errors, _factor=factor)

    def with_factor(self, factor: float) -> GaussianProcess:
        """The same process with deviations of another width."""
        return replace(self, outputscale=factor**2)

    def with_rows(self, X: Array, y: Array, errors: Array | None = None) -> GaussianProcess:
        """The process of other rows: hyperparameters, scale and calibration are kept."""
        process = GaussianProcess.assemble(X, y, self.offset, self.scale, self.kernel, self.noise, errors=errors)
        return replace(process, outputscale=self.outputscale)

    def state(self) -> dict[str, Any]:
        """Everything that is needed to predict the same again, as plain JSON data."""
        import scipy

        return {
            'version': STATE_VERSION,
            'kind': 'gp',
            'X': self.X.tolist(),
            'y': self.y.tolist(),
            **({'errors': self.errors.tolist()} if self.errors.any() else {}),
            'offset': self.offset,
            'scale': self.scale,
            'hyperparameters': {
                'kernel': self.kernel.state(),
                'noise': self.noise,
                'mean': self.mean,
                'outputscale': self.outputscale,
            },
            'versions': {
                'python': platform.python_version(),
                'numpy': np.__version__,
                'scipy': str(scipy.__version__),
            },
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GaussianProcess:
        """The process of :meth:`state`; nothing is optimised again.

        :raises GpError: if the state is of an unknown version or lacks a hyperparameter.
        """
        if state.get('version') != STATE_VERSION:
            raise GpError(f'state of a gp of version {state.get("version")!r}; this package reads {STATE_VERSION}')
        X = np.array(state['X'], dtype=np.float64)
        y = np.array(state['y'], dtype=np.float64)
        values = state['hyperparameters']
        expected = {'kernel', 'noise', 'mean', 'outputscale'}
        if set(values) != expected:
            raise GpError(f'hyperparameters {sorted(values)} where {sorted(expected)} are expected')
        kernel = Kernel.from_state(values['kernel'])
        offset, scale, noise, mean = (
            float(item) for item in (state['offset'], state['scale'], values['noise'], values['mean'])
        )
        errors = np.array(state.get('errors', np.zeros(len(y))), dtype=np.float64)
        process = cls.assemble(X, y, offset, scale, kernel, noise, mean, errors)
        return replace(process, outputscale=float(values['outputscale']))


def fit_gp(
    X: Array,
    y: Array,
    form: str = 'iso',
    composition: NDArray[np.bool_] | None = None,
    errors: Array | None = None,
) -> GaussianProcess:
    """Fit by the maximum of the marginal posterior; the same data give the same process.

    Rows with equal inputs and different targets are allowed: the noise takes up the difference. Where the targets
    carry no scale (one row, or all equal) nothing is optimised: the length scale stays at √d, and the
    prior standard deviation is a tenth of the target's size (1 if that is zero).

    :param X: inputs, shape (n, d), scaled to about unit variance.
    :param y: targets, shape (n,).
    :param form: of the kernel: ``iso``, ``ard`` or ``mixed`` (see ``kernel``).
    :param composition: which columns describe the composition, shape (d,); needed by ``mixed``.
    :param errors: standard errors of the targets, shape (n,), NaN where there is none; None: of no target.
    :raises RegressorError: if there are no rows, the shapes differ, or a number is not finite.
    """
    from scipy.linalg import LinAlgError

    X, y = check_training(X, y)
    if form not in ('iso', 'ard', 'mixed'):
        raise GpError(f'unknown kernel {form!r}: use iso, ard or mixed')
    offset, scale, flat = target_scale(y)
    z = (y - offset) / scale
    kernel, noise = start('iso' if form == 'ard' else form, X.shape[1], composition), FIRST_NOISE
    if flat:
        return GaussianProcess.assemble(X, y, offset, scale, kernel, noise, errors=errors)
    known = np.zeros(len(y)) if errors is None else (np.nan_to_num(errors) / scale) ** 2
    try:
        with one_thread():
            kernel, noise = optimise(kernel, X, z, known)
            if form == 'ard':
                kernel, noise = optimise(kernel.by_column(), X, z, known)
    except LinAlgError as error:
        raise GpError(f'the Gaussian process could not be fitted to {len(y)} rows: {error}') from error
    process = GaussianProcess.assemble(X, y, offset, scale, kernel, noise, errors=errors)
    means, deviations = process.left_out()
    return replace(process, outputscale=deviation_factor((y - means) / deviations) ** 2)


def fit_ard(X: Array, y: Array, setting: Setting) -> GaussianProcess:
    """Fit to X, shape (n, d), and y, shape (n,), with one length scale per column."""
    return fit_gp(X, y, 'ard', errors=setting.errors)


class GaussianProcessKind(SurrogateKind):
    """A Gaussian process of the property alone; the forms of the kernel compete."""

    name = 'gp'
    regressor = GaussianProcess
    words = 'Gaussian processes with a Matérn 5/2 kernel and the priors of BoTorch'
    citations = ('botorch2020',)

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        return fit_gp(X, y, errors=setting.errors)

    def recipes(self, setting: Setting) -> dict[str, Fit]:
        """One length scale, one per column, and composition and structure mixed where both are there."""
        mask = setting.composition
        found: dict[str, Fit] = {'gp/iso': self.fit, 'gp/ard': fit_ard}
        if mask is not None and mask.any() and not mask.all():
            found['gp/mixed'] = lambda X, y, setting: fit_gp(X, y, 'mixed', setting.composition, setting.errors)
        return found
