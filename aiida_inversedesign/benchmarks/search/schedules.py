"""Asynchronous against generations, simulated: evaluations in the same wall time, and hits for each of them.

Both schedules search the same made-up pool with the same surrogate and acquisition from the same first candidates;
durations are log-normal, and a candidate takes the same time in both. Generations choose ``at_once`` candidates and
wait for all of them. The asynchronous schedule chooses one when one has ended, those that run counted as pending, and
fits as rarely as campaigns do; nothing is chosen before most of the first have ended, as in campaigns.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from aiida_inversedesign.benchmarks.search.statistics import mean_over_seeds
from aiida_inversedesign.campaign.costs.budget_of_stream import fit_is_due, may_choose
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.learn.fit import fit_on_features
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.select.batch import choose_points
from aiida_inversedesign.select.observed import Observed

Schedule = Literal['generations', 'asynchronous']

#: Candidates, descriptors, and the share of the candidates that are hits.
_POOL, _COLUMNS, _HITS = 1500, 6, 0.05


class _Pool:
    """Candidates with values and durations, and a surrogate of those that were evaluated."""

    def __init__(self, seed: int, sigma: float) -> None:
        rng = np.random.default_rng(seed)
        X = self.X = rng.standard_normal((_POOL, _COLUMNS))
        self.values = np.sin(X[:, 0]) + 0.6 * X[:, 1] - 0.3 * X[:, 2] ** 2 + 0.4 * X[:, 0] * X[:, 3]
        threshold = float(np.quantile(self.values, 1 - _HITS))
        self.hits = self.values >= threshold
        self.goal = Goal.model_validate({'objectives': [{'property': 'y', 'maximize': True, 'hit': threshold}]})
        self.durations = np.exp(sigma * rng.standard_normal(_POOL))
        self.order = rng.permutation(_POOL).tolist()
        self.seed, self.fitted = seed, 0
        self.surrogate: Surrogate | None = None

    def choose(self, ended: list[int], running: list[int], size: int) -> list[int]:
        """The next candidates."""
        gone = {*ended, *running}
        left = [index for index in self.order if index not in gone]
        if len(ended) < 3:
            return left[:size]
        surrogate = self._fitted(ended)
        known = Observed(
            surrogate.standardise(self.X[ended]), {'y': self.values[ended]}, np.zeros(len(ended), dtype=bool)
        )
        indices = choose_points(
            'auto',
            self.goal,
            surrogate,
            known,
            surrogate.standardise(self.X[left]),
            size,
            self.seed + len(ended),
            pending=surrogate.standardise(self.X[running]).reshape(len(running), _COLUMNS),
        )
        return [left[position.index] for position in indices]

    def _fitted(self, ended: list[int]) -> Surrogate:
        if self.surrogate is None or fit_is_due(len(ended), self.fitted):
            self.fitted = len(ended)
            self.surrogate = fit_on_features(self.X[ended], {'y': self.values[ended]}, kind='gp', seed=self.seed)
            return self.surrogate
        inputs = self.surrogate.standardise(self.X[ended])
        model = self.surrogate.models['y'].with_rows(inputs, self.values[ended])
        return replace(self.surrogate, models={'y': model})


def search(
    schedule: Schedule, seed: int, at_once: int, evaluations: int, until: float = np.inf, sigma: float = 1.0
) -> list[tuple[float, bool]]:
    """One simulated search.

    :param evaluations: it ends with so many,
    :param until: or at this time, in medians of the durations.
    :param sigma: of the log-normal durations.
    :returns: when each evaluation ended, and whether it is a hit, in the order of their ends.
    """
    pool = _Pool(seed, sigma)
    running: list[tuple[float, int]] = []
    ended: list[int] = []
    course: list[tuple[float, bool]] = []
    now = 0.0
    while len(ended) < evaluations:
        free = at_once - len(running)
        if not running or (schedule == 'asynchronous' and may_choose(len(ended), at_once, free, at_once)):
            for index in pool.choose(ended, [index for _, index in running], free):
                heapq.heappush(running, (now + float(pool.durations[index]), index))
        now = running[0][0]
        if now > until:
            break
        # what ends at the same moment is harvested together
        while running and running[0][0] == now:
            _, index = heapq.heappop(running)
            ended.append(index)
            course.append((now, bool(pool.hits[index])))
    return course


def gain(seeds: Iterable[int], at_once: int = 8, batches: int = 6) -> dict[str, Any]:
    """What the asynchronous schedule gains over ``batches`` generations of ``at_once`` evaluations.

    :returns: ``evaluations`` (asynchronous / generations in the same wall time, mean of the ratios), with ``low`` and
        ``high`` of its 95 % bootstrap interval over the seeds, ``least`` and ``largest`` ratio of a seed, ``hits`` (the
        ratio of all hits), ``hits_per_evaluation`` of both after as many evaluations as the generations made, with
        ``difference`` (mean and interval over the seeds) and its standard error ``se``, ``seeds``.
    """
    counts, hits, rates = [], [], []
    for seed in seeds:
        plain = search('generations', seed, at_once, at_once * batches)
        stream = search('asynchronous', seed, at_once, _POOL, until=plain[-1][0])
        counts.append((len(stream), len(plain)))
        hits.append((sum(hit for _, hit in stream), sum(hit for _, hit in plain)))
        size = min(len(stream), len(plain))
        rates.append(tuple(sum(hit for _, hit in course[:size]) / size for course in (stream, plain)))
    number, found, share = np.array(counts, dtype=float), np.array(hits, dtype=float), np.array(rates)
    ratios = number[:, 0] / number[:, 1]
    difference = share[:, 0] - share[:, 1]
    # all seeds make the same number of evaluations in generations: the mean of the ratios is the ratio of the sums
    mean, more = mean_over_seeds(ratios), mean_over_seeds(difference)
    return {
        'seeds': len(number),
        'at_once': at_once,
        **mean.named('evaluations'),
        'least': float(ratios.min()),
        'largest': float(ratios.max()),
        'hits': float(found[:, 0].sum() / max(found[:, 1].sum(), 1.0)),
        'hits_per_evaluation': {
            'asynchronous': float(share[:, 0].mean()),
            'generations': float(share[:, 1].mean()),
            'difference': more.named('value'),
            'se': float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else None,
        },
    }
