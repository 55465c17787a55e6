"""Fits a surrogate: to the rows of a campaign, or to a matrix of descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows, Other, Setting
from aiida_inversedesign.campaign.replicates import noise_of, with_noise
from aiida_inversedesign.campaign.row import KNOWN, EvaluationRow
from aiida_inversedesign.campaign.text.number_words import LARGEST
from aiida_inversedesign.learn.choice import fit_chosen
from aiida_inversedesign.learn.earlier import SourceTask, earlier_priors, record_of
from aiida_inversedesign.learn.failure import fit_failure
from aiida_inversedesign.learn.models.transfer import Estimate, Prior
from aiida_inversedesign.learn.regressor import RegressorError, kind_named
from aiida_inversedesign.learn.scaling import scaling
from aiida_inversedesign.learn.surrogate import Surrogate, SurrogateError, estimate_column, estimate_values

#: Fewest completed rows with a property before it is modelled.
MINIMUM_ROWS = 3
#: A potential's estimate is a descriptor if so many of the rows have it.
_KNOWN = 0.7


def fit_on_features(
    features: Array,
    targets: Mapping[str, Array],
    failed: NDArray[np.bool_] | None = None,
    kind: str = 'auto',
    seed: int = 0,
    names: Sequence[str] | None = None,
    reference: Array | None = None,
    priors: Sequence[Prior] = (),
    composition: NDArray[np.bool_] | None = None,
    errors: Mapping[str, Array] | None = None,
    curves: Mapping[str, CurveRows] | None = None,
) -> Surrogate:
    """Fit a surrogate to a matrix of descriptors, as campaigns do to their tables.

    Each property is learned from the rows that have a finite value of it.

    :param features: descriptors of what was evaluated, in that order, shape (n, d).
    :param targets: values of each property, shape (n,), NaN where there is none.
    :param failed: which evaluations failed, shape (n,), or None if that is not known.
    :param kind: ``auto`` or an installed surrogate; ``multitask`` learns all properties together.
    :param names: of the columns; by default ``column_0`` …
    :param reference: descriptors of the pool, shape (m, d), by which they are standardised; by default the rows that
        have a value of some property.
    :param priors: learned from other data (``transfer.learn_prior``); ``auto`` lets them compete.
    :param composition: which descriptors describe the composition, shape (d,); None where that makes no difference.
    :param errors: standard errors of the values of properties that were measured with one, shape (n,), NaN where there
        is none.
    :param curves: those of each row, of properties that are numbers of curves.
    :raises SurrogateError: if the kind is unknown, no property is asked for, a property has fewer than three rows,
        shapes differ, or a descriptor is not finite.
    """
    features = np.asarray(features, dtype=np.float64)
    columns = [f'column_{index}' for index in range(features.shape[-1])] if names is None else list(names)
    _check(features, targets, failed, columns, errors or {})
    _needs(kind)
    setting = Setting(seed, composition, tuple(priors))
    known = {
        name: np.flatnonzero(np.isfinite(np.asarray(values, dtype=np.float64))) for name, values in targets.items()
    }
    for name, rows in known.items():
        if len(rows) < MINIMUM_ROWS:
            raise SurrogateError(
                f'{len(rows)} completed evaluation(s) have a value of {name!r}, at least {MINIMUM_ROWS} are needed '
                f'({len(features)} evaluations in all): evaluate more candidates first'
            )
    usable = np.unique(np.concatenate(list(known.values())))
    frame = Surrogate(kind, seed, tuple(columns), *scaling(features[usable] if reference is None else reference), {})
    models, record = {}, {}
    for name, rows in known.items():
        values = np.asarray(targets[name], dtype=np.float64)[rows]
        own = features[rows]
        own_setting = _estimated(_measured(setting, errors, name, rows), columns, name, own)
        own_setting = replace(own_setting, priors=tuple(prior.meant_for(name) for prior in own_setting.priors))
        own_setting = replace(own_setting, curves=_curves(curves, name, rows))
        # beside a number of a curve there may be others, such as the formation energy of a constraint
        own_kind = 'auto' if 'curves' in _needs(kind) and curves and name not in curves else kind

        def earlier(
            count: int, name: str = name, own: Array = own, own_setting: Setting = own_setting
        ) -> tuple[Array, Setting]:
            then = frame
            if reference is None:
                center, width = scaling(own[:count])
                then = replace(frame, center=center, width=width)
            return then.standardise(own[:count]), _as_of(then, own_setting.at(slice(count)), name, features, targets)

        now = _as_of(frame, own_setting, name, features, targets)
        try:
            models[name], record[name] = fit_chosen(frame.standardise(own), values, own_kind, now, earlier)
        except RegressorError as error:
            raise SurrogateError(f'no surrogate of {name!r}: {error}') from error
        record[name]['rows_without_value'] = len(features) - len(rows)
        if own_setting.curves is not None and not own_setting.curves.known.all():
            record[name]['rows_without_curve'] = int((~own_setting.curves.known).sum())
    failure = None if failed is None else fit_failure(frame.standardise(features), np.asarray(failed, dtype=bool))
    return replace(frame, models=models, failure=failure, record=record)


def _measured(setting: Setting, errors: Mapping[str, Array] | None, name: str, rows: Integers) -> Setting:
    """The setting with the errors of a property; without where none is known."""
    if errors is None or name not in errors:
        return setting
    own = np.asarray(errors[name], dtype=np.float64)[rows]
    if (own < 0).any() or np.isinf(own).any():
        raise SurrogateError(f'standard errors of {name!r} must be finite and not negative: NaN where there is none')
    return replace(setting, errors=own) if np.isfinite(own).any() else setting


def _curves(curves: Mapping[str, CurveRows] | None, name: str, rows: Integers) -> CurveRows | None:
    """The curves of rows; None where no row has one."""
    if curves is None or name not in curves:
        return None
    own = curves[name].at(rows)
    return own if own.known.any() else None


def _estimated(setting: Setting, columns: Sequence[str], name: str, features: Array) -> Setting:
    """The setting with a potential's estimate of a property as a prior of it, where that is a descriptor."""
    if estimate_column(name) not in columns:
        return setting
    number = list(columns).index(estimate_column(name))
    values = features[:, number]
    width = float(values.std()) or 1.0
    # what a potential says of each candidate leaves nothing to expect of other campaigns
    others = tuple(prior.meant_for('') for prior in setting.priors)
    return replace(setting, priors=(*others, Estimate(name, number, float(values.mean()), width)))


def _needs(kind: str) -> tuple[str, ...]:
    """What a kind needs besides rows; it is an error if it is not installed."""
    try:
        return () if kind == 'auto' else kind_named(kind).needs
    except RegressorError as error:
        raise SurrogateError(str(error)) from error


def _as_of(frame: Surrogate, setting: Setting, name: str, features: Array, targets: Mapping[str, Array]) -> Setting:
    """The setting of a property's model, as it is on the scale of ``frame``."""
    others: list[Other] = []
    if 'properties' in _needs(frame.kind):
        known = {other: np.isfinite(np.asarray(values, dtype=np.float64)) for other, values in targets.items()}
        others = [
            Other(
                other,
                frame.standardise(features[rows]),
                np.asarray(targets[other], dtype=np.float64)[rows],
                known[name][rows],
            )
            for other, rows in known.items()
            if other != name
        ]
    return replace(setting, center=frame.center, width=frame.width, others=tuple(others))


def _check(
    features: Array,
    targets: Mapping[str, Array],
    failed: NDArray[np.bool_] | None,
    columns: Sequence[str],
    errors: Mapping[str, Array],
) -> None:
    if not targets:
        raise SurrogateError('no properties to model: the goal must name at least one')
    if features.ndim != 2 or features.shape[1] != len(columns):
        raise SurrogateError(f'features of shape {features.shape} for {len(columns)} columns: one row per evaluation')
    given = {**targets, **({} if failed is None else {'failed': failed})}
    given |= {f'errors of {name}': values for name, values in errors.items()}
    for name, values in given.items():
        if np.shape(values) != (len(features),):
            raise SurrogateError(f'{name!r} has shape {np.shape(values)} for {len(features)} rows of features')
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise SurrogateError(
            f'{len(np.unique(bad[:, 0]))} row(s) of features contain NaN or infinity, first row {row} in '
            f'{columns[column]!r}: fill these values or leave the rows or the column out'
        )


def fit_surrogate(
    rows: Sequence[EvaluationRow],
    properties: Sequence[str],
    space: SpaceSection,
    kind: str,
    seed: int,
    priors: Sequence[Prior] = (),
    curves: Mapping[str, CurveRows] | None = None,
    earlier: Sequence[SourceTask] = (),
    noisy: bool = True,
) -> Surrogate:
    """Fit a surrogate to the evaluations so far.

    Each property is learned from every completed row that has it, and failures from all rows; the inputs are the
    candidates as proposed, which is all that is known of them.

    :param kind: ``auto`` or an installed surrogate; ``multitask`` learns all properties together.
    :param curves: those of the rows, of properties that are numbers of curves
        (:func:`~aiida_inversedesign.learn.curves.rows.curves_of_rows`).
    :param noisy: whether the engine measures; see :func:`errors_of`.
    :raises SurrogateError: if the kind is unknown, nothing is asked for, or a property has fewer than three rows.
    :raises EarlierError: if the rows of an earlier campaign cannot be described as those of this one.
    """
    if not rows and properties:
        raise SurrogateError(
            f'0 completed evaluation(s) have a value of {properties[0]!r}, at least {MINIMUM_ROWS} are needed '
            '(0 evaluations in all): evaluate more candidates first'
        )
    features, names = space.describe([row.proposed for row in rows], [row.probability for row in rows])
    composition = space.composition_columns()
    if (chosen := space.columns(names, len(rows))) is not None:
        features, names = features[:, chosen], [names[number] for number in chosen]
        composition = None if composition is None else composition[list(chosen)]
    from_earlier = earlier_priors(earlier, space, chosen, seed)
    features, names, composition = _with_estimates(features, names, composition, rows)
    targets = {name: values_of(rows, name) for name in properties}
    errors = {name: errors_of(rows, name, noisy) for name in properties}
    failed = np.array([row.status == 'failed' for row in rows], dtype=bool)
    found = fit_on_features(
        features,
        targets,
        failed,
        kind,
        seed,
        names,
        priors=(*priors, *from_earlier),
        composition=composition,
        errors=errors,
        curves=curves,
    )
    for record in found.record.values() if from_earlier else ():
        record['earlier'] = {**record.get('earlier', {}), 'campaigns': record_of(earlier, from_earlier)}
    return found


def _with_estimates(
    features: Array, names: Sequence[str], composition: NDArray[np.bool_] | None, rows: Sequence[EvaluationRow]
) -> tuple[Array, list[str], NDArray[np.bool_] | None]:
    """Descriptors of rows, their names, and which describe the composition, with the estimates that most rows have."""
    columns = sorted({estimate_column(name) for row in rows for name in row.estimates})
    values = estimate_values([row.estimates for row in rows], columns)
    # what most rows lack says more of the potential than of the crystals
    frequent = np.isfinite(values).mean(axis=0) >= _KNOWN if columns else np.zeros(0, dtype=bool)
    columns, values = [name for name, keep in zip(columns, frequent, strict=True) if keep], values[:, frequent]
    if not columns:
        return features, list(names), composition
    values = np.where(np.isfinite(values), values, np.nanmean(values, axis=0))
    if composition is not None:
        composition = np.concatenate([composition, np.zeros(len(columns), dtype=bool)])
    return np.column_stack([features, values]), [*names, *columns], composition


def values_of(rows: Sequence[EvaluationRow], name: str) -> Array:
    """The value of a property in each row, shape (n,); NaN if it failed, has none, or one that cannot be squared."""
    values = [row.properties.get(name) if row.status == 'completed' else None for row in rows]
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.where(np.abs(found) <= LARGEST, found, np.nan)


def errors_of(rows: Sequence[EvaluationRow], name: str, noisy: bool = True) -> Array:
    """The standard error of a property in each row, shape (n,); NaN where it is not known.

    Where repeated points tell the noise (:func:`~aiida_inversedesign.campaign.replicates.noise_of`), it stands for
    errors that were not given. Starting data that were measured tell nothing of values that were computed.

    :param noisy: whether the engine measures. One that computes, but looks up measurements, has rows with errors or
        repeats of their own.
    """
    errors = np.array([row.errors.get(name, np.nan) for row in rows], dtype=np.float64)
    repeats = [row.replicates.get(name, (1, 0.0)) for row in rows]
    computed = np.array([row.arm != KNOWN for row in rows], dtype=bool)
    own = (row.errors.keys() | row.replicates.keys() for row, ours in zip(rows, computed, strict=True) if ours)
    if noisy or any(name in names for names in own):
        computed[:] = False
    noise = noise_of([row for row, left_out in zip(rows, computed, strict=True) if not left_out], name)
    return np.where(computed, errors, with_noise(errors.tolist(), repeats, noise))
