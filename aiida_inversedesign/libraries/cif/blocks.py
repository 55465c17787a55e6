"""The data blocks of a CIF, by gemmi's tokenizer: text fields, quotes, loops and single items as CIF 1.1 defines them.

gemmi: Wojdyr, J. Open Source Softw. 7, 4200 (2022).
"""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.entries import RefusedError

#: bytes of text; a structure of 500 sites takes 50 kB
LARGEST_CIF = 4 * 2**20
#: most structures of one file: each takes some milliseconds
MOST_STRUCTURES = 500
#: beginnings of the names that are read; reflections and the like are left in gemmi's memory
_READ = ('_cell', '_atom_site', '_symmetry', '_space_group', '_chemical_formula', '_exptl_crystal')
_HEADER = re.compile(r'\s*data_\S*', re.IGNORECASE)
_NUMBER = re.compile(r'([+-]?(?:\d+\.?(\d*)|\.(\d+)))(?:[eEdD]([+-]?\d{1,3}))?(?:\((\d{1,9})\))?')
_FRACTION = re.compile(r'([+-]?\d{1,3})/([1-9]\d{0,2})')
_NULL = ('', '.', '?')


@dataclass(frozen=True)
class Number:
    """A number of a CIF.

    :param unit: one unit of its last digit; 0 for a fraction such as ``1/3``.
    :param esd: its standard uncertainty, 0 if none is given.
    """

    value: float
    unit: float = 0.0
    esd: float = 0.0


@dataclass(frozen=True)
class Block:
    """A data block: its name, and the values of each item by the name in lower case.

    Dots in names (``_cell.length_a`` of newer dictionaries) are read as underscores. A single item is a list of one.
    """

    name: str
    columns: dict[str, list[str]] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()
    problem: str = ''

    def column(self, *names: str) -> list[str]:
        """The values of the first of these names that has any; empty if there is none."""
        return next((self.columns[name] for name in names if self.columns.get(name)), [])

    def text(self, *names: str) -> str:
        """The first value of the first of these names that has one; empty if none does."""
        for name in names:
            value = next(iter(self.columns.get(name, ())), '').strip()
            if value not in _NULL:
                return value
        return ''

    def number(self, *names: str) -> Number | None:
        """The number of the first of these names that has a value.

        :raises RefusedError: if the value is not a number.
        """
        text = self.text(*names)
        return number_of(text, names[0]) if text else None

    @cached_property
    def has_sites(self) -> bool:
        """Whether there are atoms in it."""
        return any(name.startswith('_atom_site_') and not name.startswith('_atom_site_aniso_') for name in self.columns)

    @property
    def has_cell(self) -> bool:
        """Whether there is a cell in it."""
        return '_cell_length_a' in self.columns


def is_null(value: str) -> bool:
    """Whether a value is unknown (``?``), not applicable (``.``), or empty."""
    return value.strip() in _NULL


def number_of(text: str, name: str) -> Number:
    """The number with its precision: ``5.64(2)``, ``1.``, ``-.5``, ``1/3``.

    :raises RefusedError: if it is not one.
    """
    plain = text.strip().replace('−', '-')
    if found := _FRACTION.fullmatch(plain):
        return Number(int(found[1]) / int(found[2]))
    found = _NUMBER.fullmatch(plain)
    if found is None:
        hint = ': write a decimal point, not a comma' if re.fullmatch(r'[+-]?\d+,\d+', plain) else ''
        raise RefusedError(entries.UNREADABLE, f'{name} is {text[:40]!r}, which is not a number{hint}')
    scale = 10.0 ** int(found[4] or 0) if int(found[4] or 0) <= 305 else math.inf
    if not math.isfinite(float(found[1]) * scale):
        raise RefusedError(entries.NAN, f'{name} is {plain[:40]}, which is not finite')
    unit = scale * 10.0 ** -len(found[2] or found[3] or '')
    return Number(float(found[1]) * scale, unit, int(found[5] or 0) * unit)


def structure_blocks(text: str | None) -> list[Block]:
    """The data blocks that have atoms or a cell, one with atoms at least.

    :raises RefusedError: if there is none, or the text is too long, has too many, or is not a CIF.
    """
    if not text or not text.strip():
        raise RefusedError(entries.UNREADABLE, 'the CIF is empty')
    if len(text) > LARGEST_CIF:
        raise RefusedError(entries.TOO_LARGE, f'the CIF has more than {LARGEST_CIF // 2**20} MiB of text')
    plain = text.lstrip('\ufeff').replace('\r\n', '\n').replace('\r', '\n')
    blocks = [block for block in _blocks(plain) if block.has_sites or block.has_cell or block.problem]
    if not any(block.has_sites or block.problem for block in blocks):
        raise RefusedError(entries.UNREADABLE, 'the CIF has no structure')
    if len(blocks) > MOST_STRUCTURES:
        raise RefusedError(entries.TOO_LARGE, f'the CIF has {len(blocks)} structures, more than {MOST_STRUCTURES}')
    return blocks


def _blocks(text: str) -> Iterator[Block]:
    """The blocks; where gemmi cannot read the whole text, it reads each block for itself."""
    from gemmi import cif

    try:
        yield from map(_block, cif.read_string(text, check_level=0))
        return
    except (ValueError, RuntimeError) as error:
        parts = _parts(text)
        if len(parts) < 2:
            raise RefusedError(entries.UNREADABLE, f'not a CIF ({_short(error)})') from error
    for part in parts:
        try:
            yield from map(_block, cif.read_string(part, check_level=0))
        except (ValueError, RuntimeError) as error:
            name = part.split(maxsplit=1)[0][5:]
            yield Block(name, problem=f'the block {name[:40]!r} is not CIF ({_short(error)})')


def _parts(text: str) -> list[str]:
    """The text cut at its headers of blocks, not at those within text fields."""
    starts, inside, position = [], False, 0
    for line in text.splitlines(keepends=True):
        if line.startswith(';'):
            inside = not inside
        elif not inside and _HEADER.match(line):
            starts.append(position)
        position += len(line)
    return [text[start:stop] for start, stop in itertools.pairwise([*starts, None])]


def _block(block: Any) -> Block:
    from gemmi import cif

    columns: dict[str, list[str]] = {}
    repeated: dict[str, list[list[str]]] = defaultdict(list)

    def add(tag: str, values: list[str]) -> None:
        name = tag.lower().replace('.', '_')
        found = [cif.as_string(value) for value in values]
        if name in columns:
            repeated[name] += [columns[name], found]
        columns.setdefault(name, found)

    for item in block:
        if item.pair is not None:
            tag, value = item.pair
            if tag.lower().startswith(_READ):
                add(tag, [value])
        elif item.loop is not None:
            tags = item.loop.tags
            if not any(tag.lower().startswith(_READ) for tag in tags):
                continue
            values = item.loop.values
            for number, tag in enumerate(tags):
                add(tag, values[number :: len(tags)])
    differing = tuple(sorted(name for name, lists in repeated.items() if any(item != lists[0] for item in lists)))
    return Block(block.name.strip(), columns, differing)


def _short(error: BaseException) -> str:
    return str(error).removeprefix('string:').strip()[:200]
