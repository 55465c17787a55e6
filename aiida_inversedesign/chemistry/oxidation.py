"""Soft scores of oxidation states: how usual is the best charge-balanced assignment?

Every element takes one of its oxidation states, or two neighbouring ones on different atoms (Fe3O4). A state weighs as
often as the ICSD has it (the occurrences that pymatgen ships, ``icsd_bv.yaml``), relative to the element's most usual
one. A cation more electronegative than an anion (Pauling) costs exp(-difference / 0.2). The best assignment is found
exactly, by dynamic programming over the charge.

The scores order formulas; they are not probabilities, and no ground to reject a formula. Of 11 611 stable compounds of
the Materials Project the rule of :func:`~aiida_inversedesign.chemistry.validity.charge_neutral` rejects 27 %. Against
random elements at the same counts, metals aside, it has an area under the ROC curve of 0.76, the soft scores 0.82–0.83;
among what the rule rejects, the charge score still has 0.67.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.chemistry.elements import ElementError
from aiida_inversedesign.chemistry.symbols import SYMBOLS
from aiida_inversedesign.chemistry.validity import STATES

#: electronegativity difference by which a cation above an anion costs a factor e
PAULING_WIDTH = 0.2
#: factor for an element that takes two states
MIXED = 0.3
#: occurrences added to every state an element is known to have, and to every common one, as shares of all
RARE, COMMON = 0.002, 0.05
#: the cost of a charge of 1 e per atom left over, by the largest electronegativity: metals share electrons in bands,
#: oxides do not
IMBALANCE = ((1.9, 3.0), (2.0, 12.0))
#: no assignment at all
NONE = -1e3


@dataclass(frozen=True)
class OxidationScore:
    """How plausible a formula is by its oxidation states.

    :param charge: of the best assignment, neutral or nearly so; in [0, 1].
    :param oxidation: of the best neutral assignment, 0 if there is none; in [0, 1].
    :param reason: why no assignment was sought; or empty.
    """

    charge: float
    oxidation: float
    reason: str = ''


def charge_score(counts: Mapping[str, int]) -> float:
    """How nearly neutral the formula can be with usual oxidation states, in [0, 1]."""
    return oxidation_scores(counts).charge


def oxidation_score(counts: Mapping[str, int]) -> float:
    """How usual the oxidation states of the best neutral assignment are, in [0, 1]; 0 if there is none."""
    return oxidation_scores(counts).oxidation


def oxidation_scores(counts: Mapping[str, int]) -> OxidationScore:
    """Both scores of a formula; pure elements and compounds of metals alone need no charge transfer and score 1.

    :param counts: element counts of the reduced formula.
    :raises ElementError: if it is not an element.
    """
    return _scores(tuple(sorted(counts.items())))


@functools.lru_cache(maxsize=65536)
def _scores(items: tuple[tuple[str, int], ...]) -> OxidationScore:
    if len(items) == 1:
        return OxidationScore(1.0, 1.0, 'a pure element')
    elements = [_element(symbol) for symbol, _ in items]
    if all(element.metal for element in elements):
        return OxidationScore(1.0, 1.0, 'metals alone')
    if any(not element.states for element in elements):
        return OxidationScore(0.0, 0.0, 'an element without known oxidation states')
    negativity = np.array([element.negativity for element in elements])
    # elements below a boundary are cations, those above are anions
    ordered = np.unique(negativity)
    boundaries = np.concatenate([[ordered[0] - 1], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1]])
    reach = sum(count * max(map(abs, element.states)) for (_, count), element in zip(items, elements, strict=True))
    best = np.full((len(boundaries), 2 * reach + 1), NONE)
    best[:, reach] = 0.0
    for (symbol, count), own in zip(items, negativity.tolist(), strict=True):
        # how far the element lies on the wrong side of each boundary
        as_cation = -np.maximum(0.0, own - boundaries) / PAULING_WIDTH
        as_anion = -np.maximum(0.0, boundaries - own) / PAULING_WIDTH
        following = np.full_like(best, NONE)
        for charge, weight in _options(symbol, count):
            moved = np.roll(best, charge, axis=1) + weight
            moved += (as_cation if charge > 0 else as_anion)[:, None]
            np.maximum(following, moved, out=following)
        best = following
    by_charge = best.max(axis=0)
    atoms = sum(count for _, count in items)
    cost = np.interp(float(negativity.max()), *IMBALANCE)
    imbalance = np.abs(np.arange(-reach, reach + 1)) / atoms
    neutral, nearly = float(by_charge[reach]), float((by_charge - cost * imbalance).max())
    return OxidationScore(math.exp(min(nearly, 0.0)), math.exp(neutral) if neutral > NONE / 2 else 0.0)


@dataclass(frozen=True)
class _Element:
    """What the scores need of an element: logarithms of how usual each state is, relative to the most usual one."""

    metal: bool
    negativity: float
    states: dict[int, float]


@functools.cache
def _occurrences() -> dict[str, dict[int, float]]:
    """How often the ICSD has each oxidation state of each element."""
    from pymatgen.analysis.bond_valence import PRIOR_PROB

    found: dict[str, dict[int, float]] = {}
    for species, number in PRIOR_PROB.items():
        found.setdefault(species.symbol, {})[round(species.oxi_state or 0)] = float(number)
    return found


@functools.cache
def _element(symbol: str) -> _Element:
    from pymatgen.core import Element

    if symbol not in SYMBOLS:
        raise ElementError(f'{symbol!r} is not an element')
    element = Element(symbol)
    # state 0 is left out: it comes from metals, where no states are sought
    known = {state: number for state, number in _occurrences().get(symbol, {}).items() if state}
    total = sum(known.values()) or 1.0
    common = STATES.get(symbol, element.common_oxidation_states)
    shares = {state: number / total for state, number in known.items()}
    for states, share in ((element.oxidation_states, RARE), (common, COMMON)):
        for state in states:
            shares[int(state)] = shares.get(int(state), 0.0) + share
    shares.pop(0, None)
    most = max(shares.values(), default=1.0)
    with warnings.catch_warnings():
        # pymatgen warns for elements without one, and gives NaN
        warnings.simplefilter('ignore')
        negativity = float(element.X)
    # noble gases have no Pauling electronegativity: they give no electrons away
    return _Element(
        element.is_metal,
        4.0 if math.isnan(negativity) else negativity,
        {state: math.log(share / most) for state, share in sorted(shares.items())},
    )


@functools.lru_cache(maxsize=4096)
def _options(symbol: str, count: int) -> tuple[tuple[int, float], ...]:
    """Charges that the atoms of an element can have together, each with its best logarithmic weight."""
    states = _element(symbol).states
    best = {count * state: weight for state, weight in states.items()}
    for low, high in zip(list(states), list(states)[1:], strict=False):
        if low * high < 0:
            continue
        for part in range(1, count):
            charge = low * part + high * (count - part)
            weight = (part * states[low] + (count - part) * states[high]) / count + math.log(MIXED)
            best[charge] = max(weight, best.get(charge, -math.inf))
    return tuple(best.items())


@functools.lru_cache(maxsize=65536)
def usual_states(items: tuple[tuple[str, int], ...]) -> dict[str, int] | None:
    """The most usual neutral assignment of one oxidation state to each element; None if there is none.

    Metals alone, pure elements, and compounds in which an element takes two states (Fe3O4) have none.

    :param items: elements with their counts, sorted by symbol.
    """
    elements = {symbol: _element(symbol) for symbol, _ in items}
    if len(items) == 1 or all(element.metal for element in elements.values()):
        return None
    # best way to each charge of the elements so far: logarithm of its weight, and its states
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for symbol, count in items:
        following: dict[int, tuple[float, tuple[int, ...]]] = {}
        for charge, (weight, states) in best.items():
            for state, own in elements[symbol].states.items():
                found = (weight + own + _misplaced(items, elements, states, symbol, state), (*states, state))
                reached = charge + count * state
                if reached not in following or found > following[reached]:
                    following[reached] = found
        best = following
    if 0 not in best:
        return None
    return {symbol: state for (symbol, _), state in zip(items, best[0][1], strict=True)}


def _misplaced(
    items: tuple[tuple[str, int], ...],
    elements: Mapping[str, _Element],
    states: tuple[int, ...],
    symbol: str,
    state: int,
) -> float:
    """The cost of cations more electronegative than anions, among an element and those before it."""
    own, cost = elements[symbol].negativity, 0.0
    for (other, _), given in zip(items, states, strict=False):
        if given * state < 0:
            cation, anion = (own, elements[other].negativity) if state > 0 else (elements[other].negativity, own)
            cost -= max(0.0, cation - anion) / PAULING_WIDTH
    return cost
