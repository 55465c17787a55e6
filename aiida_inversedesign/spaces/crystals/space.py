"""The space of crystals: formulas of elements and ratios, for which sources propose structures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.section import ContradictionError, Count, Symbol, without_repeats
from aiida_inversedesign.chemistry.formulas import parse_formula, parse_ratio, reduced_formula

#: Most formulas that a plan lists one by one.
MOST_LISTED = 12


def _ratio(value: str) -> str:
    return ':'.join(map(str, parse_ratio(value)))


def _formula(value: str) -> str:
    return reduced_formula(parse_formula(value))


#: The ratio of a pure element is naturally written as the number 1.
Ratio = Annotated[
    str, BeforeValidator(lambda value: str(value) if type(value) is int else value), AfterValidator(_ratio)
]
Formula = Annotated[str, AfterValidator(_formula)]


class CrystalSpace(SpaceSection):
    """Which formulas are considered."""

    noun: ClassVar[str] = 'crystal'
    nouns: ClassVar[str] = 'crystals'
    key_name: ClassVar[str] = 'formula'
    of_crystals: ClassVar[bool] = True
    source: ClassVar[str] = 'cspml'
    screens: ClassVar[tuple[str, ...]] = (
        *('composition', 'charge', 'oxidation', 'sites', 'volume', 'distance', 'duplicate'),
    )
    nodes: ClassVar[str] = 'aiida_inversedesign.nodes.structures'

    kind: Literal['crystals'] = Field('crystals', description='candidates are crystals')
    elements: list[Symbol] = Field([], description='chemical symbols the formulas are built from')
    ratios: list[Ratio] = Field([], description='ratio labels such as "1", "1:1" or "2:1:1"')
    formulas: list[Formula] = Field([], description='formulas given one by one, in addition to elements × ratios')
    charge_neutral: Literal['off', 'prefer', 'require'] = Field(
        'prefer', description='whether common oxidation states must be able to balance'
    )
    max_sites: Count = Field(20, description='most atoms in the primitive cell')
    max_formulas: Count = Field(1000, description='most formulas of one proposal; drawn at random if there are more')

    _unique = field_validator('elements', 'ratios', 'formulas')(without_repeats)

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if bool(self.elements) != bool(self.ratios):
            yield ContradictionError('elements and ratios belong together: give both')
            return
        for index, label in enumerate(self.ratios):
            needed = label.count(':') + 1
            if needed > len(self.elements):
                yield ContradictionError(
                    f'needs {needed} different elements, but only {len(self.elements)} are named', ('ratios', index)
                )

    def contradictions_with(self, sections: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """Whether formulas are named, and the goal leaves elements of them."""
        propose, goal = sections.get('propose'), sections.get('goal')
        built = propose is not None and list(propose.shares) != ['library']
        if built and not (self.elements or self.formulas):
            yield ContradictionError('names no formulas: give elements and ratios, or formulas', ('space',))
        forbidden = {symbol for rule in (goal.composition if goal else ()) for symbol in rule.forbidden or []}
        if self.elements and not self.formulas and not set(self.elements) - forbidden:
            yield ContradictionError(
                'forbids every element of space.elements: nothing is left to propose', ('goal', 'composition')
            )

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Any:
        """The crystal of plain data."""
        from aiida_inversedesign.chemistry.crystal import Crystal

        return Crystal.from_dict(data)

    @classmethod
    def same(cls, first: Any, second: Any) -> bool:
        """Whether two crystals of one formula have the same structure and the same space group."""
        from aiida_inversedesign.chemistry.matching import same_candidate

        return same_candidate(first, second)

    @classmethod
    def same_result(cls, first: Any, second: Any) -> bool:
        """As :meth:`same`, whatever cells an evaluation left them in."""
        from aiida_inversedesign.chemistry.matching import same_crystal

        return same_crystal(first, second)

    def describe(self, contents: Sequence[Any], probabilities: Sequence[float | None]) -> tuple[Array, list[str]]:
        """Descriptors of n crystals, shape (n, d), and their names.

        See :func:`~aiida_inversedesign.spaces.crystals.features.featurize`.
        """
        from aiida_inversedesign.spaces.crystals.features import featurize

        return featurize(contents, probabilities)

    def in_own_unit(self, name: str, values: Array) -> tuple[Array, str]:
        """The values, shape (n,), as they are, with the unit of the descriptor."""
        from aiida_inversedesign.spaces.crystals.features import unit_of_feature

        return values, unit_of_feature(name)

    def composition_columns(self) -> NDArray[np.bool_]:
        """Which of the d descriptors describe the composition: shape (d,)."""
        from aiida_inversedesign.spaces.crystals.features import STRUCTURE_NAMES, feature_names

        return np.array([name not in STRUCTURE_NAMES for name in feature_names()])

    @property
    def elements_used(self) -> frozenset[str]:
        """Every element that the space can lead to."""
        return frozenset(self.elements) | {symbol for formula in self.formulas for symbol in parse_formula(formula)}

    @property
    def fewest_elements(self) -> int:
        """The least number of different elements of a formula."""
        numbers = [ratio.count(':') + 1 for ratio in self.ratios]
        return min([*numbers, *(len(parse_formula(formula)) for formula in self.formulas)], default=1)

    @property
    def most_formulas(self) -> int:
        """How many formulas the section has, before charges and the goal reject some."""
        from aiida_inversedesign.spaces.crystals.formula_space import FormulaSpace

        return FormulaSpace(self.elements, self.ratios).size + len(self.formulas)

    def plan(self) -> list[tuple[str, str]]:
        """Elements, ratios and how many formulas there are at most; the formulas that are named, as they were read."""
        if not self.most_formulas:
            return []
        size = f'at most {self.most_formulas} {"formula" if self.most_formulas == 1 else "formulas"}'
        built = f'{" ".join(self.elements)}  ratios {", ".join(self.ratios)}: ' if self.elements else ''
        rows = [('space', f'{built}{size}')]
        if self.formulas:
            more = len(self.formulas) - MOST_LISTED
            rest = f' and {more} more' if more > 0 else ''
            rows.append(('formulas', ', '.join(self.formulas[:MOST_LISTED]) + rest))
        return rows
