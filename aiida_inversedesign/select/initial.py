"""The initial design: a first batch that spreads over descriptors and formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from aiida_inversedesign.arrays import Array

#: Standardised descriptors are cut here, or the design would consist of the pool's oddities.
_LIMIT = 3.0


def initial_design(
    features: Array,
    formulas: Sequence[str],
    probabilities: Sequence[float | None],
    size: int,
    seed: int,
    done: Sequence[int] = (),
    acceptable: Callable[[int, list[int]], bool] | None = None,
) -> list[int]:
    """Greedy maximin design (k-center; Gonzalez, Theor. Comput. Sci. 38, 293 (1985)).

    Starts from the most probable proposal; each next one has the largest distance to those chosen, among the most
    probable proposals of the formulas used least so far: distance alone would choose the pool's oddities, whose
    evaluations are long and teach little. Ties are broken by the seed.

    :param features: descriptors of the pool and of what is done, shape (n, d).
    :param formulas: reduced formula of each row of ``features``.
    :param probabilities: score of each proposal, None where there is no ranking.
    :param done: rows of ``features`` that count as chosen already (evaluated or pending).
    :param acceptable: asked with a row and the rows chosen so far before the row is taken.
    :returns: rows chosen, in order; fewer than ``size`` if no more are acceptable.
    """
    if len(features) == 0:
        return []
    width = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(width > 1e-12, width, 1.0)
    scaled = np.clip(scaled, -_LIMIT, _LIMIT)
    tie = np.random.default_rng(seed).permutation(len(features))
    used = Counter(formulas[index] for index in done)
    distance = np.full(len(features), np.inf)
    for index in done:
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[index], axis=1))
    score = np.array([-1.0 if value is None else value for value in probabilities])

    def rank(index: int, best_score: dict[str, float], first: bool) -> tuple[int, bool, float, int]:
        if first:
            return 0, False, -float(score[index]), int(tie[index])
        formula = formulas[index]
        return used[formula], score[index] < best_score[formula], -float(distance[index]), int(tie[index])

    left = set(range(len(features))) - set(done)
    chosen: list[int] = []
    while left and len(chosen) < size:
        best_score: dict[str, float] = {}
        for index in left:
            best_score[formulas[index]] = max(best_score.get(formulas[index], -1.0), float(score[index]))
        first = not chosen and not done
        best = min(left, key=lambda index: rank(index, best_score, first))
        left.discard(best)
        if acceptable is not None and not acceptable(best, chosen):
            continue
        chosen.append(best)
        used[formulas[best]] += 1
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[best], axis=1))
    return chosen
