"""A search problem whose models predict what they are told to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.stats import norm

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.select.observed import Observed
from aiida_inversedesign.select.problem import SearchProblem

MEANS = np.array([1.0, 2.5, 4.0, 3.0])
DEVIATIONS = np.array([0.5, 1.0, 0.25, 2.0])
POINTS = np.arange(4.0)[:, None]
NONE = POINTS[:0]
INF = math.inf


@dataclass(frozen=True)
class Given:
    """A model that predicts the entry of its tables that an input names; pending candidates halve the deviations."""

    means: Any = tuple(MEANS)
    deviations: Any = tuple(DEVIATIONS)
    offset: float = 2.0
    scale: float = 2.0
    kind: str = 'given'
    normal: bool = True

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = inputs[:, 0].astype(int)
        return np.array(self.means)[index], np.array(self.deviations)[index]

    def sample(self, inputs: np.ndarray, number: int, seed: int) -> np.ndarray:
        mean, deviation = self.predict(inputs)
        return mean + deviation * np.random.default_rng(seed).normal(size=(number, len(inputs)))

    def within(self, inputs: np.ndarray, low: float, high: float) -> np.ndarray:
        mean, deviation = self.predict(inputs)
        return norm.cdf(high, mean, deviation) - norm.cdf(low, mean, deviation)

    def condition(self, pending: np.ndarray) -> Given:
        return replace(self, deviations=tuple(np.array(self.deviations) / 2))


def problem(goal: Goal, models: dict[str, Given] | None = None, seed: int = 3, **values: list[float]) -> SearchProblem:
    models = models or {name: Given() for name in goal.properties}
    columns = {name: np.array(values.get(name, [1.0, 2.0])) for name in goal.properties}
    rows = len(next(iter(columns.values())))
    observed = Observed(np.zeros((rows, 1)), columns, np.zeros(rows, dtype=bool))
    return SearchProblem(goal, models, None, observed, seed)


def scores(name: str, found: SearchProblem, pending: np.ndarray = NONE) -> np.ndarray:
    surrogate = SimpleNamespace(models=found.models)
    return make_acquisition(name, found.goal, surrogate, found.observed, found.seed).score(POINTS, pending)


def asked(*objectives: dict[str, Any], constraints: tuple[dict[str, Any], ...] = ()) -> Goal:
    named = [{'property': 'k', **objective} for objective in objectives]
    return Goal(objectives=named, constraints=list(constraints))


TOP, HIGH, BAND = asked({'maximize': True}), asked({'maximize': True, 'hit': 3.0}), asked({'window': [2.0, 3.0]})
LOW, BOTTOM = asked({'minimize': True, 'hit': 1.5}), asked({'minimize': True})
#: Above all means, so that a draw of one of them can only raise the best.
FAR = asked({'window': [4.5, 8.5]})
