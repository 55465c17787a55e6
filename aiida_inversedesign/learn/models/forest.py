"""A random forest for one property: it needs no length scale, and takes jumps and irrelevant columns calmly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.surrogate import Regressor, Setting, SurrogateKind
from aiida_inversedesign.learn.models.ensemble import Ensemble, check_state
from aiida_inversedesign.learn.regressor import check_training, target_scale

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor


#: scikit-learn's default.
TREES = 100
#: Share of the columns that a split may use.
_COLUMNS = 1 / 3
#: Least standard deviation of a leaf, in standard deviations of the targets.
_LEAST = 0.05


@dataclass(frozen=True)
class Forest(Ensemble):
    """Regression trees on bootstrap samples; a leaf has the mean and variance of its rows."""

    _trees: list[DecisionTreeRegressor] = field(repr=False, compare=False)
    _rows: list[Integers] = field(repr=False, compare=False)

    kind = 'forest'

    def members(self, X: Array) -> tuple[Array, Array]:
        """Mean and variance of the leaf in each tree, each of shape (m, t)."""
        single = np.ascontiguousarray(X, dtype=np.float32)
        means, variances = np.empty((len(self._trees), len(X))), np.empty((len(self._trees), len(X)))
        for index, tree in enumerate(self._trees):
            leaves = tree.tree_.apply(single)
            means[index] = tree.tree_.value[:, 0, 0][leaves]
            variances[index] = tree.tree_.impurity[leaves]
        return means.T * self.scale + self.offset, variances.T * self.scale**2

    def unseen(self) -> NDArray[np.bool_]:
        """Which tree was grown without which row, shape (n, t)."""
        unseen = np.ones((len(self.X) - self.pending, len(self._trees)), dtype=bool)
        for index, rows in enumerate(self._rows):
            unseen[rows, index] = False
        return unseen

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Forest:
        """The forest of :meth:`state`, grown again from the same data and seed."""
        X, y = check_state(state)
        forest = replace(_grow(X, y, int(state['seed'])), factor=float(state['factor']))
        return forest.condition(np.array(state['pending'], dtype=np.float64).reshape(-1, X.shape[1]))


def fit_forest(X: Array, y: Array, seed: int = 0) -> Forest:
    """Grow 100 trees to full depth, each split on a third of the columns.

    With equal targets every prediction is their value, with the scale of these targets as its deviation.

    :param X: inputs, shape (n, d).
    :param y: targets, shape (n,).
    :raises RegressorError: if there are no rows, the shapes differ, or a number is not finite.
    """
    return _grow(*check_training(X, y), seed).calibrated()


def _grow(X: Array, y: Array, seed: int) -> Forest:
    from sklearn.ensemble import RandomForestRegressor

    offset, scale, flat = target_scale(y)
    forest = RandomForestRegressor(TREES, max_features=_COLUMNS, random_state=seed, n_jobs=1)
    forest.fit(X, (y - offset) / scale)
    rows = [np.asarray(rows, dtype=np.int64) for rows in forest.estimators_samples_]
    floor = scale**2 if flat else (_LEAST * scale) ** 2
    return Forest(X, y, offset, scale, seed, floor, 1.0, 0, list(forest.estimators_), rows)


class ForestKind(SurrogateKind):
    """Random forests."""

    name = 'forest'
    regressor = Forest
    words = 'random forests'
    citations = ('scikitlearn2011', 'randomforest2001')

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        return fit_forest(X, y, setting.seed)

    def left_out(self, X: Array, y: Array, setting: Setting) -> tuple[Array, Array]:
        """Mean and deviation, shape (n,) each, by the trees that have not drawn the row: one fit instead of five."""
        return fit_forest(X, y, setting.seed).with_factor(1.0).left_out()
