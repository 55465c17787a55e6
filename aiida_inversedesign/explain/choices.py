"""Why a candidate was chosen: what mean and uncertainty contributed, what lies near it, what would have changed it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import Regressor
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.learn.regressor import normal_within
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.select.observed import Observed
from aiida_inversedesign.select.rule import Marginal

#: Evaluated neighbours that are named.
NEIGHBOURS = 3
#: Steps of the bisection that finds how far a prediction may fall: to a thousandth of ten deviations.
_STEPS, _FARTHEST = 14, 10.0


@dataclass(frozen=True)
class Decision:
    """One choice of a batch, with everything that it was made from.

    :param goal: of the campaign. :param surrogate: that it was made with.
    :param observed: the evaluations by then. :param keys: what they are called.
    :param inputs: standardised descriptors of the candidates that could be chosen, shape (n, d).
    :param ids: of the candidates. :param pending: descriptors of those that were running, shape (p, d).
    :param batch: indices of the candidates that this batch chose, in its order.
    :param seed: of the choice.
    """

    goal: Goal
    surrogate: Surrogate
    observed: Observed
    keys: Sequence[str]
    inputs: Array
    ids: Sequence[str]
    pending: Array
    batch: Sequence[int]
    seed: int


@dataclass(frozen=True)
class _Fixed:
    """A model that says given means and deviations of given points, whatever it is asked."""

    model: Regressor
    mean: Array
    deviation: Array
    normal: bool = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def predict(self, X: Array) -> tuple[Array, Array]:
        return self.mean, self.deviation

    def within(self, X: Array, low: float, high: float) -> Array:
        """Probability, shape (n,), that the property lies between the bounds, in its unit."""
        return normal_within(self.mean, self.deviation, low, high)


def reasons(decision: Decision, number: int, acquisition: str) -> dict[str, Any]:
    """Why the candidate at this index of the batch was chosen.

    The score is split into what the mean and what the uncertainty contributed: Shapley's values of two players, each
    compared with the pool's median (Shapley 1953), at the candidate's own probability to fail. Acquisitions that need
    more than means and deviations cannot be split so; ``contributions`` is then None with a reason.

    :param acquisition: what chose it.
    """
    chosen = decision.batch[number]
    point = decision.inputs[[chosen]]
    given = np.concatenate([decision.pending, decision.inputs[list(decision.batch[:number])]])
    found: dict[str, Any] = {'neighbours': _neighbours(decision, point)}
    score = make_acquisition(acquisition, decision.goal, decision.surrogate, decision.observed, decision.seed)
    if not isinstance(score.part, Marginal):
        return {
            **found,
            'contributions': None,
            'contributions_reason': f'{acquisition} does not follow from means and deviations alone',
            'change': None,
            'change_reason': f'{acquisition} does not follow from means and deviations alone',
        }
    problem = score.problem.given(given)
    part = score.part
    spread = np.linspace(0, len(decision.inputs) - 1, min(len(decision.inputs), 2000)).astype(np.int64)
    typical = {
        name: (float(np.median(mean)), float(np.median(deviation)))
        for name, (mean, deviation) in problem.marginals(decision.inputs[spread]).items()
    }
    own = {name: (float(mean[0]), float(dev[0])) for name, (mean, dev) in problem.marginals(point).items()}

    def value(marginals: dict[str, tuple[float, float]]) -> float:
        models = {
            name: _Fixed(problem.models[name], np.array([mean]), np.array([deviation]))
            for name, (mean, deviation) in marginals.items()
        }
        fixed = replace(problem, models=models)
        return float(part.score(fixed, point, np.empty((0, point.shape[1])))[0])

    def mixed(mean: bool, deviation: bool) -> float:
        return value(
            {
                name: (own[name][0] if mean else typical[name][0], own[name][1] if deviation else typical[name][1])
                for name in own
            }
        )

    none, all_, only_mean, only_deviation = (
        mixed(*pair) for pair in ((False, False), (True, True), (True, False), (False, True))
    )
    found['contributions'] = {
        'score': all_,
        'of_the_median': none,
        'mean': ((only_mean - none) + (all_ - only_deviation)) / 2,
        'uncertainty': ((only_deviation - none) + (all_ - only_mean)) / 2,
        'distribution': 'normal' if all(problem.models[name].normal for name in own) else 'normal approximation',
    }
    found['change'] = _change(decision, part, problem, chosen, own, value)
    return found


def _neighbours(decision: Decision, point: Array) -> list[dict[str, Any]]:
    """The nearest evaluations, with their values and distances in standard deviations per descriptor."""
    away = np.sqrt(((decision.observed.inputs - point) ** 2).mean(axis=1))
    return [
        {
            'key': decision.keys[index],
            'distance': float(away[index]),
            'values': {
                name: float(values[index])
                for name, values in decision.observed.values.items()
                if math.isfinite(values[index])
            },
        }
        for index in np.argsort(away, kind='stable')[:NEIGHBOURS].tolist()
    ]


def _change(
    decision: Decision, part: Marginal, problem: Any, chosen: int, own: dict[str, tuple[float, float]], value: Any
) -> dict[str, Any] | None:
    """The next candidate in the order, and how far the first objective's prediction would have to differ for it.

    Candidates with a larger score than the chosen one were not allowed (evaluated, or the same as one that was).
    """
    nothing = np.empty((0, decision.inputs.shape[1]))
    others = np.setdiff1d(np.arange(len(decision.inputs)), decision.batch)
    if not len(others):
        return None
    first = part.score(problem, decision.inputs[others], nothing)
    score = float(part.score(problem, decision.inputs[[chosen]], nothing)[0])
    lower = np.flatnonzero(first <= score)
    if not len(lower):
        return None
    next_ = int(others[lower[np.argmax(first[lower])]])
    level = float(first[lower].max())
    name = decision.goal.objectives[0].property
    mean, deviation = own[name]
    before = value(own)
    thresholds = {}
    for side in (-1.0, 1.0):
        if value({**own, name: (mean + side * _FARTHEST * deviation, deviation)}) - before >= level - score:
            continue
        near, far = 0.0, _FARTHEST
        for _ in range(_STEPS):
            middle = (near + far) / 2
            falls = value({**own, name: (mean + side * middle * deviation, deviation)}) - before < level - score
            near, far = (near, middle) if falls else (middle, far)
        thresholds['below' if side < 0 else 'above'] = mean + side * far * deviation
    return {
        'next': decision.ids[next_],
        'property': name,
        'predicted': mean,
        'deviation': deviation,
        **thresholds,
        'margin': score - level,
    }
