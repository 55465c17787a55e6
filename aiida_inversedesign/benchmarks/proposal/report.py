"""Sums a benchmark up as plain data: the keys are documented in ``docs/benchmarks.md`` and stable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aiida_inversedesign.benchmarks.proposal.run import KS, STRUCTURE_KS, Answers, Outcome
from aiida_inversedesign.benchmarks.proposal.scores import NEVER, Positions, Share, mcnemar, recall, share, success
from aiida_inversedesign.benchmarks.proposal.volumes import volume_errors

SCHEMA = 'inversedesign/1'
#: fields of :class:`~.matching.Matches` by the key they are reported under
STRUCTURE_MEASURES = ('matcher', 'space_group', 'both')


def summarise(outcome: Outcome, taus: tuple[float, ...]) -> dict[str, Any]:
    """The figures of a benchmark.

    Shares are fractions; their 95 % Wilson intervals stand under ``intervals`` at the same keys. The first ranking is
    the one that the paired tests and ``volume_error`` are about. A figure that is not known is None with a ``reason``.
    """
    n, m = len(outcome.queries), len(outcome.matches)
    # without a ranking no fingerprint of a template is computed
    known = n if outcome.answers else 0
    ceiling = {_key(tau): share(int(outcome.findable[tau].sum()), known) for tau in taus}
    ceiling['prototype'] = share(int(outcome.findable_prototypes.sum()), n)
    matched = {
        'matcher': share(sum(item.any_matcher for item in outcome.matches), m),
        'both': share(sum(item.any_both for item in outcome.matches), m),
    }
    found: dict[str, Any] = {
        'schema': SCHEMA,
        'n': n,
        'n_matcher': m,
        'n_with_templates': outcome.with_templates,
        'library': {
            'templates': len(outcome.library),
            'hash': outcome.library.content_hash,
            'without_fingerprint': _without_fingerprint(outcome),
        },
        'ceiling': {key: item.value for key, item in (ceiling | matched).items()},
        'rankings': {name: _ranking(outcome, answers, taus) for name, answers in outcome.answers.items()},
    }
    found['ceiling']['intervals'] = {key: item.interval for key, item in (ceiling | matched).items()}
    if m == 0:
        found['ceiling']['reason'] = 'no structures were compared'
    elif not known:
        found['ceiling']['reason'] = 'no ranking was asked, so that no fingerprints were compared'
    first = next(iter(outcome.answers), None)
    if first is not None:
        found['volume_error'] = {'ranking': first, **volume_errors(outcome.volumes[first])}
        found['paired'] = {other: _paired(outcome, first, other, taus) for other in outcome.answers if other != first}
        found['strongest'] = _strongest(outcome, first, taus)
    found['seconds'] = {name: round(value, 3) for name, value in outcome.seconds.items()}
    return found


def _ranking(outcome: Outcome, answers: Answers, taus: tuple[float, ...]) -> dict[str, Any]:
    n = len(outcome.queries)
    recalls = {_key(tau): recall(answers.positions[tau], outcome.findable[tau], KS) for tau in taus}
    successes = {_key(tau): success(answers.positions[tau], KS) for tau in taus}
    structures = {
        name: success(_structure_positions(outcome, answers.name, name), STRUCTURE_KS) for name in STRUCTURE_MEASURES
    }
    errors = volume_errors(outcome.volumes[answers.name], dls=False)
    reached = np.array([len(indices) > 0 for indices in answers.kept], dtype=bool)
    found: dict[str, Any] = {
        'recall': {key: _values(item) for key, item in recalls.items()},
        'success': {key: _values(item) for key, item in successes.items()},
        'prototype': _values(success(answers.prototypes, KS)),
        **{name: _values(item) for name, item in structures.items()},
        'queries_per_second': n / answers.wall_seconds if answers.wall_seconds > 0 else None,
        'queries_per_cpu_second': n / answers.cpu_seconds if answers.cpu_seconds > 0 else None,
        'reach': share(int(reached.sum()), n).value,
        'recall_where_ranked': {
            _key(tau): _values(recall(answers.positions[tau], outcome.findable[tau] & reached, KS)) for tau in taus
        },
        'volume_error': {key: errors[key] for key in ('n', 'median', 'p90', 'template_median')},
        'intervals': {
            'recall': {key: _intervals(item) for key, item in recalls.items()},
            'success': {key: _intervals(item) for key, item in successes.items()},
            'prototype': _intervals(success(answers.prototypes, KS)),
            **{name: _intervals(item) for name, item in structures.items()},
        },
    }
    reasons = [f'nothing is findable within {key}' for key, item in recalls.items() if item[1].n == 0]
    if not outcome.matches:
        reasons.append('no structures were compared')
    if reasons:
        found['reason'] = '; '.join(reasons)
    return found


def _paired(outcome: Outcome, first: str, other: str, taus: tuple[float, ...]) -> dict[str, Any]:
    """McNemar tests of the first ranking against another: by τ among all queries, and of the built structures."""
    own, its = outcome.answers[first], outcome.answers[other]
    tests: dict[str, Any] = {
        _key(tau): {str(k): _test(own.positions[tau], its.positions[tau], k) for k in STRUCTURE_KS} for tau in taus
    }
    tests['prototype'] = {str(k): _test(own.prototypes, its.prototypes, k) for k in STRUCTURE_KS}
    for name in STRUCTURE_MEASURES:
        one, two = _structure_positions(outcome, first, name), _structure_positions(outcome, other, name)
        tests[name] = {str(k): _test(one, two, k) for k in STRUCTURE_KS}
    return tests


def _test(first: Positions, second: Positions, k: int) -> dict[str, Any]:
    return dict(vars(mcnemar(first < k, second < k)))


def _strongest(outcome: Outcome, first: str, taus: tuple[float, ...]) -> dict[str, dict[str, str]]:
    """The strongest of the other rankings by τ and K; the earlier one of equal ones."""
    others = [item for name, item in outcome.answers.items() if name != first]
    if not others:
        return {}
    return {
        _key(tau): {
            str(k): max(others, key=lambda item: int((item.positions[tau] < k).sum())).name for k in STRUCTURE_KS
        }
        for tau in taus
    }


def _structure_positions(outcome: Outcome, name: str, measure: str) -> Positions:
    return np.array([getattr(item, measure).get(name, NEVER) for item in outcome.matches], dtype=np.int64)


def _without_fingerprint(outcome: Outcome) -> int:
    values = outcome.library.fingerprints
    if values is None:
        return len(outcome.library)
    return len(outcome.library) - int(np.isfinite(values).all(axis=1).sum())


def _values(shares: Mapping[int, Share]) -> dict[str, float | None]:
    return {str(k): item.value for k, item in shares.items()}


def _intervals(shares: Mapping[int, Share]) -> dict[str, list[float | None]]:
    return {str(k): item.interval for k, item in shares.items()}


def _key(tau: float) -> str:
    return f'{tau:g}'
