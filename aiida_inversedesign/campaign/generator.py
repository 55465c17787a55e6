"""The section ``propose.external`` of the campaign file: a program that generates crystals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from aiida_inversedesign.campaign.engine_settings import Options
from aiida_inversedesign.campaign.section import Count, Finite, Model, Word

#: The name of the source.
EXTERNAL = 'external'


class Condition(Model):
    """What a generated crystal is to have."""

    value: Finite = Field(description="in the property's unit, or the unit that the generator documents")
    guidance: Finite | None = Field(None, description='how strongly; default: what the generator takes')


class Weights(Model):
    """The weights of a generator, as they lie on its computer."""

    path: Annotated[str, StringConstraints(min_length=1)] = Field(description='folder or file on the computer')
    sha256: Annotated[str, StringConstraints(pattern='^[0-9a-f]{64}$')] = Field(
        description='SHA-256 that the generator has to report of them'
    )


class Generator(Model):
    """A program that generates crystals (docs/generators.md)."""

    code: str = Field(description='label of its code, e.g. mattergen@cluster')
    crystals: Count = Field(20, description='crystals asked for of each formula')
    space_groups: list[Annotated[int, Field(ge=1, le=230)]] | None = Field(
        None, description='space groups to generate, where the generator can; default: any'
    )
    conditions: dict[Word, Condition] = Field({}, description='properties to generate for, where the generator can')
    device: Word = Field('cpu', description='where the generator computes, e.g. cuda')
    weights: Weights | None = Field(None, description='weights of the generator')
    options: Options = Field(Options(), description='scheduler options of its jobs')
