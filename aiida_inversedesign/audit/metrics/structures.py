"""How new and how different the crystals are: uniqueness, novelty, diversity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.audit.metrics.intervals import Z95, share, unknown
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formula_spelling import FormulaError
from aiida_inversedesign.chemistry.formulas import elements_of, ratio_label
from aiida_inversedesign.chemistry.matching import same_structure
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.chemistry.symmetry import space_group_number

#: Most crystals whose fingerprints are compared in pairs.
MOST_FINGERPRINTS = 500


def uniqueness(crystals: Sequence[Crystal]) -> dict[str, Any]:
    """Share of crystals that match no earlier one, by structure, and by structure and space group.

    :param crystals: in the order of the proposals, or of the launches.
    """
    if not crystals:
        return unknown('there is no crystal')
    earlier: dict[str, list[Crystal]] = {}
    verdicts = []
    for crystal in crystals:
        same = earlier.setdefault(crystal.formula, [])
        verdicts.append(_found(crystal, same))
        same.append(crystal)
    return _shares(verdicts)


def novelty(crystals: Sequence[Crystal], known: Sequence[Crystal]) -> dict[str, Any]:
    """Share of crystals that match no entry of the library, by structure, and by structure and space group.

    ``prototype`` is the share whose anonymous prototype no entry has: zincblende BN is a new crystal where the entry is
    ZnS, but not a new prototype. ``new`` has the indices of the crystals that are new by structure.
    """
    if not crystals:
        return unknown('there is no crystal')
    formulas = {crystal.formula for crystal in crystals}
    ratios = {ratio_label(crystal.counts) for crystal in crystals}
    entries: dict[str, list[Crystal]] = {}
    prototypes = set()
    for entry in known:
        if entry.formula in formulas:
            entries.setdefault(entry.formula, []).append(entry)
        if ratio_label(entry.counts) in ratios:
            prototypes.add(prototype_label(entry))
    verdicts = [_found(crystal, entries.get(crystal.formula, [])) for crystal in crystals]
    labels = [prototype_label(crystal) for crystal in crystals]
    return {
        **_shares(verdicts),
        'prototype': share(sum(bool(label) and label not in prototypes for label in labels), len(labels)),
        'library': len(known),
        'new': [index for index, (found, _) in enumerate(verdicts) if not found],
    }


def _found(crystal: Crystal, others: Sequence[Crystal]) -> tuple[bool, bool]:
    """Whether one of them has the structure, and whether one has the structure and the space group."""
    by_structure = False
    for other in others:
        if same_structure(crystal, other):
            by_structure = True
            group = space_group_number(crystal)
            if group is not None and group == space_group_number(other):
                return True, True
    return by_structure, False


def _shares(verdicts: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    n = len(verdicts)
    structure = share(sum(not found for found, _ in verdicts), n)
    both = share(sum(not found for _, found in verdicts), n)
    return {**structure, 'structure_matcher': structure, 'structure_matcher_and_space_group': both}


def diversity(outcomes: Sequence[EvaluationRecord], fingerprints: bool = True, reason: str = '') -> dict[str, Any]:
    """Mean pairwise distance of the structure fingerprints, distinct prototypes, formulas and chemical systems.

    Of all evaluations, and of the distinct hits; relaxed crystals where there are any, else as proposed. The interval
    of the mean distance is the jackknife's over crystals.

    :param fingerprints: whether distances are computed; a fingerprint takes about 50 ms.
    :param reason: why they are not.
    """
    groups = {'evaluations': list(outcomes), 'hits': [outcome for outcome in outcomes if outcome.is_distinct_hit]}
    result: dict[str, Any] = {}
    for name, chosen in groups.items():
        formulas = {outcome.key for outcome in chosen if outcome.key}
        labels = (outcome.result_prototype if fingerprints else outcome.prototype for outcome in chosen)
        prototypes = set(filter(None, labels))
        result[name] = {
            'n': len(chosen),
            'formulas': len(formulas),
            **_chemical_systems(formulas),
            'prototypes': len(prototypes) if prototypes or not chosen else None,
            'distance': _distance(chosen) if fingerprints else unknown(reason),
        }
        if result[name]['prototypes'] is None:
            result[name]['prototypes_reason'] = 'the pool has no prototypes of them'
    overall = result['evaluations']['distance']
    return {**overall, **result}


def number_of_keys(outcomes: Sequence[EvaluationRecord], reason: str) -> dict[str, Any]:
    """How many different candidates were evaluated and are hits, where they are not crystals.

    :param reason: why there are no distances.
    """
    groups = {'evaluations': list(outcomes), 'hits': [outcome for outcome in outcomes if outcome.is_distinct_hit]}
    return unknown(reason) | {
        name: {'n': len(chosen), 'keys': len({outcome.key for outcome in chosen}), 'distance': unknown(reason)}
        for name, chosen in groups.items()
    }


def _chemical_systems(formulas: Iterable[str]) -> dict[str, Any]:
    """Number of distinct sets of elements; formulas that cannot be read are reported."""
    systems, unread = set(), []
    for formula in formulas:
        try:
            systems.add('-'.join(sorted(elements_of(formula))))
        except FormulaError:
            unread.append(formula)
    if not unread:
        return {'chemical_systems': len(systems)}
    reason = f'{len(unread)} formulas cannot be read, the first is {min(unread)[:40]!r}'
    return {'chemical_systems': len(systems) or None, 'chemical_systems_reason': reason}


def _distance(chosen: Sequence[EvaluationRecord]) -> dict[str, Any]:
    crystals = [crystal for item in chosen[:MOST_FINGERPRINTS] if (crystal := item.result)]
    if len(crystals) < 2:
        return unknown('there are fewer than two crystals', n=len(crystals))
    from aiida_inversedesign.chemistry.fingerprints.structure import FingerprintError, fingerprint

    vectors = []
    for crystal in crystals:
        try:
            vectors.append(fingerprint(crystal))
        except FingerprintError:
            continue
    if len(vectors) < 2:
        return unknown('there are fewer than two crystals with a fingerprint', n=len(vectors))
    return mean_distance(np.array(vectors))


def mean_distance(vectors: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """Mean Euclidean distance of all pairs with the jackknife's 95 % interval.

    :param vectors: shape (n, d), n at least 2.
    """
    from scipy.spatial.distance import pdist, squareform

    distances = squareform(pdist(vectors))
    n, total = len(vectors), float(distances.sum())
    value = total / (n * (n - 1))
    result: dict[str, Any] = {'value': value, 'n': n}
    if n > 2:
        left_out = (total - 2 * distances.sum(axis=1)) / ((n - 1) * (n - 2))
        half = Z95 * math.sqrt((n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum()))
        # no distance is negative: cut there, the interval covers as often
        result |= {'low': max(value - half, 0.0), 'high': value + half}
    else:
        result['interval_reason'] = 'a single pair has no spread'
    return result
