"""Whether measuring a point again is worth more than measuring a new one."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import Regressor
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.replicates import noise_of
from aiida_inversedesign.campaign.row import EvaluationRow, is_feasible, loss

#: ``auto``, or how often the best point is measured.
Rule = Literal['auto'] | int

#: Where no error was given, the best point is measured again until so many repeats tell the noise: with three the
#: deviation is known within a factor of 0.57 to 3.7 (95 %, chi-squared).
FIRST_REPEATS = 3


@dataclass(frozen=True)
class Measured:
    """A point with all that was measured of it.

    :param rows: those that speak of it, oldest first. :param number: of measurements.
    :param properties: means over the measurements.
    """

    rows: tuple[EvaluationRow, ...]
    number: int
    properties: dict[str, float]


@dataclass(frozen=True)
class Repeat:
    """What is to be measured again.

    :param value: what that is worth, in the unit of the property; None where it was not compared.
    """

    point: Measured
    value: float | None


def measured_points(rows: Iterable[EvaluationRow]) -> list[Measured]:
    """The points of the completed rows; rows of one content are repeats of each other."""
    groups: dict[str, list[EvaluationRow]] = {}
    for row in rows:
        if row.status == 'completed':
            groups.setdefault(row.proposed.content_hash, []).append(row)
    return [_measured(tuple(group)) for group in groups.values()]


def _measured(rows: tuple[EvaluationRow, ...]) -> Measured:
    properties, most = {}, 1
    for name in rows[0].properties:
        pairs = [
            (row.properties[name], row.replicates.get(name, (1, 0.0))[0]) for row in rows if name in row.properties
        ]
        number = sum(count for _, count in pairs)
        properties[name] = math.fsum(value * count for value, count in pairs) / number
        most = max(most, number)
    return Measured(rows, most, properties)


def repeat_of_best(goal: Goal, points: Sequence[Measured], most: int, running: Collection[str]) -> Repeat | None:
    """The best point, if it was measured fewer than ``most`` times and is not being measured.

    :param running: content hashes of points that are being measured again.
    """
    name = goal.objectives[0].property
    able = [point for point in points if name in point.properties and is_feasible(goal, point.properties)]
    best = min(able, key=lambda point: loss(goal, point.properties), default=None)
    if best is None or best.number >= most or best.rows[0].proposed.content_hash in running:
        return None
    return Repeat(best, None)


def repeat_worth_more(
    goal: Goal, points: Sequence[Measured], model: Regressor, inputs: Array, new: Array, running: Collection[str] = ()
) -> Repeat | None:
    """The point that is worth more to be measured again than a new one is to be measured, or None.

    Both are valued by the knowledge gradient of independent normal beliefs (Frazier, Powell and Dayanik, SIAM J.
    Control Optim. 47, 2410 (2008)): by how much the largest of the means is expected to rise with one
    more measurement. The beliefs are the predictions of the surrogate without the noise of one measurement. Where that
    is not known, the best point is measured again first.

    :param goal: of one objective that is maximised or minimised.
    :param points: what was measured. :param inputs: of these, shape (n, d).
    :param model: of the objective's property. :param new: inputs of the best new candidate, shape (1, d).
    :param running: content hashes of points that are being measured again.
    """
    name, sign = goal.objectives[0].property, 1.0 if goal.objectives[0].kind == 'maximize' else -1.0
    able = [i for i, point in enumerate(points) if name in point.properties and is_feasible(goal, point.properties)]
    if not able:
        return None
    variance = noise_of_one([row for point in points for row in point.rows], name)
    if variance is None:
        return None if running else repeat_of_best(goal, points, 1 + FIRST_REPEATS, running)
    means, deviations = model.predict(np.concatenate([inputs[able], new]))
    means = sign * means
    gains = knowledge_gradient(means, np.maximum(deviations**2 - variance, 0.0), variance)
    for position, index in enumerate(able):
        if points[index].rows[0].proposed.content_hash in running:
            gains[position] = -math.inf
    # of equal gains, as the first and the second best have them, that of the larger mean
    order = np.argsort(-means[:-1], kind='stable')
    best = int(order[np.argmax(gains[order])])
    return Repeat(points[able[best]], float(gains[best])) if gains[best] > gains[-1] else None


def knowledge_gradient(means: Array, variances: Array, noise: float) -> Array:
    """Expected rise of the largest mean with one more measurement of each alternative, shape (n,).

    :param means: of the beliefs, shape (n,), at least two. :param variances: of the beliefs, shape (n,).
    :param noise: variance of a measurement.
    """
    from scipy.special import ndtr

    order = np.argsort(-means, kind='stable')
    others = np.full(len(means), means[order[0]])
    others[order[0]] = means[order[1]]
    change = variances / np.sqrt(np.maximum(variances + noise, 1e-300))
    # beyond forty deviations nothing is left, and squares overflow
    z = -np.minimum(np.abs(means - others) / np.maximum(change, 1e-300), 40.0)
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.asarray(np.where(change > 0, change * np.maximum(z * ndtr(z) + density, 0.0), 0.0))


def noise_of_one(rows: Sequence[EvaluationRow], name: str) -> float | None:
    """The variance of one measurement: pooled over repeats, else of the errors that were given; None: not known."""
    noise = noise_of(rows, name)
    if noise.degrees >= FIRST_REPEATS:
        return noise.variance
    given = [row.errors[name] ** 2 for row in rows if name in row.errors and name not in row.replicates]
    return math.fsum(given) / len(given) if given else None
