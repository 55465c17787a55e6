"""Which model of a property: those that are asked for compete on rows that they have not seen.

Every candidate predicts each row of the table from others (five-fold cross-validation; in a forest by the trees that
have not drawn it), its deviations are calibrated, and the mean log density of the values is its score, with heavy tails
so that one outlier does not decide. Within a kind a simpler model, earlier in the list, stays unless the best beats it
by more than the standard error of the difference. From twenty rows on ``auto`` weights the kinds by the same densities
(stacking, see :mod:`aiida_inversedesign.learn.models.mixture`). The competition is held again each time the rows have
grown by a fifth. Where half of the values are exactly equal there is none: that is a case for a hurdle.

The deviations are then calibrated on the later half of the rows, each predicted from those before: what a search
chooses is unlike what it has chosen so far, which rows left out at random do not tell.

A competition is of at most 300 rows. How wide the deviations of a model of more rows must be it cannot tell: there the
rows of the table themselves, each predicted by the fitted models without it, have the greater say (:func:`_widened`).
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import Fit, LeavesOut, Regressor, Setting
from aiida_inversedesign.learn.calibrate import Z80, deviation_factor, tailed_log_density
from aiida_inversedesign.learn.models.hurdle import usual_value
from aiida_inversedesign.learn.models.mixture import LEAST_WEIGHT, Mixture, mixed, stacking_weights
from aiida_inversedesign.learn.regressor import RegressorError, check_training, kind_named, target_scale

#: Fewer rows than this decide nothing: the first of the list is taken.
LEAST_ROWS = 10
#: Fewer rows than this do not tell weights: one model is chosen.
LEAST_MIXED = 20
#: More rows than this do not sharpen the decision enough for their time: so many are drawn from them.
_MOST_ROWS = 300
#: Folds of the cross-validation: the usual number; the cost grows with it.
_FOLDS = 5
#: The choice is made again when the rows have grown by this factor; by judgement: a fifth more rows rarely change it.
_GROWTH = 1.2
#: Power with which the factors of a competition fade as rows grow beyond those that competed. Of ½, 1, 2 and ∞ the one
#: whose 80 % intervals miss 80 % by the least root mean square: 5.4, 3.7, 3.1 and 3.6 points (without it 8.9) over 27
#: fits to 400 to 1 500 molecules. On seven fits to bulk moduli ∞ misses less at 80 % (3.2 against 5.0 points) and more
#: at 95 % (3.8 against 2.9).
_FADING = 2
#: Competitions remembered, so that a search that fits after every evaluation does not repeat them.
_REMEMBERED = 256
_memory: OrderedDict[str, dict[str, Any]] = OrderedDict()


def fit_chosen(
    X: Array,
    y: Array,
    kind: str = 'auto',
    setting: Setting | None = None,
    earlier: Callable[[int], tuple[Array, Setting]] | None = None,
) -> tuple[Regressor, dict[str, Any]]:
    """Fit the model of a kind that predicts best.

    :param X: inputs in the order in which they were evaluated, shape (n, d), scaled to about unit variance.
    :param y: targets, shape (n,).
    :param earlier: gives the inputs of the first k rows, and the setting, as they were when there were only those;
        by default the first k of ``X``.
    :returns: the model, calibrated, and the record: ``chosen`` (names of the parts of a mixture joined by +),
        ``reason``, ``weights`` of the parts, ``n`` (rows that decided), ``folds``, and for each candidate its
        ``score`` (mean log density per row of the standardised targets), ``se`` of the difference to the best,
        ``coverage80``, ``mae`` (the property's unit), ``factor``; ``factors`` on the deviations of the parts, from
        ``later_rows`` predicted from earlier ones; where there are more rows than competed, ``left_out`` with the rows
        of the table that were left out in turn, and the factor on all ``factors`` that they ask for.
    :raises RegressorError: if the kind is not installed or lacks what it needs, or the data cannot be learned from.
    """
    X, y = check_training(X, y)
    setting = setting or Setting()
    name, reason = resolve(kind, y)
    part = kind_named(name)
    if lacks := part.lacks(setting):
        raise RegressorError(f'{name} {lacks}')
    if not part.calibrated:
        return part.fit(X, y, setting), {'chosen': name, 'reason': reason, 'n': len(y), 'candidates': {}}
    rows, before, then = decisive_rows(len(y)), X, setting
    if rows:
        before, then = earlier(rows) if earlier else (X[:rows], setting.at(slice(rows)))
    # what competes is settled by the rows that decide: starting data come first, and may have no curves
    fits = part.recipes(then)
    names = list(fits)
    reason = ''
    if rows == 0:
        reason = f'{len(y)} row(s) decide nothing, {LEAST_ROWS} would'
    elif target_scale(y[:rows])[2]:
        reason = 'all values are equal'
    elif lacks := part.lacks(then):
        reason = f'the first {rows} rows decide nothing: it {lacks}'
    if reason:
        first = _first(names, setting)
        from_earlier = any(prior.origin for prior in setting.priors)
        why = {'earlier': {'n': len(y), 'reason': reason}} if from_earlier else {}
        undecided = {'chosen': first, 'reason': reason, 'n': len(y), 'candidates': {}, **why}
        return fits[first](X, y, setting), undecided
    record = _competition(before, y[:rows], fits, then)
    # the only model, or the mixture of several, each with its factor on the deviations
    weights = np.array(list(record['weights'].values()), dtype=np.float64)
    parts = [fits[name](X, y, setting).with_factor(record['factors'][name]) for name in record['weights']]
    if record['n'] < rows:
        parts, record = _widened(parts, weights, y, record)
    return parts[0] if len(parts) == 1 else Mixture(tuple(parts), weights), record


def _widened(
    parts: list[Regressor], weights: Array, y: Array, record: dict[str, Any]
) -> tuple[list[Regressor], dict[str, Any]]:
    """Parts of more rows than competed, and the record, with one more factor on the deviations of all parts.

    It is the factor that the mixture's left-out rows ask for, raised to 1 − (m/n)², if m rows have competed: continuous
    where n grows beyond m. Left-out rows alone would promise too much of few rows, since hyperparameters have seen
    them. Unchanged if a part cannot leave out rows.

    :param weights: of the parts, shape (k,). :param y: targets, shape (n,).
    """
    if not all(isinstance(part, LeavesOut) for part in parts):
        return parts, record
    mean, deviation = mixed(weights, [part.left_out() for part in parts if isinstance(part, LeavesOut)])
    known = np.isfinite(mean)
    asked = deviation_factor((y[known] - mean[known]) / deviation[known])
    common = asked ** (1 - (record['n'] / len(y)) ** _FADING)
    factors = {name: common * factor for name, factor in record['factors'].items()}
    found = [part.with_factor(factor) for part, factor in zip(parts, factors.values(), strict=True)]
    return found, {**record, 'factors': factors, 'left_out': {'n': int(known.sum()), 'factor': common}}


def _first(names: Sequence[str], setting: Setting) -> str:
    """What is taken where rows are too few to decide: one that starts from values of the property, or the first."""
    if any(prior.expected for prior in setting.priors):
        return next((name for name in names if _kind_of(name) == 'transfer'), names[0])
    return names[0]


def resolve(kind: str, y: Array) -> tuple[str, str]:
    """The kind itself, or what ``auto`` means for these targets, shape (n,), and why."""
    if kind != 'auto':
        return kind, 'asked for'
    usual = usual_value(y)
    if usual is None or target_scale(y)[2]:
        return 'mixture', ''
    return 'hurdle', f'{np.mean(y == usual):.0%} of the values are exactly {usual:g}'


def decisive_rows(n: int) -> int:
    """How many of the first rows decide: the largest of 10, 12, 15, 18, 21, 25, … up to n; 0 below ten."""
    rows, exact = 0, float(LEAST_ROWS)
    while math.ceil(exact - 1e-9) <= n:
        rows, exact = math.ceil(exact - 1e-9), exact * _GROWTH
    return rows


def _competition(X: Array, y: Array, fits: Mapping[str, Fit], setting: Setting) -> dict[str, Any]:
    """The record of one competition, remembered by its data."""
    origins = [(prior.origin, prior.expected) for prior in setting.priors]
    digest = hashlib.sha256(repr((list(fits), X.shape, setting.seed, origins)).encode())
    beside = [array for other in setting.others for array in (other.X, other.y, other.shared)]
    for array in (X, y, *(prior.weights for prior in setting.priors), *beside):
        digest.update(np.ascontiguousarray(array).tobytes())
    for given in (setting.composition, setting.errors):
        if given is not None:
            digest.update(given.tobytes())
    if setting.curves is not None:
        # the values that are learned are its numbers
        digest.update(repr((setting.curves.kind, setting.curves.functional.label)).encode())
        digest.update(np.ascontiguousarray(setting.curves.values).tobytes())
    key = digest.hexdigest()
    if key not in _memory:
        _memory[key] = _compete(X, y, fits, setting)
        if len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
    return _memory[key]


def _compete(X: Array, y: Array, fits: Mapping[str, Fit], setting: Setting) -> dict[str, Any]:
    names = list(fits)
    if len(y) > _MOST_ROWS:
        drawn = np.sort(np.random.default_rng(setting.seed).permutation(len(y))[:_MOST_ROWS])
        X, y, setting = X[drawn], y[drawn], setting.at(drawn)
    offset, scale, _ = target_scale(y)
    z, setting = (y - offset) / scale, setting.at(slice(None), scale, offset)
    tried = {name: _try(X, z, name, fits[name], setting) for name in names}
    candidates, weights, reason = _judged(tried, scale)
    own = {name: float(candidates[name]['factor']) for name in weights}
    later = [later_predictions(X, z, name, fits[name], setting) for name in weights]
    rows, common = len(later[0][0]), 1.0
    if rows:
        # parts that are honest one by one make a mixture that is too wide: it has a factor of its own
        unseen = [(mean, own[name] * deviation) for name, (mean, deviation) in zip(weights, later, strict=True)]
        mean, deviation = mixed(np.array(list(weights.values())), unseen)
        common = deviation_factor((z[-rows:] - mean) / deviation)
        rows = int(np.isfinite(mean).sum())
    return {
        'chosen': '+'.join(weights),
        'reason': reason,
        'weights': weights,
        'n': len(y),
        'folds': _FOLDS,
        'candidates': candidates,
        'later_rows': rows,
        'factors': {name: common * factor for name, factor in own.items()},
        **_help_of_earlier(X, z, tried, weights, fits, setting, scale),
    }


@dataclass(frozen=True)
class _Trial:
    """How a recipe predicts rows that it has not seen, in standard deviations of the targets: each of shape (n,)."""

    mean: Array
    error: Array
    miss: Array
    density: Array
    factor: float


def _try(X: Array, z: Array, name: str, fit: Fit, setting: Setting) -> _Trial:
    mean, deviation = unseen_predictions(X, z, name, fit, setting)
    miss = (z - mean) / deviation
    known = np.isfinite(mean)
    factor = deviation_factor(miss[known])
    density = np.full(len(z), np.nan)
    density[known] = tailed_log_density(z[known], mean[known], factor * deviation[known])
    return _Trial(mean, np.abs(z - mean), miss, density, factor)


def _judged(tried: Mapping[str, _Trial], scale: float) -> tuple[dict[str, Any], dict[str, float], str]:
    """The figures of each recipe, the weights of those that are taken, and why."""
    names = list(tried)
    candidates: dict[str, Any] = {}
    for name, trial in tried.items():
        known = np.isfinite(trial.mean)
        deviation = np.abs(trial.miss[known])
        candidates[name] = {
            'score': float(np.nanmean(trial.density)),
            'coverage80': float((deviation <= Z80 * trial.factor).mean()),
            'mae': float(trial.error[known].mean() * scale),
            'factor': trial.factor,
        }
    densities = {name: trial.density for name, trial in tried.items()}
    best = max(names, key=lambda name: candidates[name]['score'])
    for name in names:
        difference = densities[best] - densities[name]
        difference = difference[np.isfinite(difference)]
        candidates[name]['se'] = float(difference.std(ddof=1) / math.sqrt(len(difference)))
    kinds = list(dict.fromkeys(_kind_of(name) for name in names))
    weights, reason = _weigh(kinds, names, candidates, densities)
    return candidates, weights, reason


def _help_of_earlier(
    X: Array,
    z: Array,
    tried: Mapping[str, _Trial],
    weights: Mapping[str, float],
    fits: Mapping[str, Fit],
    setting: Setting,
    scale: float,
) -> dict[str, Any]:
    """How earlier campaigns changed the predictions of unseen rows: with them against without, row by row."""
    if not any(prior.origin for prior in setting.priors) or not any(_kind_of(name) == 'transfer' for name in tried):
        return {}
    without = replace(setting, priors=tuple(prior for prior in setting.priors if not prior.origin))
    # a transfer without a prior is a Gaussian process with a length scale for each column: as many models compete
    if without.priors:
        instead = _try(X, z, 'transfer', fits['transfer'], without)
    elif 'gp/ard' in tried:
        instead = tried['gp/ard']
    else:
        instead = _try(X, z, 'gp/ard', kind_named('gp').recipes(without)['gp/ard'], without)
    others = {name: instead if _kind_of(name) == 'transfer' else trial for name, trial in tried.items()}
    pair = []
    for trials, shares in ((tried, weights), (others, _judged(others, scale)[1])):
        parts = [(share, trials[name]) for name, share in shares.items()]
        density = np.log(sum(share * np.exp(trial.density) for share, trial in parts))
        error = np.abs(sum(share * trial.mean for share, trial in parts) - z)
        pair.append((density, error * scale))
    (density, error), (density_without, error_without) = pair
    known = np.isfinite(density - density_without)
    gain, change = (density - density_without)[known], (error - error_without)[known]
    root = math.sqrt(len(gain))
    return {
        'earlier': {
            'n': len(gain),
            'weight': float(weights.get('transfer', 0.0)),
            'mae': float(error[known].mean()),
            'mae_without': float(error_without[known].mean()),
            'mae_change_se': float(change.std(ddof=1) / root),
            'gain': float(gain.mean()),
            'gain_se': float(gain.std(ddof=1) / root),
        }
    }


def _kind_of(recipe: str) -> str:
    return recipe.split('/')[0]


def _weigh(
    kinds: Sequence[str], names: Sequence[str], candidates: dict[str, Any], densities: Mapping[str, Array]
) -> tuple[dict[str, float], str]:
    """The weight of the model that each kind sends, and why."""
    sent, reasons = [], []
    for kind in kinds:
        own = [name for name in names if _kind_of(name) == kind]
        name, reason = _decide(own, max(own, key=lambda name: candidates[name]['score']), candidates)
        sent.append(name)
        reasons.append(reason)
    if len(sent) == 1:
        return {sent[0]: 1.0}, reasons[0]
    if len(densities[sent[0]]) < LEAST_MIXED:
        best = max(sent, key=lambda name: candidates[name]['score'])
        chosen, reason = _decide(sent, best, candidates)
        return {chosen: 1.0}, reason
    table = np.stack([densities[name] for name in sent], axis=1)
    weights = stacking_weights(table[np.isfinite(table).all(axis=1)])
    keep = weights >= LEAST_WEIGHT
    shares = weights[keep] / weights[keep].sum()
    found = {name: float(share) for name, share in zip(np.array(sent)[keep].tolist(), shares, strict=True)}
    words = ', '.join(f'{name} {share:.0%}' for name, share in found.items())
    return found, f'weights by how likely left-out rows are: {words}'


def _decide(names: Sequence[str], best: str, candidates: dict[str, Any]) -> tuple[str, str]:
    """What is chosen, and why: the first that the best does not beat by more than the error."""
    if len(names) == 1:
        return best, 'the only candidate'
    chosen = next(
        name
        for name in names
        if candidates[best]['score'] - candidates[name]['score'] <= candidates[name]['se'] or name == best
    )
    if chosen == best:
        return best, f'{best} predicts left-out rows best'
    gap, error = candidates[best]['score'] - candidates[chosen]['score'], candidates[chosen]['se']
    return chosen, f'{best} is better by {gap:.2f} ± {error:.2f} nats per row only, within the error'


def later_predictions(X: Array, y: Array, name: str, fit: Fit, setting: Setting) -> tuple[Array, Array]:
    """Mean and uncalibrated deviation of the later half of the rows, block after block from all rows before.

    :returns: each of shape (n // 2,); empty if there are fewer than twenty rows, NaN where the rows before had too few
        curves to learn from.
    """
    n = len(y)
    if n < 2 * LEAST_ROWS:
        return np.empty(0), np.empty(0)
    begin = n - n // 2
    parts = []
    for block in np.array_split(np.arange(begin, n), _FOLDS):
        known = slice(0, int(block[0]))
        before = setting.at(known)
        if kind_named(_kind_of(name)).lacks(before):
            parts.append((np.full(len(block), np.nan), np.full(len(block), np.nan)))
        else:
            parts.append(fit(X[known], y[known], before).with_factor(1.0).predict(X[block]))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def unseen_predictions(X: Array, y: Array, name: str, fit: Fit, setting: Setting) -> tuple[Array, Array]:
    """Mean and uncalibrated deviation of each row by a model that has not seen it, each of shape (n,)."""
    own = kind_named(_kind_of(name)).left_out(X, y, setting)
    if own is not None:
        return own
    folds = np.random.default_rng(setting.seed).permutation(len(y)) % _FOLDS
    mean, deviation = np.empty(len(y)), np.empty(len(y))
    for fold in range(_FOLDS):
        out = folds == fold
        part = fit(X[~out], y[~out], setting.at(~out)).with_factor(1.0)
        mean[out], deviation[out] = part.predict(X[out])
    return mean, deviation
