"""What a campaign is asked for, as checked data: objectives, and what a hit and the formulas must keep besides."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from aiida_inversedesign.campaign.properties import STABILITY
from aiida_inversedesign.campaign.section import (
    ContradictionError,
    Finite,
    Model,
    Positive,
    Symbol,
    without_repeats,
)


class Objective(Model):
    """One objective: exactly one of ``maximize``, ``minimize``, ``target`` with ``tolerance``, or ``window``."""

    property: str = Field(description='name of the property')
    maximize: Literal[True] | None = Field(None, description='the larger the better')
    minimize: Literal[True] | None = Field(None, description='the smaller the better')
    hit: Finite | None = Field(None, description='with maximize or minimize: the value from which it is a hit')
    target: Finite | None = Field(None, description='the wanted value')
    tolerance: Positive | None = Field(None, description='with target: the half width that counts as a hit')
    window: tuple[Finite, Finite] | None = Field(None, description='lowest and highest value that count as a hit')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this objective."""
        kinds = [key for key in ('maximize', 'minimize', 'target', 'window') if getattr(self, key) is not None]
        if len(kinds) != 1:
            yield ContradictionError(
                'an objective needs exactly one of maximize: true, minimize: true, target or window, '
                f'got {" and ".join(kinds) or "none"}'
            )
        if (self.target is None) != (self.tolerance is None):
            yield ContradictionError('target and tolerance belong together: give both')
        if self.hit is not None and kinds and not {'maximize', 'minimize'} & set(kinds):
            yield ContradictionError(
                'belongs to maximize or minimize; target and window define hits themselves', ('hit',)
            )
        if self.window is not None and not self.window[0] < self.window[1]:
            yield ContradictionError('must be [low, high] with low < high', ('window',))

    @builtins.property  # the field of that name hides the built-in here
    def kind(self) -> Literal['maximize', 'minimize', 'target', 'window']:
        """Which of the four kinds this objective is."""
        if self.maximize:
            return 'maximize'
        if self.minimize:
            return 'minimize'
        return 'target' if self.target is not None else 'window'

    @builtins.property  # the field of that name hides the built-in here
    def hit_range(self) -> tuple[float, float] | None:
        """Lowest and highest value of a hit (infinite where open), or None if no value is named as one."""
        if self.window is not None:
            return self.window
        if self.target is not None and self.tolerance is not None:
            return self.target - self.tolerance, self.target + self.tolerance
        if self.hit is None:
            return None
        return (self.hit, float('inf')) if self.maximize else (float('-inf'), self.hit)


class Constraint(Model):
    """Bounds that a hit must also keep."""

    property: str = Field(description='name of the property')
    min: Finite | None = Field(None, description='lowest allowed value')
    max: Finite | None = Field(None, description='highest allowed value')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this constraint."""
        if self.min is None and self.max is None:
            yield ContradictionError('a constraint needs min, max or both')
        if self.min is not None and self.max is not None and not self.min < self.max:
            yield ContradictionError(f'min must be below max, got {self.min} and {self.max}')


class CompositionConstraint(Model):
    """What the formulas themselves must keep: exactly one of ``element``, ``elements``, ``forbidden``, ``quantity``.

    Formulas that break one are not evaluated. Limits include their bounds.
    """

    element: Symbol | None = Field(None, description='an element, of whose atomic fraction min and max are the limits')
    elements: list[Symbol] | None = Field(None, description='elements, of the sum of whose atomic fractions they are')
    forbidden: list[Symbol] | None = Field(None, description='elements that must not occur')
    quantity: Literal['price', 'hhi_production', 'hhi_reserves'] | None = Field(
        None,
        description='mean over the elements by mass: price (USD/kg), or the Herfindahl-Hirschman index (0 to 10000) '
        'of production or reserves, a measure of supply risk',
    )
    min: Annotated[Finite, Field(ge=0)] | None = Field(None, description='lowest allowed value')
    max: Annotated[Finite, Field(ge=0)] | None = Field(None, description='highest allowed value')

    @field_validator('elements', 'forbidden')
    @classmethod
    def _some(cls, value: list[str] | None) -> list[str] | None:
        if value == []:
            raise ValueError('names no element')
        return value and without_repeats(value)

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this constraint."""
        kinds = [key for key in ('element', 'elements', 'forbidden', 'quantity') if getattr(self, key) is not None]
        if len(kinds) != 1:
            yield ContradictionError(
                'a composition constraint needs exactly one of element, elements, forbidden or quantity, '
                f'got {" and ".join(kinds) or "none"}'
            )
        bounded = self.min is not None or self.max is not None
        if kinds == ['forbidden'] and bounded:
            yield ContradictionError('forbidden takes no min or max: to limit an element, write element: instead')
        if len(kinds) == 1 and kinds != ['forbidden'] and not bounded:
            yield ContradictionError(f'{kinds[0]} needs min, max or both')
        if self.min is not None and self.max is not None and self.min > self.max:
            yield ContradictionError(f'min must not be above max, got {self.min} and {self.max}')
        for key in ('min', 'max'):
            if (getattr(self, key) or 0.0) > 1 and kinds in (['element'], ['elements']):
                yield ContradictionError('an atomic fraction is at most 1: write 0.2 for 20 %', (key,))

    @builtins.property  # read like a field
    def label(self) -> str:
        """What is limited, in a few words."""
        if self.forbidden is not None:
            return f'no {", ".join(self.forbidden)}'
        if self.quantity is not None:
            return self.quantity
        return f'fraction of {" + ".join([self.element] if self.element else self.elements or [])}'


class Goal(Model):
    """What is asked for."""

    objectives: list[Objective] = Field(min_length=1)
    constraints: list[Constraint] = Field([], description='bounds that a hit must also keep')
    composition: list[CompositionConstraint] = Field([], description='what the formulas themselves must keep')

    @property
    def properties(self) -> list[str]:
        """Every property named, objectives first, without repeats."""
        names = [item.property for item in self.objectives] + [item.property for item in self.constraints]
        return list(dict.fromkeys(names))

    @property
    def defines_hits(self) -> bool:
        """Whether a hit is defined: every objective that can have a threshold names one."""
        return all(objective.hit_range is not None for objective in self.objectives)

    @property
    def energy_limit(self) -> tuple[float, str] | None:
        """The highest formation energy (eV/atom) that a hit can have and the condition it follows from, or None.

        Objectives and constraints may bound the formation energy itself. A bound of the energy above the hull is one of
        the formation energy too: the elements are phases of the hull, so that no hull lies above them.
        """
        limits = []
        for name in ('formation_energy', STABILITY):
            bounds = [item.hit_range[1] for item in self.objectives if item.property == name and item.hit_range]
            bounds += [item.max for item in self.constraints if item.property == name and item.max is not None]
            limits += [(bound, f'{name} of at most {bound:g} eV/atom') for bound in bounds if math.isfinite(bound)]
        return min(limits, default=None)
