"""Finds the parts of the loop by the entry points of all installed packages.

A part is added by an entry point in one of our groups, e.g. in the ``pyproject.toml`` of any package::

    [project.entry-points."aiida_inversedesign.acquisitions"]
    greedy = "my_package.acquisitions:Greedy"

Names are read without importing anything; a part is imported when it is asked for.
"""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar, get_args

from aiida_inversedesign.errors import InverseDesignError

#: The stations that take parts; each is the entry point group ``aiida_inversedesign.<station>``.
Station = Literal[
    'engines',
    'properties',
    'spaces',
    'sources',
    'screens',
    'potentials',
    'surrogates',
    'acquisitions',
    'physical_models',
]

#: What one part of a station is called in messages.
WORDS: dict[str, str] = {
    'engines': 'engine',
    'properties': 'property',
    'spaces': 'kind of space',
    'sources': 'source',
    'screens': 'screen',
    'potentials': 'potential',
    'surrogates': 'surrogate',
    'acquisitions': 'acquisition',
    'physical_models': 'physical model',
}


_Part = TypeVar('_Part')


class PartError(InverseDesignError):
    """A part that is not installed, or that cannot be imported."""


@functools.cache
def _points(station: Station) -> dict[str, EntryPoint]:
    """Entry points by name; of two packages that bring the same name, ours stays, else the first by its value."""
    found: dict[str, EntryPoint] = {}
    points = entry_points(group=f'aiida_inversedesign.{station}')
    for point in sorted(
        points, key=lambda item: (not item.value.startswith('aiida_inversedesign.'), item.name, item.value)
    ):
        found.setdefault(point.name, point)
    return found


def names(station: Station) -> tuple[str, ...]:
    """The names of all installed parts of a station, ours first, each group sorted by name."""
    return tuple(_points(station))


@functools.cache
def part(station: Station, name: str) -> Any:
    """The part of a name, as its entry point names it.

    :raises PartError: if it is not installed, with the nearest name; if its package cannot be imported; or if it is a
        class that leaves out a method of its contract.
    """
    points = _points(station)
    if name not in points:
        raise PartError(not_installed(station, name))
    try:
        found = points[name].load()
    # whatever a foreign package raises while it is imported
    except Exception as error:
        origin = package_of(station, name)
        raise PartError(
            f'the {WORDS[station]} {name!r} of the package {origin} cannot be imported ({type(error).__name__}: '
            f'{error}): repair or remove {origin}'
        ) from error
    missing = sorted(getattr(found, '__abstractmethods__', ()))
    if missing:
        raise PartError(
            f'the {WORDS[station]} {name!r} of the package {package_of(station, name)} does not keep its contract: '
            f'{points[name].value} needs the method {" and ".join(missing)}'
        )
    return found


def make(station: Station, name: str, contract: type[_Part]) -> _Part:
    """A new instance of the part of a name, which must be a class that keeps a contract.

    :param contract: the base class of the station's parts, with a ``name``.
    :raises PartError: if it is not installed, cannot be imported, or is something else.
    """
    found = part(station, name)
    if not (isinstance(found, type) and issubclass(found, contract)) or getattr(found, 'name', None) != name:
        value = _points(station)[name].value
        raise PartError(
            f'the {WORDS[station]} {name!r} of the package {package_of(station, name)} does not keep its contract: '
            f'{value} must be a subclass of {contract.__module__}.{contract.__qualname__} with name = {name!r}'
        )
    try:
        return found()
    except TypeError as error:
        raise PartError(f'the {WORDS[station]} {name!r} cannot be made: {error}') from error


def parts(station: Station) -> dict[str, Any]:
    """Every installed part of a station by its name; those that cannot be imported are left out."""
    found = {}
    for name in names(station):
        try:
            found[name] = part(station, name)
        except PartError:
            continue
    return found


def package_of(station: Station, name: str) -> str:
    """The distribution that brings a part, with its version, e.g. ``my-package 1.0``; empty where it is not known."""
    point = _points(station).get(name)
    return f'{point.dist.name} {point.dist.version}' if point is not None and point.dist is not None else ''


def packages() -> dict[str, str]:
    """Versions of all distributions that bring parts, ours left out, by name."""
    dists = [
        point.dist for station in get_args(Station) for point in _points(station).values() if point.dist is not None
    ]
    return {dist.name: dist.version for dist in dists if dist.name != 'aiida-inversedesign'}


def not_installed(station: Station, name: str, *, hint: bool = True, also: Sequence[str] = ()) -> str:
    """That a part is not installed, in words.

    :param hint: whether to add the nearest name; problems of a campaign file have it already.
    :param also: further words that are valid, such as ``auto``.
    """
    known = list(dict.fromkeys([*also, *names(station)]))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    nearest = f'; did you mean {near[0]!r}? Installed' if near and hint else ': installed'
    return (
        f'there is no {WORDS[station]} {name!r}{nearest} are {", ".join(known) or "none"}. Install the '
        f'package that brings it (an entry point in the group aiida_inversedesign.{station})'
    )


def load(path: str) -> Any:
    """What ``module:name`` stands for, as a descriptor names it; never a name that a file or an archive brings."""
    module, _, name = path.partition(':')
    return getattr(importlib.import_module(module), name)
