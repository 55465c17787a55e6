"""The formulas that may be proposed: those of a space that were not considered, with what is required of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formulas import parse_formula, parse_ratio, ratio_label
from aiida_inversedesign.chemistry.validity import charge_neutral
from aiida_inversedesign.propose.generators.request import Counts, GeneratorError, Request
from aiida_inversedesign.spaces.crystals.formula_space import FormulaSpace

Key = tuple[tuple[str, int], ...]


def key_of(counts: Mapping[str, int]) -> Key:
    """A formula as something that can be looked up."""
    return tuple(sorted(counts.items()))


class Domain:
    """Formulas that may be proposed.

    :raises GeneratorError: if the element table has no data for an element of the space.
    """

    def __init__(self, request: Request) -> None:
        space = request.space
        self.charge = space.charge_neutral
        self.elements = tuple(sorted(space.elements))
        self.ratios = {label: parse_ratio(label) for label in space.ratios}
        self.named = [parse_formula(formula) for formula in space.formulas]
        if unknown := unknown_elements({*self.elements, *(symbol for counts in self.named for symbol in counts)}):
            raise GeneratorError(f'space: no element data for {", ".join(unknown)}: take them out')
        self._members = frozenset(self.elements)
        self._named = frozenset(key_of(counts) for counts in self.named)
        self._considered = frozenset(key_of(parse_formula(formula)) for formula in request.considered)
        self._allowed = request.allowed
        self._numbered = FormulaSpace(self.elements, space.ratios)

    @property
    def size(self) -> int:
        """Number of formulas of the space, considered or not."""
        return self._numbered.size + len(self.named)

    def contains(self, counts: Counts) -> bool:
        """Whether the space holds the formula."""
        if key_of(counts) in self._named:
            return True
        return ratio_label(counts) in self.ratios and self._members.issuperset(counts)

    def admits(self, counts: Counts) -> bool:
        """Whether the formula may be proposed."""
        return (
            self.contains(counts)
            and key_of(counts) not in self._considered
            and (self._allowed is None or self._allowed(counts))
            and (self.charge != 'require' or charge_neutral(counts))
        )

    def preferred(self, counts: Counts) -> bool:
        """Whether the formula comes before those that cannot be neutral."""
        return self.charge == 'off' or charge_neutral(counts)

    def draw(self, rng: random.Random) -> Counts:
        """Any formula of elements × ratios, each as probable as the others.

        :raises GeneratorError: if the space has none.
        """
        if not self._numbered.size:
            raise GeneratorError('space: it has no elements and ratios to draw formulas from: name them')
        return self._numbered.formula(rng.randrange(self._numbered.size))

    def every(self) -> Iterator[Counts]:
        """All formulas of the space, the named ones first; named ones may come twice."""
        yield from self.named
        yield from map(self._numbered.formula, range(self._numbered.size))
