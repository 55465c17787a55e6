"""A batch of points: the control arm first, then one slot after the other, each counting as evaluated for the next.

The same for campaigns (:mod:`aiida_inversedesign.select.choose`) and for plain feature matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.acquisition import resolve
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.acquisition import Score, make_acquisition
from aiida_inversedesign.select.observed import Observed, SelectError
from aiida_inversedesign.select.rule import SHORTLIST

#: Asked with a candidate and those taken so far before the candidate is taken.
Acceptable = Callable[[int, list[int]], bool]


@dataclass(frozen=True)
class Slot:
    """One slot of a batch.

    :param acquisition: the one that chose it; ``random`` for the control arm.
    :param value: its score when it was chosen; None for ``random``.
    """

    index: int
    arm: Literal['acquisition', 'control']
    acquisition: str
    value: float | None


def choose_points(
    name: str,
    goal: Goal,
    surrogate: Any,
    observed: Observed,
    inputs: Array,
    size: int,
    seed: int,
    pending: Array | None = None,
    control: int = 0,
    acceptable: Acceptable | None = None,
) -> list[Slot]:
    """Choose up to ``size`` candidates; the same arguments give the same slots.

    :param name: of the acquisition, or ``auto`` or ``random``.
    :param inputs: standardised descriptors of the candidates that may be chosen, shape (n, d).
    :param pending: those of candidates that are running, shape (p, d).
    :param acceptable: by default the inputs must differ from those taken and pending.
    :returns: fewer than ``size`` slots if no more candidates are acceptable.
    :raises SelectError: if the acquisition is unknown or cannot serve the goal, or a score is not a number.
    """
    if size < 0 or control < 0:
        raise SelectError(f'the batch size must not be negative, got {size} with {control} at random')
    rng = np.random.default_rng(seed)
    waiting = np.empty((0, inputs.shape[1])) if pending is None else pending
    acceptable = acceptable or distinct(inputs, waiting)
    name = resolve(name, goal)
    order = rng.permutation(len(inputs))
    taken: list[int] = []
    at_random = iter(order.tolist())
    slots = [
        Slot(index, 'control', 'random', None) for index in _take(at_random, taken, acceptable, min(control, size))
    ]
    if name == 'random':
        rest = _take(at_random, taken, acceptable, size - len(taken))
        return slots + [Slot(index, 'acquisition', 'random', None) for index in rest]
    if len(taken) == size:
        return slots
    acquisition = make_acquisition(name, goal, surrogate, observed, seed)
    first = acquisition.score(inputs, np.concatenate([waiting, inputs[taken]]))
    # ties are broken by the seed
    ranked = order[np.argsort(-first[order], kind='stable')]
    chosen = _take(iter(ranked.tolist()), taken, acceptable, 1)
    found = (chosen[0], float(first[chosen[0]])) if chosen else None
    while found is not None:
        slots.append(Slot(found[0], 'acquisition', acquisition.name, found[1]))
        if len(taken) == size:
            break
        given = np.concatenate([waiting, inputs[taken]])
        left = ranked[~np.isin(ranked, taken)]
        found = _next(acquisition, inputs, given, left, first, taken, acceptable)
        if found is not None:
            taken.append(found[0])
    return slots


def distinct(inputs: Array, pending: Array) -> Acceptable:
    """No two equal rows of ``inputs``, shape (n, d), in a batch, and none that equals a pending one, shape (m, d)."""

    def differs(index: int, taken: list[int]) -> bool:
        others = np.concatenate([inputs[taken], pending])
        return not bool((np.abs(others - inputs[index]) < 1e-9).all(axis=1).any())

    return differs


def _next(
    acquisition: Score,
    inputs: Array,
    pending: Array,
    ranked: Integers,
    first: Array,
    taken: list[int],
    acceptable: Acceptable,
) -> tuple[int, float] | None:
    """The best acceptable candidate given what was chosen, and its score; None if none is left.

    Only the best of the first pass are scored again, more of them as long as one of the rest may still be better. For
    a submodular acquisition a first score is an upper bound, so that the best is found exactly; for the others the
    rest keep their first scores' order below the shortlist.

    :param ranked: candidates that are left, in the order of their first scores.
    """
    scores: Array = np.empty(0)
    found: tuple[int, float] | None = None
    while len(scores) < len(ranked):
        more = ranked[len(scores) : len(scores) + SHORTLIST]
        scores = np.concatenate([scores, acquisition.score(inputs[more], pending)])
        seen = len(scores)
        for number in np.argsort(-scores, kind='stable').tolist():
            if acceptable(int(ranked[number]), taken):
                found = int(ranked[number]), float(scores[number])
                break
        beaten = found is not None and (seen == len(ranked) or first[ranked[seen]] <= found[1])
        if found is not None and (beaten or not acquisition.submodular):
            return found
    return found


def _take(order: Iterable[int], taken: list[int], acceptable: Acceptable, count: int) -> list[int]:
    """The first ``count`` of ``order`` that are acceptable; they are added to ``taken``."""
    found: list[int] = []
    if count < 1:
        return found
    for index in order:
        if index in taken or not acceptable(index, taken):
            continue
        found.append(index)
        taken.append(index)
        if len(found) == count:
            break
    return found
