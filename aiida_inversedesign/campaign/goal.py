"""What a campaign is asked for, as checked data: objectives, and what a hit and the formulas must keep besides."""

from __future__ import annotations

import builtins
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from aiida_inversedesign.campaign.curves.curve import Curve, CurveError
from aiida_inversedesign.campaign.curves.functionals import NAMES, Functional, Metric
from aiida_inversedesign.campaign.curves.functionals import Name as FunctionalName
from aiida_inversedesign.campaign.properties import STABILITY
from aiida_inversedesign.campaign.section import (
    ContradictionError,
    Finite,
    Model,
    Positive,
    Symbol,
    without_repeats,
)


class Asked(Model):
    """A property, or a number of one that is a function of an axis (``functional``)."""

    model_config = ConfigDict(serialize_by_alias=True)

    of: str = Field(alias='property', description='name of the property')
    functional: FunctionalName | None = Field(
        None, description='of a property that is a function of an axis: the number of its curve that is asked for'
    )
    at: Finite | None = Field(None, description='with functional value: the point of the axis')
    range: tuple[Finite, Finite] | None = Field(
        None, description='with a functional: lowest and highest point of the axis that count; default: all'
    )
    threshold: Finite | None = Field(None, description='with functional band_edge, above or below: the value')
    curve: dict[str, Any] | None = Field(
        None,
        description='with functional distance, above or below: the curve to compare with, a file .csv or .json next to '
        'the campaign file',
    )
    metric: Metric | None = Field(None, description='with functional distance; default L1')

    @builtins.property  # like the key of the file: the number that is searched by
    def property(self) -> str:
        """The name of the number: the property itself, or property, functional and what it depends on."""
        if self.functional is None:
            return self.of
        words = [self.of, self.functional, *([self.metric] if self.metric else [])]
        words += [f'at_{self.at:g}'] if self.at is not None else []
        words += [f'{self.threshold:g}'] if self.threshold is not None else []
        words += [str(self.curve.get('name', 'curve'))] if self.curve is not None else []
        words += [f'{self.range[0]:g}_to_{self.range[1]:g}'] if self.range is not None else []
        return re.sub(r'[^\w.+-]+', '_', '_'.join(words))

    @builtins.property
    def functional_settings(self) -> dict[str, Any]:
        """What the functional is, as plain data."""
        keys = ('property', 'functional', 'at', 'range', 'threshold', 'curve', 'metric')
        dumped = self.model_dump(mode='json')
        return {key: dumped[key] for key in keys if dumped[key] is not None}

    def described(self) -> dict[str, Any]:
        """What is asked for as plain data, in which ``property`` is the name of the number."""
        return {**self.model_dump(mode='json', exclude_none=True), 'property': self.property}

    @field_validator('curve', mode='before')
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ContradictionError(f'{value!r} is read from a campaign file only: give axis and values here')
        return value

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in the functional."""
        if self.functional is None:
            for key in ('at', 'range', 'threshold', 'curve', 'metric'):
                if getattr(self, key) is not None:
                    yield ContradictionError(
                        f'belongs to a functional of a curve: write functional: {", ".join(NAMES)}'
                        + ('; for the value from which a candidate is a hit, write hit' if key == 'threshold' else ''),
                        (key,),
                    )
            return
        if self.metric is not None and self.functional != 'distance':
            yield ContradictionError('belongs to functional distance', ('metric',))
        try:
            Functional.from_dict(self.functional_settings)
        except CurveError as error:
            yield ContradictionError(str(error), ('functional',))


class Objective(Asked):
    """One objective: exactly one of ``maximize``, ``minimize``, ``target`` with ``tolerance``, or ``window``."""

    maximize: Literal[True] | None = Field(None, description='the larger the better')
    minimize: Literal[True] | None = Field(None, description='the smaller the better')
    hit: Finite | None = Field(None, description='with maximize or minimize: the value from which it is a hit')
    target: Finite | None = Field(None, description='the wanted value')
    tolerance: Positive | None = Field(None, description='with target: the half width that counts as a hit')
    window: tuple[Finite, Finite] | None = Field(None, description='lowest and highest value that count as a hit')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this objective."""
        yield from super().contradictions()
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


class Constraint(Asked):
    """Bounds that a hit must also keep."""

    min: Finite | None = Field(None, description='lowest allowed value')
    max: Finite | None = Field(None, description='highest allowed value')

    @builtins.property  # read like a field
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest allowed value, infinite where there is none."""
        return -math.inf if self.min is None else self.min, math.inf if self.max is None else self.max

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this constraint."""
        yield from super().contradictions()
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


def intervals(constraints: Iterable[Constraint]) -> dict[str, tuple[float, float]]:
    """What several constraints allow of each property."""
    found: dict[str, tuple[float, float]] = {}
    for item in constraints:
        narrow(found, item.property, *item.bounds)
    return found


def narrow(ranges: dict[str, tuple[float, float]], name: str, low: float, high: float) -> None:
    """Cut the range of a property to one more."""
    least, most = ranges.get(name, (-math.inf, math.inf))
    ranges[name] = max(least, low), min(most, high)


class Goal(Model):
    """What is asked for."""

    objectives: list[Objective] = Field(
        min_length=1, description='what is wanted; several are weighed as a Pareto front'
    )
    constraints: list[Constraint] = Field([], description='bounds that a hit must also keep')
    composition: list[CompositionConstraint] = Field([], description='what the formulas themselves must keep')

    def described(self) -> dict[str, Any]:
        """The goal as plain data, in which each ``property`` is the name of the number that is asked for."""
        found = self.model_dump(mode='json', exclude_none=True)
        found['objectives'] = [item.described() for item in self.objectives]
        found['constraints'] = [item.described() for item in self.constraints]
        return found

    @property
    def functionals(self) -> dict[str, dict[str, Any]]:
        """The functionals of curves that are asked for, by the name of the number."""
        asked: list[Asked] = [*self.objectives, *self.constraints]
        return {item.property: item.functional_settings for item in asked if item.functional is not None}

    def asked_curves(self, curves: Mapping[str, Curve]) -> dict[str, Curve]:
        """Those curves of an evaluation of which a functional is asked for."""
        names = {settings['property'] for settings in self.functionals.values()}
        return {name: curve for name, curve in curves.items() if name in names}

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
