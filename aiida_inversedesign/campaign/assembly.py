"""Puts the sections of the campaign file together from the parts that are installed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import AfterValidator, Discriminator, Field, Tag

from aiida_inversedesign.campaign.contracts import engine, registry
from aiida_inversedesign.campaign.contracts.registry import Station
from aiida_inversedesign.campaign.section import ContradictionError


def one_of_the_installed(station: Station, tag: str, default: str | None = None) -> Any:
    """The type of a section whose key ``tag`` names a part: any section class of the station.

    :param default: the part that is meant where the key is missing.
    """
    members = [Annotated[section, Tag(name)] for name, section in registry.parts(station).items()]

    def discriminate(value: Any) -> Any:
        found = value.get(tag, default) if isinstance(value, Mapping) else getattr(value, tag, default)
        return found if isinstance(found, str) else str(found)

    return Annotated[Union[tuple(members)], Discriminator(discriminate)]  # noqa: UP007  (made at run time)


def sections_of_engines() -> Any:
    """The type of the section ``evaluate``: that of any installed engine, as its key ``engine`` says."""
    return Annotated[
        Union[tuple(item.section for item in engine.installed().values())],  # noqa: UP007  (made at run time)
        Field(discriminator='engine'),
    ]


def _known(station: Station, also: tuple[str, ...], hint: bool, value: str) -> str:
    if value not in (*also, *registry.names(station)):
        raise ContradictionError(
            registry.not_installed(station, value, hint=hint, also=also),
            words=tuple(dict.fromkeys((*also, *registry.names(station)))),
        )
    return value


class _Installed:
    """The name of an installed part; the JSON schema lists those that are installed."""

    def __init__(self, station: Station, also: tuple[str, ...], hint: bool) -> None:
        self.station, self.also, self.hint = station, also, hint

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        check = AfterValidator(functools.partial(_known, self.station, self.also, self.hint))
        return check.__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {'type': 'string', 'enum': [*self.also, *registry.names(self.station)]}


def installed(station: Station, *also: str, hint: bool = False) -> _Installed:
    """The annotation of a field that names a part.

    :param also: further words that are valid, such as ``auto``.
    :param hint: whether an error names the nearest part itself; that of a value has it already, that of a key has not.
    """
    return _Installed(station, also, hint)
