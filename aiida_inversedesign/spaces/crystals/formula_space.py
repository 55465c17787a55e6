"""The formulas of a campaign's space: elements × ratios and formulas named one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from math import comb

from aiida_inversedesign.campaign.contracts.source import ProposalError
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formulas import parse_formula, parse_ratio, reduced_formula
from aiida_inversedesign.chemistry.validity import charge_neutral
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

#: formulas drawn for each one kept, when those that can be neutral are wanted
OVERDRAW = 10

Counts = dict[str, int]


class FormulaSpace:
    """Every formula of elements × ratios, numbered, so that one can be made from its number alone.

    :param elements: element symbols.
    :param ratios: ratio labels.
    """

    def __init__(self, elements: Sequence[str], ratios: Sequence[str]) -> None:
        self.elements = sorted(set(elements))
        # for each ratio: its different counts, largest first, and how many elements have each
        self._groups = [list(Counter(parse_ratio(label)).items()) for label in ratios]
        self._sizes = [self._size(groups) for groups in self._groups]

    @property
    def size(self) -> int:
        """Number of formulas."""
        return sum(self._sizes)

    def _size(self, groups: list[tuple[int, int]]) -> int:
        size, left = 1, len(self.elements)
        for _, members in groups:
            size *= comb(left, members)
            left -= members
        return size

    def formula(self, number: int) -> Counts:
        """Element counts of the formula with this number, 0 to size - 1."""
        if not 0 <= number < self.size:
            raise IndexError(f'{number} is not in 0 … {self.size - 1}')
        ratio = 0
        while number >= self._sizes[ratio]:
            number -= self._sizes[ratio]
            ratio += 1
        left = list(self.elements)
        counts: Counts = {}
        for count, members in self._groups[ratio]:
            number, position = divmod(number, comb(len(left), members))
            chosen = _combination(left, members, position)
            counts |= dict.fromkeys(chosen, count)
            left = [symbol for symbol in left if symbol not in counts]
        return counts


def _combination(items: list[str], members: int, position: int) -> list[str]:
    """The combination with this index in lexicographic order."""
    chosen = []
    for index, item in enumerate(items):
        if members == 0:
            break
        with_item = comb(len(items) - index - 1, members - 1)
        if position < with_item:
            chosen.append(item)
            members -= 1
        else:
            position -= with_item
    return chosen


def draw_formulas(
    space: CrystalSpace, seed: int, considered: Collection[str] = frozenset()
) -> tuple[list[Counts], list[Counts]]:
    """The formulas to propose crystals for, and those rejected because they cannot be neutral.

    All of the space if it has at most ``max_formulas``, else a random sample without replacement, which is drawn by
    number: the space itself is never written out. Formulas named one by one always come first. With
    ``charge_neutral: prefer`` those that can be neutral come first, with ``require`` the others are rejected.

    :param seed: of the random sample.
    :param considered: reduced formulas to leave out.
    :raises ProposalError: if no formula is left, or an element has no data.
    """
    if unknown := unknown_elements(space.elements):
        raise ProposalError(f'space.elements: no element data for {", ".join(unknown)}: take them out')
    named = [parse_formula(formula) for formula in space.formulas if formula not in considered]
    if unknown := unknown_elements(symbol for counts in named for symbol in counts):
        raise ProposalError(f'space.formulas: no element data for {", ".join(unknown)}: take these formulas out')
    numbered = FormulaSpace(space.elements, space.ratios)
    room = max(space.max_formulas - len(named), 0)
    # those considered before are drawn again and then left out, so that there must be room for them too
    wanted = (room if space.charge_neutral == 'off' else OVERDRAW * room) + len(considered)
    total = numbered.size
    numbers = range(total) if total <= wanted else random.Random(seed).sample(range(total), wanted)  # noqa: S311
    known = {tuple(sorted(counts.items())) for counts in named}
    drawn = [
        counts
        for counts in map(numbered.formula, numbers)
        if tuple(sorted(counts.items())) not in known and reduced_formula(counts) not in considered
    ]
    if total <= wanted:
        random.Random(seed).shuffle(drawn)  # noqa: S311
    rejected: list[Counts] = []
    if space.charge_neutral != 'off':
        able = [counts for counts in drawn if charge_neutral(counts)]
        others = [counts for counts in drawn if not charge_neutral(counts)]
        if space.charge_neutral == 'prefer':
            drawn = able + others
        else:
            rejected = [counts for counts in named if not charge_neutral(counts)] + others[:room]
            named = [counts for counts in named if charge_neutral(counts)]
            drawn = able
    formulas = (named + drawn)[: space.max_formulas]
    if not formulas:
        if considered:
            raise ProposalError(f'crystals of every formula of the space have been proposed ({len(considered)})')
        if rejected:
            raise ProposalError(
                f'space: none of the formulas tried ({len(rejected)}, e.g. {reduced_formula(rejected[0])}) can be '
                'neutral with common oxidation states: set charge_neutral to prefer or off, or add elements'
            )
        raise ProposalError('space: it holds no formula: give elements and ratios, or formulas')
    return formulas, rejected
