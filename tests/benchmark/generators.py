"""How well generators find good formulas: ``python tests/benchmark/generators.py [SEEDS] [NUMBER] [EVALUATED]``.

The truth are properties of known compounds (``INVERSEDESIGN_SHARED``, or the folder ``shared`` beside the checkout),
and only known formulas may be proposed. A surrogate learns from randomly chosen evaluated ones; every generator then
proposes as many formulas. Counted are those among the best part of all known ones (hits), the mean over the seeds with
its 95 % bootstrap interval, beside the mean score and the CPU time. ``all, by score`` scores every known formula: what
the surrogate allows at best. Where known formulas are a thousandth of the space, enumeration and the inverse hardly
meet any: their number is given.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label
from aiida_inversedesign.propose.generators.domain import Key, key_of
from aiida_inversedesign.propose.generators.mix import GENERATORS, make_generator
from aiida_inversedesign.propose.generators.request import Counts, Known, Proposed, Request
from aiida_inversedesign.propose.generators.score import formula_surrogate
from aiida_inversedesign.spaces.crystals.space import CrystalSpace as Space

#: title, file, property, sign, ratios (all if None), share of the formulas that are hits
CASES = (
    ('heat of formation of perovskites, lowest 5 %', 'perov5', 'heat_all', -1.0, ('3:1:1',), 0.05),
    ('bulk modulus, highest 5 %', 'elastic', 'K_VRH', 1.0, None, 0.05),
)


def main() -> None:
    """Measure and print."""
    seeds, number, evaluated = (
        int(sys.argv[place]) if len(sys.argv) > place else default for place, default in ((1, 10), (2, 50), (3, 60))
    )
    shared = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared')) / 'data'
    for title, file, name, sign, ratios, share in CASES:
        truth = _truth(shared / f'{file}_structures.jsonl.gz', name, sign, ratios)
        wanted = float(np.quantile(list(truth.values()), 1 - share))
        space = Space(
            elements=sorted({symbol for key in truth for symbol, _ in key}),
            ratios=sorted({ratio_label(dict(key)) for key in truth}),
            charge_neutral='off',
        )
        print(f'{title}: {len(truth)} known formulas; {evaluated} evaluated, {number} proposed, {seeds} seeds')
        print(f'{"":16}{"hits":>8}  [95 %]         {"proposed":>10}{"mean value":>12}{"mean score":>12}{"CPU s":>8}')
        results: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(seeds):
            for generator, found, seconds in _proposals(truth, space, number, evaluated, seed):
                values = [truth[key_of(item.counts)] for item in found]
                scores = [item.score for item in found if item.score is not None]
                results.setdefault(generator, []).append(
                    (
                        sum(value >= wanted for value in values),
                        len(found),
                        sign * float(np.mean(values)) if values else np.nan,
                        sign * float(np.mean(scores)) if scores else np.nan,
                        seconds,
                    )
                )
        for generator, rows in results.items():
            _print(generator, np.array(rows))


def _truth(path: Path, name: str, sign: float, ratios: tuple[str, ...] | None) -> dict[Key, float]:
    """Best value of each formula, larger is better."""
    found: dict[Key, float] = {}
    with gzip.open(path, 'rt') as file:
        for line in file:
            row = json.loads(line)
            counts = parse_formula(row['formula'])
            if name in row and (ratios is None or ratio_label(counts) in ratios):
                found[key_of(counts)] = max(sign * row[name], found.get(key_of(counts), -np.inf))
    return found


def _proposals(
    truth: dict[Key, float], space: Space, number: int, evaluated: int, seed: int
) -> Iterator[tuple[str, list[Proposed], float]]:
    done = random.Random(seed).sample(sorted(truth), evaluated)
    surrogate = formula_surrogate([(dict(key), {'y': truth[key]}) for key in done], ['y'], seed)

    def score(formulas: list[Counts]) -> np.ndarray:
        mean, deviation = surrogate.predict(formulas)['y']
        return mean + deviation

    known = [Known(dict(key), truth[key]) for key in done]
    considered = frozenset(''.join(f'{symbol}{count}' for symbol, count in key) for key in done)
    request = Request(space, number, seed, score, known, considered, lambda counts: key_of(counts) in truth)
    for name in GENERATORS:
        started = time.process_time()
        found = make_generator(name).propose(request)
        yield name, found, time.process_time() - started
    rest = sorted(set(truth) - set(done))
    started = time.process_time()
    scores = score([dict(key) for key in rest])
    order = np.argsort(-scores, kind='stable')[:number]
    best = [Proposed(dict(rest[place]), 'all, by score', float(scores[place])) for place in order]
    yield 'all, by score', best, time.process_time() - started


def _print(name: str, rows: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    draws = rows[rng.integers(0, len(rows), (2000, len(rows))), 0].mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    with np.errstate(all='ignore'):
        hits, proposed, value, score, seconds = (
            float(np.mean(column[np.isfinite(column)])) if np.isfinite(column).any() else np.nan for column in rows.T
        )
    interval = f'[{low:>5.1f}, {high:>5.1f}]'
    print(f'{name:16}{hits:>8.1f}  {interval} {proposed:>10.1f}{value:>12.2f}{score:>12.2f}{seconds:>8.2f}')


if __name__ == '__main__':
    main()
