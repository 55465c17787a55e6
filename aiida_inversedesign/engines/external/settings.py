"""The section ``evaluate`` of the engine ``external``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.section import Finite


class External(EngineSection):
    """Asks for each candidate and waits until somebody answers (`ask` lists what is open, `tell` records)."""

    engine: Literal['external'] = Field(description='a laboratory or another program, by ask and tell')
    units: dict[str, str] = Field({}, description='unit of each property of the answers that is not built in')
    deadline_days: Annotated[Finite, Field(gt=0, le=3650)] | None = Field(
        None, description='days after which a candidate without an answer counts as failed; default: it waits forever'
    )
