"""The section ``evaluate`` of the engine ``table``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from aiida_inversedesign.campaign.curves.curve import Axis, Curve
from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.section import ContradictionError, Finite, Fraction, Model


class Function(Model):
    """What a column of lists is a function of: values at evenly spaced points of an axis."""

    unit: str = Field('', description='unit of the values')
    axis: str = Field(description='name of the axis')
    axis_unit: str = Field('', description='its unit')
    first: Finite = Field(description='the first point')
    last: Finite = Field(description='the last point')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this function."""
        if not self.first < self.last:
            yield ContradictionError(f'must be above first, got {self.first:g} and {self.last:g}', ('last',))

    def curve(self, name: str, values: Sequence[float], where: str) -> Curve:
        """The curve of an entry.

        :raises CurveError: if the values are none.
        """
        grid = np.linspace(self.first, self.last, max(len(values), 1))
        return Curve.of(name, grid, values, Axis(self.axis, self.axis_unit), self.unit, where=where)


class Table(EngineSection):
    """Looks the answers up in a data set: for rehearsals, benchmarks and tests."""

    engine: Literal['table'] = Field(description='a data set of known values, for rehearsals')
    data: str = Field(description='label of a library that carries the properties')
    units: dict[str, str] = Field({}, description="unit of each of the data set's own properties")
    functions: dict[str, Function] = Field(
        {}, description='columns of the data set that are lists: the axis of each, for objectives with a functional'
    )
    functionals: dict[str, dict[str, Any]] = Field({}, description='filled in from the goal')
    match: Literal['exact', 'structure'] = Field(
        'exact', description='find an entry by identical structure, or by StructureMatcher within the formula'
    )
    code: str | None = Field(None, description='label of a Python code; with it each look-up is a job')
    delay_seconds: Annotated[Finite, Field(ge=0, le=86400)] = Field(0.0, description='median duration of a look-up')
    delay_sigma: Annotated[Finite, Field(ge=0, le=3)] = Field(0.0, description='σ of its log-normal spread')
    fail_fraction: Fraction = Field(0.0, description='share of look-ups that fail on purpose')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if self.delay_seconds > 0 and self.code is None:
            yield ContradictionError('needs code: a look-up that takes time runs as a job', ('delay_seconds',))
