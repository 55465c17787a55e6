"""Earlier campaigns that a campaign starts from: the items of ``learn.from``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from aiida_inversedesign.campaign.section import ContradictionError, Model

#: How the name of an archive ends.
ARCHIVE = '.aiida'


def _campaign(value: object) -> object:
    """A PK, UUID or archive alone stands for the section with nothing but it."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ContradictionError('expected the PK or UUID of a campaign, or a file FILE.aiida')
    return {'campaign': value}


class EarlierSource(Model):
    """An earlier campaign to learn from."""

    campaign: Annotated[
        str, BeforeValidator(lambda value: str(value) if type(value) is int else value), Field(min_length=1)
    ] = Field(
        max_length=1000,
        description='its PK or UUID, or an archive (FILE.aiida next to the campaign file) with one campaign',
    )
    property: str | None = Field(
        None, description='a property of it that this goal does not have; default: the properties that both goals have'
    )


#: An item of the list, also in its short form.
Earlier = Annotated[EarlierSource, BeforeValidator(_campaign)]
