"""The published predictions of CSPML for its 90 crystals, measured as ours are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.proposal.matching import Reference
from aiida_inversedesign.benchmarks.proposal.queries import PUBLISHED_KINDS, Prediction, Query
from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula

#: predictions of each crystal that count
TOP = 10


def measure_predictions(
    queries: Sequence[Query],
    predictions: Sequence[Prediction],
    fingerprints: Mapping[str, Array],
    taus: Sequence[float],
    progress: Report = silent,
) -> dict[str, Any]:
    """How many of the queries the published predictions answer among their first ten.

    :param fingerprints: of the predictions, by id; NaN or missing where there is none.
    :returns: for each kind the number within each τ, matched, of the same space group, and both, out of ``n``.
    """
    by_query: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    for item in predictions:
        if item.rank <= TOP:
            by_query[item.kind, reduced_formula(parse_formula(item.query))].append(item)
    found: dict[str, Any] = {}
    for step, kind in enumerate(PUBLISHED_KINDS):
        within = dict.fromkeys(taus, 0)
        counts = {'matcher': 0, 'space_group': 0, 'both': 0}
        for number, query in enumerate(queries):
            progress('published predictions', (step + number / len(queries)) / len(PUBLISHED_KINDS))
            given = sorted(by_query.get((kind, query.formula), ()), key=lambda item: item.rank)
            distances = [_distance(query, fingerprints.get(item.id)) for item in given]
            for tau in taus:
                within[tau] += any(distance <= tau for distance in distances)
            truth = Reference(query.crystal)
            same = [
                (item.crystal.formula == query.formula and truth.matches(item.crystal),
                 truth.same_space_group(item.crystal))
                for item in given
            ]  # fmt: skip
            counts['matcher'] += any(matched for matched, _ in same)
            counts['space_group'] += any(grouped for _, grouped in same)
            counts['both'] += any(matched and grouped for matched, grouped in same)
        found[kind] = {
            'n': len(queries),
            'predictions': sum(item.kind == kind for item in predictions),
            'within': {f'{tau:g}': number for tau, number in within.items()},
            **counts,
        }
    progress('published predictions', 1.0)
    return found


def _distance(query: Query, fingerprint: Array | None) -> float:
    if fingerprint is None or not np.isfinite(fingerprint).all():
        return np.inf
    return float(np.linalg.norm(fingerprint - query.fingerprint))
