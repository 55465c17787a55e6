"""Kernels between inputs and between points of an axis, with their eigenvectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_inversedesign.arrays import Array

#: ``gaussian`` exp(−d²/2w²), ``laplacian`` exp(−|d|₁/w) with the sum of the absolute differences, ``exponential``
#: exp(−d/w) with the Euclidean distance, ``linear`` the inner product; on an axis the second and third are the same.
Form = Literal['gaussian', 'laplacian', 'exponential', 'linear']
#: Eigenvalues below this share of the largest carry nothing but rounding.
_TINY = 1e-10


@dataclass(frozen=True)
class Width:
    """A kernel; all but ``linear`` have unit variance.

    :param form: see :data:`Form`.
    :param width: in units of the typical distance of standardised inputs: the root of the number of columns (of sums
        of absolute differences the number).
    """

    form: Form
    width: float

    def __call__(self, A: Array, B: Array) -> Array:
        """Covariances of the rows of A, shape (n, d), and of B, shape (m, d): shape (n, m)."""
        from scipy.spatial.distance import cdist

        columns = A.shape[1]
        if self.form == 'linear':
            return np.asarray(A @ B.T / (self.width**2 * columns))
        if self.form == 'laplacian':
            # like `exponential` in one dimension; in several, of the same size at the same distance
            found = cdist(A, B, 'cityblock')
            found *= -1 / (self.width * columns)
        elif self.form == 'exponential':
            found = cdist(A, B)
            found *= -1 / (self.width * np.sqrt(columns))
        else:
            found = cdist(A, B, 'sqeuclidean')
            found *= -0.5 / (self.width**2 * columns)
        return np.asarray(np.exp(found, out=found))


def eigen(covariance: Array) -> tuple[Array, Array]:
    """Eigenvalues, shape (r,), and eigenvectors, shape (n, r), of a covariance; those that are rounding left out."""
    from scipy.linalg import eigh

    values, vectors = eigh(covariance, driver='evd', check_finite=False, overwrite_a=True)
    keep = values > _TINY * values[-1]
    return values[keep], vectors[:, keep]


@dataclass(frozen=True, eq=False)
class Systems:
    """What a kernel of the systems makes of training inputs: eigenvalues (r,), eigenvectors (n, r)."""

    X: Array
    kernel: Width
    values: Array
    vectors: Array

    @classmethod
    def of(cls, X: Array, kernel: Width) -> Systems:
        """Of training inputs, shape (n, d)."""
        if kernel.form == 'linear':
            left, sizes, _ = np.linalg.svd(X / (kernel.width * np.sqrt(X.shape[1])), full_matrices=False)
            keep = sizes**2 > _TINY * max(float(sizes[0]) ** 2, 1e-300)
            return cls(X, kernel, sizes[keep] ** 2, left[:, keep])
        return cls(X, kernel, *eigen(kernel(X, X)))

    def project(self, X: Array) -> Array:
        """Covariances of points and training inputs in the basis of the eigenvectors, shape (m, r)."""
        return np.asarray(self.kernel(X, self.X) @ self.vectors)
