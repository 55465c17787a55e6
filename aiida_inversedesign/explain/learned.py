"""What a model of one property has learned: importances and dependences with intervals over refits, and its limits.

Importance is the loss of R² on rows that were left out when the descriptors of a group are exchanged between these rows
(permutation importance, Breiman, Mach. Learn. 45, 5 (2001), of whole groups, since a descriptor alone looks unimportant
while its twin stays). The intervals are those of Nadeau and Bengio, Mach. Learn. 52, 239 (2003), for refits whose
training rows overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows, Regressor
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.explain.groups import Group, correlated_groups
from aiida_inversedesign.learn.models.mixture import model_of_rows
from aiida_inversedesign.learn.regressor import target_scale

#: Fewest rows that are explained: two are left out of each refit.
LEAST_ROWS = 10
#: Refits, and the share of rows left out of each: the interval's width changes by a tenth with 20 refits.
_REFITS, _LEFT_OUT = 10, 0.2
#: Exchanges of each group and refit.
_EXCHANGES = 5
#: Groups whose dependence is shown, points of a curve, individual curves.
LEADING, _GRID, _CURVES = 4, 21, 30
#: Candidates of a pool that are looked at; more are drawn from: to describe a crystal takes 5 to 10 ms.
MOST_CANDIDATES = 5_000


class ExplainError(InverseDesignError):
    """What cannot be explained, and why."""


@dataclass(frozen=True)
class Task:
    """What is explained.

    :param name: of the property. :param model: fitted to the rows.
    :param X: standardised descriptors of the rows, shape (n, d). :param y: their values in the property's unit.
    :param pool: standardised descriptors of candidates, shape (m, d).
    :param names: of the descriptors. :param errors: standard errors of the values, NaN where there is none.
    :param curves: of the rows, if the property is a number of them.
    :raises ExplainError: if there are too few rows, all values are equal, or no descriptor varies.
    """

    name: str
    model: Regressor
    X: Array
    y: Array
    pool: Array
    names: Sequence[str]
    seed: int = 0
    errors: Array | None = None
    curves: CurveRows | None = None

    def __post_init__(self) -> None:
        if len(self.y) < LEAST_ROWS:
            raise ExplainError(
                f'{len(self.y)} completed evaluation(s) have a value of {self.name}, at least {LEAST_ROWS} are needed '
                'to explain its model: evaluate more candidates first'
            )
        if target_scale(self.y)[2]:
            raise ExplainError(
                f'all {len(self.y)} values of {self.name} are equal ({self.y[0]:g}): its model is constant, '
                'and there is nothing to explain'
            )
        if not self.groups:
            raise ExplainError('all candidates have the same descriptors: no model can tell them apart')

    @cached_property
    def _grouped(self) -> tuple[list[Group], list[str]]:
        return correlated_groups(np.concatenate([self.X, self.pool]), self.names)

    @property
    def groups(self) -> list[Group]:
        """Groups of correlated descriptors."""
        return self._grouped[0]

    @property
    def constant(self) -> list[str]:
        """Descriptors that do not vary."""
        return self._grouped[1]

    @cached_property
    def refits(self) -> list[tuple[Regressor, Integers, Integers]]:
        """The model fitted again without a fifth of the rows, with the rows it knows and those left out."""
        rng = np.random.default_rng(self.seed)
        out = max(2, round(_LEFT_OUT * len(self.y)))
        found = []
        for _ in range(_REFITS):
            order = rng.permutation(len(self.y))
            known, left = np.sort(order[out:]), np.sort(order[:out])
            errors = None if self.errors is None else self.errors[known]
            curves = None if self.curves is None else self.curves.at(known)
            found.append((model_of_rows(self.model, self.X[known], self.y[known], errors, curves), known, left))
        return found

    def interval(self, values: Sequence[float]) -> dict[str, float]:
        """Mean over the refits with its 95 % interval (``low``, ``high``) and the number of refits ``n``."""
        from scipy.special import stdtrit

        found = np.asarray(values, dtype=np.float64)
        _, known, left = self.refits[0]
        factor = math.sqrt(1 / len(found) + len(left) / len(known))
        half = float(stdtrit(len(found) - 1, 0.975)) * factor * float(found.std(ddof=1))
        mean = float(found.mean())
        return {'value': mean, 'low': mean - half, 'high': mean + half, 'n': len(found)}


def quality(task: Task) -> dict[str, Any]:
    """R² on the rows left out of the refits; below 0 the mean of the values predicts better."""
    variance = float(task.y.var())
    return task.interval([1 - _error(model, task.X[left], task.y[left]) / variance for model, _, left in task.refits])


def _error(model: Regressor, X: Array, y: Array) -> float:
    return float(((model.predict(X)[0] - y) ** 2).mean())


def importances(task: Task) -> list[dict[str, Any]]:
    """Loss of R² on left-out rows by each group, the largest first: ``group``, ``descriptors``, mean and interval."""
    rng = np.random.default_rng(task.seed + 1)
    variance = float(task.y.var())
    losses: dict[str, list[float]] = {group.name: [] for group in task.groups}
    for model, _, left in task.refits:
        X, y = task.X[left], task.y[left]
        error = _error(model, X, y)
        orders = [rng.permutation(len(left)) for _ in range(_EXCHANGES)]
        for group in task.groups:
            columns = list(group.columns)
            mixed = np.tile(X, (_EXCHANGES, 1))
            mixed[:, columns] = np.concatenate([X[order][:, columns] for order in orders])
            losses[group.name].append((_error(model, mixed, np.tile(y, _EXCHANGES)) - error) / variance)
    found = [
        {
            'group': group.name,
            'descriptors': [task.names[column] for column in group.columns],
            **task.interval(losses[group.name]),
        }
        for group in task.groups
    ]
    return sorted(found, key=lambda item: -item['value'])


def dependences(task: Task, leading: Sequence[str]) -> list[dict[str, Any]]:
    """The prediction along some groups: the mean over the pool with its interval, and curves of single candidates.

    One descriptor of the group moves, its companions along their regression lines on it, so that no candidate is made
    that cannot be.

    :param leading: names of the groups.
    :returns: for each ``group`` the standardised ``grid``, ``mean``, ``low``, ``high``, and ``curves`` of the model.
    """
    rng = np.random.default_rng(task.seed + 2)
    sample = task.pool[np.sort(rng.permutation(len(task.pool))[:_CURVES])]
    by_name = {group.name: group for group in task.groups}
    found = []
    for name in leading:
        columns = list(by_name[name].columns)
        own = task.pool[:, columns[0]]
        values = np.unique(own)
        grid = values if len(values) <= 2 else np.linspace(np.quantile(own, 0.05), np.quantile(own, 0.95), _GRID)
        centred = own - own.mean()
        slopes = (task.pool[:, columns] * centred[:, None]).mean(axis=0) / max(float(own.var()), 1e-12)
        moved = np.repeat(sample[None], len(grid), axis=0)
        moved[:, :, columns] += slopes * (grid[:, None] - sample[None, :, columns[0]])[:, :, None]
        flat = moved.reshape(-1, sample.shape[1])
        shape = (len(grid), len(sample))
        means = np.array([model.predict(flat)[0].reshape(shape).mean(axis=1) for model, _, _ in task.refits])
        bands = [task.interval(means[:, index].tolist()) for index in range(len(grid))]
        found.append(
            {
                'group': name,
                'grid': grid.tolist(),
                'mean': [band['value'] for band in bands],
                'low': [band['low'] for band in bands],
                'high': [band['high'] for band in bands],
                'curves': task.model.predict(flat)[0].reshape(shape).T.tolist(),
            }
        )
    return found


def distances(points: Array, rows: Array) -> Array:
    """Distance of each point to the nearest row, in standard deviations per descriptor, shape (n,)."""
    from scipy.spatial.distance import cdist

    parts = [cdist(points[start : start + 2048], rows).min(axis=1) for start in range(0, len(points), 2048)]
    return np.concatenate([np.empty(0), *parts]) / math.sqrt(points.shape[1])


def domain(task: Task) -> dict[str, Any]:
    """How far the pool lies from the rows, and how the error grows with the distance.

    :returns: ``limit``: 95 % of the rows have another row within it; ``beyond``: share of the pool that has none;
        ``by_distance``: of the left-out rows of all refits in thirds of their distance from the rows that were known
        ``from``, ``to``, ``n``, mean absolute error ``mae`` and the share inside the predicted 95 % intervals.
    """
    from scipy.spatial.distance import cdist

    own = cdist(task.X, task.X)
    np.fill_diagonal(own, np.inf)
    limit = float(np.quantile(own.min(axis=1) / math.sqrt(task.X.shape[1]), 0.95))
    far, miss, inside = [], [], []
    for model, known, left in task.refits:
        mean, deviation = model.predict(task.X[left])
        far.append(distances(task.X[left], task.X[known]))
        miss.append(np.abs(mean - task.y[left]))
        inside.append(miss[-1] <= 1.96 * deviation)
    away, error, covered = np.concatenate(far), np.concatenate(miss), np.concatenate(inside)
    thirds = np.array_split(np.argsort(away, kind='stable'), 3)
    return {
        'limit': limit,
        'beyond': float((distances(task.pool, task.X) > limit).mean()),
        'by_distance': [
            {
                'from': float(away[part].min()),
                'to': float(away[part].max()),
                'n': len(part),
                'mae': float(error[part].mean()),
                'coverage': float(covered[part].mean()),
            }
            for part in thirds
        ],
    }
