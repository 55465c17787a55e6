"""The section ``evaluate`` of the engine ``table``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.section import ContradictionError, Finite, Fraction


class Table(EngineSection):
    """Looks the answers up in a data set: for rehearsals, benchmarks and tests."""

    engine: Literal['table']
    data: str = Field(description='label of a library that carries the properties')
    units: dict[str, str] = Field({}, description="unit of each of the data set's own properties")
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
