"""Cross-validation of surrogates of curves: errors, coverage and cost, with intervals over the candidates."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.functions.pool import CurvePool
from aiida_inversedesign.benchmarks.search.loop import peak_mb, reset_peak
from aiida_inversedesign.benchmarks.search.pool import PoolError
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.curves.model import NAMES, ROOT, fit_curves

SCHEMA = 'inversedesign/1'
#: What every arm is held against: the mean of the training curves.
MEAN = 'mean_curve'
#: Levels of the bands whose coverage is counted, %, and bootstrap samples of crystals for the intervals.
LEVELS = (50, 80, 95)
RESAMPLES = 2000
DEFINITIONS = {
    'mae': 'mean of |predicted − true| over all values of all left-out curves',
    'rmse': 'root of the mean of (predicted − true)² over the same values',
    'r2': '1 − Σ(predicted − true)² / Σ(true − mean of all true values)², all values of all curves together',
    'coverage': 'share of the values within the central interval of that level',
    'reduction': '1 − mae / mae of the mean of the training curves',
    'intervals': '95 %, bootstrap over the candidates',
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What an arm says of curves that it has not seen: shape (n, T) each; bands by level."""

    values: Array
    low: dict[int, Array]
    high: dict[int, Array]
    seconds: float
    peak_mb: float | None
    chosen: tuple[str, ...]


def parse_curve_arms(text: str) -> list[str]:
    """Names of arms, joined by commas.

    :raises PoolError: if one is unknown or named twice.
    """
    names = [name.strip() for name in text.split(',') if name.strip()]
    for name in names:
        if name.removesuffix(ROOT) not in NAMES or name == f'auto{ROOT}':
            raise PoolError(
                f'no arm is called {name!r}: choose of {", ".join(NAMES)}, or e.g. krfd{ROOT} for densities'
            )
    if not names or len(set(names)) < len(names):
        raise PoolError('--arms: name each arm once, e.g. krfd,pointwise,auto')
    return names


def run_functions(
    pool: CurvePool, arms: Sequence[str], folds: int = 5, seed: int = 0, report: Report = silent
) -> dict[str, Any]:
    """Predict every curve from others, and count how well.

    :raises PoolError: if there are fewer curves than folds.
    """
    if not 2 <= folds <= len(pool):
        raise PoolError(f'{folds} folds of {len(pool)} curves: take 2 to {len(pool)}')
    fold = np.random.default_rng(seed).permutation(len(pool)) % folds
    mean = np.empty_like(pool.Y)
    for number in range(folds):
        # a point that no training curve has is predicted by nobody
        counts = np.isfinite(pool.Y[fold != number]).sum(axis=0)
        mean[fold == number] = np.nansum(pool.Y[fold != number], axis=0) / np.maximum(counts, 1)
    found: dict[str, Predictions] = {}
    failed: dict[str, str] = {}
    for name in arms:
        try:
            found[name] = _predict(pool, name, fold, seed, partial(report, name))
        except InverseDesignError as error:
            failed[name] = str(error)
    return _summary(pool, arms, folds, seed, mean, found, failed)


def _predict(pool: CurvePool, arm: str, fold: Integers, seed: int, note: Callable[[float], None]) -> Predictions:
    values = np.empty_like(pool.Y)
    low, high = ({level: np.empty_like(pool.Y) for level in LEVELS} for _ in range(2))
    chosen = []
    reset_peak()
    begin = time.perf_counter()
    for number in np.unique(fold):
        out = fold == number
        model = fit_curves(pool.features[~out], pool.Y[~out], pool.grid, arm, seed)
        values[out] = model.predict(pool.features[out])
        for level in LEVELS:
            low[level][out], high[level][out] = model.band(pool.features[out], level / 100)
        chosen.append(model.recipe)
        note((int(number) + 1) / (int(fold.max()) + 1))
    return Predictions(values, low, high, time.perf_counter() - begin, peak_mb(), tuple(chosen))


def _summary(
    pool: CurvePool,
    arms: Sequence[str],
    folds: int,
    seed: int,
    mean: Array,
    found: dict[str, Predictions],
    failed: dict[str, str],
) -> dict[str, Any]:
    draws = np.random.default_rng(0).integers(0, len(pool), (RESAMPLES, len(pool)))
    baseline = _errors(pool, mean, draws)
    figures: dict[str, Any] = {}
    for name in arms:
        if name in failed:
            figures[name] = {'mae': None, 'reason': failed[name]}
            continue
        arm = found[name]
        figures[name] = {
            **_errors(pool, arm.values, draws),
            'reduction': _against(pool, arm.values, mean, draws, lambda own, other: 1 - own / other),
            'coverage': {str(level): _coverage(pool, arm, level, draws) for level in LEVELS},
            'coverage_by_point': {str(level): _round(_covered(pool, arm, level, 0)) for level in LEVELS},
            'chosen': {recipe: arm.chosen.count(recipe) for recipe in dict.fromkeys(arm.chosen)},
            'seconds': arm.seconds,
            'seconds_per_fold': arm.seconds / folds,
            'peak_mb': arm.peak_mb,
            'n': len(pool),
        }
    return {
        'schema': SCHEMA,
        'benchmark': 'functions',
        'pool': {
            'file': pool.name,
            'n': len(pool),
            'values': int(np.isfinite(pool.Y).sum()),
            'points': len(pool.grid),
            'inputs': len(pool.names),
            'left_out': pool.left_out,
        },
        'property': pool.property,
        'axis': {'name': pool.axis.name, 'unit': pool.axis.unit, 'grid': pool.grid.tolist()},
        'folds': folds,
        'seed': seed,
        'definitions': DEFINITIONS,
        MEAN: baseline,
        'arms': figures,
        'paired': _paired(pool, found, draws),
    }


def _errors(pool: CurvePool, values: Array, draws: Integers) -> dict[str, Any]:
    known = np.isfinite(pool.Y)
    truth = np.where(known, pool.Y, 0.0)
    counts, sums, squares = known.sum(axis=1), truth.sum(axis=1), (truth**2).sum(axis=1)
    missed = np.where(known, values - truth, 0.0)
    error = (missed**2).sum(axis=1)

    def rmse(rows: Integers) -> Array:
        return np.sqrt(error[rows].sum(axis=-1) / counts[rows].sum(axis=-1))

    def r2(rows: Integers) -> Array:
        total = squares[rows].sum(axis=-1) - sums[rows].sum(axis=-1) ** 2 / counts[rows].sum(axis=-1)
        return 1 - error[rows].sum(axis=-1) / total

    return {
        'mae': _interval(lambda rows: _mae(pool, values, rows), draws),
        'rmse': _interval(rmse, draws),
        'r2': _interval(r2, draws),
    }


def _mae(pool: CurvePool, values: Array, rows: Integers) -> Array:
    known = np.isfinite(pool.Y)
    sums = np.where(known, np.abs(values - np.where(known, pool.Y, 0.0)), 0.0).sum(axis=1)
    return sums[rows].sum(axis=-1) / known.sum(axis=1)[rows].sum(axis=-1)


def _covered(pool: CurvePool, arm: Predictions, level: int, axis: int) -> Array:
    """Share of the values inside, by point (axis 0) or by candidate (axis 1)."""
    known = np.isfinite(pool.Y)
    inside = (arm.low[level] <= pool.Y) & (arm.high[level] >= pool.Y)
    return (inside & known).sum(axis=axis) / np.maximum(known.sum(axis=axis), 1)


def _coverage(pool: CurvePool, arm: Predictions, level: int, draws: Integers) -> dict[str, Any]:
    share, counts = _covered(pool, arm, level, 1), np.isfinite(pool.Y).sum(axis=1)
    return _interval(lambda rows: (share * counts)[rows].sum(axis=-1) / counts[rows].sum(axis=-1), draws)


def _paired(pool: CurvePool, found: dict[str, Predictions], draws: Integers) -> dict[str, Any]:
    """How much less the best arm misses than each other, candidate by candidate."""
    if not found:
        return {}
    everyone = np.arange(len(pool))
    best = min(found, key=lambda name: float(_mae(pool, found[name].values, everyone)))
    return {
        'best': best,
        'mae_more': {
            name: _against(pool, arm.values, found[best].values, draws, lambda own, other: own - other)
            for name, arm in found.items()
            if name != best
        },
    }


def _against(
    pool: CurvePool, own: Array, other: Array, draws: Integers, compare: Callable[[Array, Array], Array]
) -> dict[str, Any]:
    """The errors of two, compared on the same candidates."""
    return _interval(lambda rows: compare(_mae(pool, own, rows), _mae(pool, other, rows)), draws)


def _interval(figure: Callable[[Integers], Array], draws: Integers) -> dict[str, Any]:
    low, high = np.quantile(figure(draws), [0.025, 0.975])
    return {'value': float(figure(np.arange(draws.shape[1]))), 'low': float(low), 'high': float(high)}


def _round(values: Array) -> list[float]:
    return [round(float(value), 4) for value in values]
