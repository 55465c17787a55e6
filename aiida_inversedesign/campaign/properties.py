"""The properties a campaign can ask for, each with its fixed unit: those of all installed packages."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.property import Property, Stage


class _Installed(Mapping[str, Property]):
    """The installed properties by name; read when the first is asked for, as their packages import this one."""

    def __getitem__(self, name: str) -> Property:
        return _by_name(registry.names('properties'))[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_by_name(registry.names('properties')))

    def __len__(self) -> int:
        return len(_by_name(registry.names('properties')))


@functools.lru_cache(maxsize=4)
def _by_name(_: tuple[str, ...]) -> dict[str, Property]:
    """Every property that the entry points of these names bring; of two with one name ours stays."""
    found: dict[str, Property] = {}
    for brought in registry.parts('properties').values():
        for item in brought if isinstance(brought, tuple) else (brought,):
            found.setdefault(item.name, item)
    return found


#: The properties with a fixed meaning and unit; an engine that looks answers up may add others.
PROPERTIES: Mapping[str, Property] = _Installed()

#: The property that no single evaluation has: it is measured against all others and changes as they come.
STABILITY = 'e_above_hull'


def unit_of(name: str, declared: Mapping[str, str] | None = None) -> str | None:
    """The unit of a property, as a campaign file declares it for its data set, or else fixed; None if unknown."""
    if declared and name in declared:
        return declared[name]
    return PROPERTIES[name].unit if name in PROPERTIES else None


_SUPERSCRIPTS = str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹')


def unit_text(unit: str | None) -> str:
    """A unit as people read it, with raised exponents, e.g. ``Å³/atom``; files for programs keep ``Å^3/atom``."""
    return re.sub(r'\^(-?\d+)', lambda found: found[1].translate(_SUPERSCRIPTS), unit or '')


#: Names that are not read with blanks in place of underscores alone.
_WRITTEN = {'homo_lumo_gap': 'HOMO–LUMO gap', 'homo': 'HOMO', 'lumo': 'LUMO'}


def property_text(name: str, unit: str | None = None) -> str:
    """A property's name in words, with its unit where there is one."""
    words = _WRITTEN.get(name, name.replace('_', ' '))
    return f'{words} ({unit_text(unit)})' if unit else words


def doubts(properties: Mapping[str, float]) -> list[str]:
    """Why an evaluation that completed is doubtful: values outside of what their properties call credible."""
    found = []
    for name, value in properties.items():
        known = PROPERTIES.get(name)
        if known is None or known.credible is None or known.credible[0] <= value <= known.credible[1]:
            continue
        low, high = known.credible
        limits = f'at most {high:g}' if low in (-high, 0) else f'{low:g} to {high:g}'
        found.append(f'{property_text(name)} {value:.3g} {known.unit}'.rstrip() + f' (credible: {limits})')
    return found


def required_stages(properties: Iterable[str]) -> set[Literal['relax', 'eos', 'references']]:
    """What has to be computed for these properties; always ``relax``, further ``eos`` and ``references``.

    Names that are not installed (columns of a data set) need nothing beyond the evaluation itself.
    """
    stages = {PROPERTIES[name].stage for name in properties if name in PROPERTIES}
    return {'relax', *(stage for stage in stages if not isinstance(stage, Stage))}


def own_stages(properties: Iterable[str]) -> dict[str, Stage]:
    """The stages that properties bring with them, by the name of stage or property, in the order of the properties."""
    known = {name: PROPERTIES[name].stage for name in sorted(set(properties)) if name in PROPERTIES}
    return {stage.name or name: stage for name, stage in known.items() if isinstance(stage, Stage)}
