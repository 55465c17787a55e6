"""What the sections of the campaign file share: checked words and numbers, and that unknown keys are errors."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$')]
Count = Annotated[int, Field(ge=1, le=10**9)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
#: What stands in the head of a job script must not be able to end its line.
Word = Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9._,:@+=-]{0,99}$')]


class Model(BaseModel):
    """A section of the campaign file: unknown keys are errors."""

    model_config = ConfigDict(extra='forbid', frozen=True)
