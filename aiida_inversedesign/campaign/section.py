"""What the sections of the campaign file share: checked words and numbers, and how they say what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from aiida_inversedesign.campaign.text.number_words import LARGEST
from aiida_inversedesign.chemistry.symbols import SYMBOLS

#: Where a value stands below a section: keys, and numbers of items.
Location = tuple[str | int, ...]


class ContradictionError(ValueError):
    """A value that is wrong beside others, and what to do about it.

    :param location: where to fix it, seen from the section that finds it; empty for the section itself.
    :param words: what could stand there, if that is a list of words.
    """

    def __init__(self, message: str, location: Location = (), words: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.location, self.words = location, words


def refuse(title: str, found: Iterable[ContradictionError]) -> None:
    """Raise everything that was found at once, as errors that pydantic adds to those of the other sections.

    :param title: what is wrong, for the head of the message.
    :raises ValidationError: if anything was found.
    """
    errors = [
        InitErrorDetails(type='value_error', loc=item.location, input=None, ctx={'error': item}) for item in found
    ]
    if errors:
        raise ValidationError.from_exception_data(title, errors)


def _symbol(value: str) -> str:
    if value not in SYMBOLS:
        raise ContradictionError('is not a chemical symbol', words=SYMBOLS)
    return value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ContradictionError('expected a number, not true or false')
    return value


def _bounded(value: float) -> float:
    if abs(value) > LARGEST:
        raise ContradictionError(
            f'expected a number between -{LARGEST:g} and {LARGEST:g}: larger ones overflow in models'
        )
    return value


# Python takes true for 1; who writes it means something else
Integer = Annotated[int, BeforeValidator(_number)]
Finite = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number), AfterValidator(_bounded)]
Name = Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$')]
Count = Annotated[Integer, Field(ge=1, le=10**9)]
Positive = Annotated[Finite, Field(gt=0)]
Fraction = Annotated[Finite, Field(ge=0, le=1)]
Symbol = Annotated[str, AfterValidator(_symbol)]
#: What stands in the head of a job script must not be able to end its line.
Word = Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9._,:@+=-]{0,99}$')]


class Model(BaseModel):
    """A section of the campaign file: unknown keys are errors."""

    model_config = ConfigDict(extra='forbid', frozen=True)

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section; asked when each value is right by itself."""
        return iter(())

    @model_validator(mode='after')
    def _goes_together(self) -> Self:
        refuse(type(self).__name__, self.contradictions())
        return self


def without_repeats(value: list[Any]) -> list[Any]:
    """A list with each item once, in the order of their first occurrence."""
    return list(dict.fromkeys(value))
