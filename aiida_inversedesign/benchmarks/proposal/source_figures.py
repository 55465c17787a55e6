"""What sources of crystals found for the queries, as plain data: shares with intervals, pairs, calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Mask
from aiida_inversedesign.benchmarks.proposal.queries import Query
from aiida_inversedesign.benchmarks.proposal.scores import NEVER, Positions, mcnemar, share, success

#: ranks at which the arms are compared
KS = (1, 5, 10, 20)
#: between which probabilities are compared with what came true: most are small
EDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)


@dataclass(frozen=True)
class Found:
    """What an arm found for one query.

    :param position: of the first right crystal in the order after screening, from 0; ``proposed`` whether it was
        proposed at all.
    :param proposer: of that crystal.
    :param reasons: why there were no more crystals.
    :param chances: of each crystal as it was proposed: its probability, and whether it has the true prototype.
    :param as_proposed: ``position`` in the order of the proposal, no crystal relaxed; None without a potential, and for
        sources that go on from its energies.
    """

    position: int
    proposed: bool
    proposer: str
    crystals: int
    relaxations: int
    propose_seconds: float
    screen_seconds: float
    reasons: Sequence[str]
    chances: Sequence[tuple[float, bool]] = ()
    as_proposed: int | None = None


def summarise_sources(
    queries: Sequence[Query], found: Mapping[str, Sequence[Found]], seen: Mask | None
) -> dict[str, Any]:
    """The figures of all arms; the paired tests are of the first one against each other.

    :param found: by arm, in the order of the queries.
    :param seen: which of them the potential was trained on, shape (n,); None if that is not known.
    """
    positions = {name: np.array([item.position for item in items], dtype=np.int64) for name, items in found.items()}
    proposed = {name: np.array([item.proposed for item in items], dtype=bool) for name, items in found.items()}
    first = next(iter(found))
    return {
        'arms': {name: _arm(items, positions[name]) for name, items in found.items()},
        'training': None
        if seen is None
        else {
            part: {
                'n': int(chosen.sum()),
                'found': {name: _within(indices[chosen]) for name, indices in positions.items()},
            }
            for part, chosen in (('inside', seen), ('outside', ~seen))
            if chosen.any()
        },
        'paired': {
            name: {
                **{str(k): vars(mcnemar(positions[first] < k, positions[name] < k)) for k in KS},
                'proposed': vars(mcnemar(proposed[first], proposed[name])),
            }
            for name in found
            if name != first
        },
        'queries': [
            {
                'id': query.id,
                'formula': query.formula,
                'found': {
                    name: {
                        'rank': _rank(item.position),
                        'rank_as_proposed': _rank(item.as_proposed),
                        'proposer': item.proposer,
                    }
                    for name, items in found.items()
                    for item in [items[number]]
                },
            }
            for number, query in enumerate(queries)
        ],
    }


def _rank(position: int | None) -> int | None:
    return None if position is None or position == NEVER else position + 1


def _within(positions: Positions) -> dict[str, dict[str, Any]]:
    """Share of the queries with a right crystal among the first K, with its interval."""
    shares = success(positions, KS)
    return {str(k): {'share': item.value, 'interval': item.interval} for k, item in shares.items()}


def _arm(items: Sequence[Found], positions: Positions) -> dict[str, Any]:
    shares, proposed = success(positions, KS), share(sum(item.proposed for item in items), len(items))
    return {
        'found': {str(k): item.value for k, item in shares.items()},
        'proposed': proposed.value,
        'intervals': {
            'found': {str(k): item.interval for k, item in shares.items()},
            'proposed': proposed.interval,
        },
        'by_source': dict(Counter(item.proposer for item in items if item.position != NEVER)),
        'crystals': float(np.mean([item.crystals for item in items])),
        'relaxations': float(np.mean([item.relaxations for item in items])),
        'cpu_seconds': {
            'propose': float(np.mean([item.propose_seconds for item in items])),
            'screen': float(np.mean([item.screen_seconds for item in items])),
        },
        'reasons': dict(Counter(reason for item in items for reason in item.reasons)),
        'calibration': _calibration([pair for item in items for pair in item.chances]),
        'as_proposed': _as_proposed(items, positions),
    }


def _as_proposed(items: Sequence[Found], positions: Positions) -> dict[str, Any] | None:
    """What the same crystals find before they are relaxed, and the paired tests of the screening against that."""
    before = np.array([item.as_proposed for item in items if item.as_proposed is not None], dtype=np.int64)
    if len(before) < len(items):
        return None
    shares = success(before, KS)
    return {
        'found': {str(k): item.value for k, item in shares.items()},
        'intervals': {str(k): item.interval for k, item in shares.items()},
        'paired': {str(k): vars(mcnemar(positions < k, before < k)) for k in KS},
    }


def _calibration(chances: Sequence[tuple[float, bool]]) -> list[dict[str, Any]]:
    """How often crystals have the true prototype, by their probability."""
    out = []
    for low, high in pairwise(EDGES):
        inside = [(chance, right) for chance, right in chances if low < chance <= high]
        if inside:
            right = share(sum(right for _, right in inside), len(inside))
            mean = float(np.mean([chance for chance, _ in inside]))
            out.append({'n': len(inside), 'said': mean, 'right': right.value, 'interval': right.interval})
    return out
