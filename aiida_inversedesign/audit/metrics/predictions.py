"""How the predictions made at the choice turned out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.audit.metrics.intervals import mean_interval, share, spread_interval, unknown
from aiida_inversedesign.audit.metrics.rates import groups_of
from aiida_inversedesign.audit.record import EvaluationRecord, GenerationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import unit_text

#: Levels at which the coverage of predictions is reported.
COVERAGES = (0.5, 0.8, 0.95)


def calibration(outcomes: Sequence[EvaluationRecord], properties: Sequence[str]) -> dict[str, Any]:
    """What was predicted when each evaluation was chosen against what it found, for each property.

    Coverage of the central intervals at 50, 80 and 95 %, mean and spread of z = (value − mean) / deviation, mean
    negative log-likelihood of the normal prediction, mean absolute error; each with a 95 % interval.
    """
    result: dict[str, Any] = {}
    for name in properties:
        pairs = [
            (outcome.properties[name], *outcome.predicted[name])
            for outcome in outcomes
            if outcome.status == 'completed' and name in outcome.properties and name in outcome.predicted
        ]
        result[name] = _calibration(np.array(pairs)) if pairs else unknown('nothing was predicted when it was chosen')
    return result


def estimates(outcomes: Sequence[EvaluationRecord], properties: Sequence[str]) -> dict[str, Any]:
    """What a potential said of each property before the evaluation against what that found.

    Mean absolute error and mean deviation (estimate − value) in the property's unit, with 95 % intervals, and
    Spearman's rank correlation.
    """
    result: dict[str, Any] = {}
    for name in properties:
        pairs = np.array(
            [
                (outcome.properties[name], outcome.estimates[name])
                for outcome in outcomes
                if outcome.status == 'completed' and name in outcome.properties and name in outcome.estimates
            ]
        )
        if not len(pairs):
            result[name] = unknown('no potential estimated it')
            continue
        error = pairs[:, 1] - pairs[:, 0]
        result[name] = {
            'n': len(pairs),
            'mae': float(np.abs(error).mean()),
            'bias': float(error.mean()),
            'intervals': {'mae': mean_interval(np.abs(error), least=0.0), 'bias': mean_interval(error)},
            'rank_correlation': rank_correlation(pairs),
        }
    return result


def transfer(generations: Sequence[GenerationRecord]) -> dict[str, Any] | None:
    """How earlier campaigns changed the predictions at each update, see :func:`transfer_of`."""
    return transfer_of([(item.number, item.surrogate.earlier) for item in generations if item.surrogate])


def transfer_of(updates: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, Any] | None:
    """How earlier campaigns changed the predictions of rows that were left out, at each update; None without such.

    ``mae`` and ``mae_without``: mean absolute error in the property's unit of the surrogate, and of what it would be
    without them, on the same ``n`` rows; ``gain``: by how much they raise the mean log density of a row. Intervals are
    mean ± 1.96 standard errors of the differences row by row.

    :param updates: number of each generation, and what its surrogate recorded of each property.
    """
    taught = [(number, by_property) for number, by_property in updates if by_property]
    if not taught:
        return None
    campaigns = {name: figures['campaigns'] for name, figures in taught[-1][1].items()}
    found: list[dict[str, Any]] = []
    for number, by_property in taught:
        for name, figures in by_property.items():
            update = {'generation': number, 'property': name}
            if 'gain' not in figures:
                found.append(update | unknown(figures.get('reason', 'nothing was compared')))
                continue
            change, gain = figures['mae'] - figures['mae_without'], figures['gain']
            found.append(
                {
                    **update,
                    **{key: figures[key] for key in ('n', 'weight', 'mae', 'mae_without', 'gain')},
                    'mae_change': change,
                    'intervals': {
                        'mae_change': _around(change, figures['mae_change_se']),
                        'gain': _around(gain, figures['gain_se']),
                    },
                }
            )
    return {'campaigns': campaigns, 'by_generation': found}


def transfer_in_words(figures: Mapping[str, Any], units: Mapping[str, str]) -> list[str]:
    """What :func:`transfer` found at the last update, as phrases: the campaigns, and what came of each property."""
    tasks = {(item['campaign'], item['property']): item for items in figures['campaigns'].values() for item in items}
    listed = [f'{item["rows"]} rows of {item["name"]} ({item["property"]})' for item in tasks.values()]
    said = [f'learned from {", ".join(listed)}']
    for name, item in {item['property']: item for item in figures['by_generation']}.items():
        if item.get('mae') is None:
            said.append(f'{name}: not known how much that helped ({item["reason"]})')
            continue
        low, high = item['intervals']['gain']
        verdict = 'better' if low > 0 else 'worse' if high < 0 else 'no difference beyond the error'
        unit = f' {unit_text(units[name])}' if units.get(name) else ''
        errors = f'error {item["mae"]:.3g}{unit} with them, {item["mae_without"]:.3g}{unit} without'
        density = f'log density {item["gain"]:+.2f} [{low:.2f}, {high:.2f}]'
        said.append(f'{name}: {errors} ({verdict}; {item["n"]} rows left out in turn, {density})')
    return said


def _around(value: float, error: float) -> list[float]:
    return [value - 1.96 * error, value + 1.96 * error]


def rank_correlation(pairs: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation of the columns of ``pairs``, shape (n, 2); None where it is not defined."""
    from scipy.stats import spearmanr

    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return None
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def by_surrogate(outcomes: Sequence[EvaluationRecord], goal: Goal) -> list[dict[str, Any]]:
    """Evaluations, hit rate and calibration of the choices made with each kind of surrogate."""
    return groups_of(outcomes, goal, 'surrogate', lambda item: item.surrogate, _calibrated(goal))


def by_acquisition(outcomes: Sequence[EvaluationRecord], goal: Goal) -> list[dict[str, Any]]:
    """Evaluations, hit rate and calibration of the choices of each acquisition; ``spread`` is the initial design."""
    return groups_of(outcomes, goal, 'acquisition', lambda item: item.acquisition, _calibrated(goal))


def _calibrated(goal: Goal) -> Callable[[list[EvaluationRecord]], dict[str, Any]]:
    return lambda group: {'calibration': calibration(group, goal.properties)}


def _calibration(pairs: NDArray[np.float64]) -> dict[str, Any]:
    """Figures from rows (value, mean, standard deviation)."""
    from scipy.special import ndtri

    # what double precision cannot tell from no deviation, whatever the unit
    least = 1e-15 * np.abs(pairs[:, :2]).max(axis=1)
    error = pairs[:, 0] - pairs[:, 1]
    deviation = np.where(pairs[:, 2] > least, pairs[:, 2], np.where(least > 0, least, 1.0))
    z = error / deviation
    coverage = {}
    for level in COVERAGES:
        inside = int((np.abs(z) <= ndtri(0.5 + level / 2)).sum())
        coverage[f'{level:g}'] = share(inside, len(z))
    likelihood = 0.5 * z**2 + np.log(deviation) + 0.5 * math.log(2 * math.pi)
    intervals = {
        'z_mean': mean_interval(z),
        'z_spread': spread_interval(z),
        'nll': mean_interval(likelihood),
        'mae': mean_interval(np.abs(error), least=0.0),
    }
    return {
        'n': len(z),
        'coverage': coverage,
        'z_mean': float(z.mean()),
        'z_spread': float(z.std(ddof=1)) if len(z) > 1 else None,
        'nll': float(likelihood.mean()),
        'mae': float(np.abs(error).mean()),
        'intervals': intervals,
        **(
            {'intervals_reason': 'a mean needs two predictions for an interval, a spread four that differ'}
            if None in intervals.values()
            else {}
        ),
    }
