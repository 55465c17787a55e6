"""The sites of a CIF: element, coordinates and their precision, occupancy."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.symbols import SYMBOLS
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.cif.blocks import Block, Number, is_null, number_of
from aiida_inversedesign.libraries.entries import Notes, RefusedError

#: most that an occupancy of one may differ from it
FULL = 1e-3
#: fewest decimals that count as rounding: 0.5 and 0.25 are written so, though they are exact
LEAST_DECIMALS = 3
_AXES = ('_atom_site_fract_x', '_atom_site_fract_y', '_atom_site_fract_z')
_KNOWN = frozenset(SYMBOLS)
#: isotopes of hydrogen
_HYDROGEN = {'D': 'H', 'T': 'H'}
#: symbols of empty sites
_VACANCY = re.compile(r'(va|vac|vacancy|vacant|void|□)([^a-z]|$)', re.IGNORECASE)
#: names of groups of atoms that stand for one site: hydroxyl, water, ammonium, methyl; Ho is an element, HO is not
_GROUP = re.compile(r'(?:(?i:oh|od|o\d*w|wat|water|h2o|h3o|d2o|hoh|dod|aq)|HO|NH|CH)(?![a-z])')


@dataclass(frozen=True, eq=False)
class Site:
    """One row of the list of atoms.

    :param coords: fractional coordinates, shape (3,).
    :param unit: how far each may be off, shape (3,): one unit of the last digit, or three standard uncertainties.
    :param multiplicity: number of equivalent sites as stated, 0 if it is not.
    """

    label: str
    symbol: str
    coords: NDArray[np.float64]
    unit: NDArray[np.float64]
    multiplicity: int = 0


def sites_of(block: Block, formula: frozenset[str], notes: Notes) -> list[Site]:
    """The sites that are occupied.

    :param formula: elements of the stated formula; they settle what ``CA1`` is. Empty if there is none.
    :raises RefusedError: if a site is partially occupied, disordered, vacant, or of no element.
    """
    labels = block.column('_atom_site_label', '_atom_site_id')
    types = block.column('_atom_site_type_symbol')
    rows = len(labels or types)
    columns = [block.column(axis) for axis in _AXES]
    if not all(columns):
        raise RefusedError(entries.NO_COORDINATES, 'the atoms have no fractional coordinates')
    if any(len(column) != rows for column in columns) or (types and len(types) != rows):
        raise RefusedError(entries.UNREADABLE, 'the columns of the atoms have different lengths')
    labels = labels or types
    _refuse_disorder(block, labels)
    numbers = [[None if is_null(text) else number_of(text, axis) for text in column]
               for axis, column in zip(_AXES, columns, strict=True)]  # fmt: skip
    decimals = min((number.unit for column in numbers for number in column if number and number.unit), default=1.0)
    coarsest = decimals if decimals < 0.05 else 10.0**-LEAST_DECIMALS
    hydrogens = [_drawn(text) == 'H' for text in types or labels]
    found = []
    for row in range(rows):
        label = labels[row]
        name = types[row] if types and not is_null(types[row]) else ''
        if _VACANCY.match(name or label):
            raise RefusedError(entries.UNREADABLE, f'the site {label} is a vacancy: leave such sites out')
        if _occupancy(block, row, label) == 0 or _cell(block, '_atom_site_calc_flag', row) == 'dum':
            notes.say(entries.REMARK, f'the empty site {label} is left out')
            continue
        symbol = _element(name, label, formula, any(hydrogens), notes)
        attached = _cell(block, '_atom_site_attached_hydrogens', row)
        if not is_null(attached) and number_of(attached, 'attached hydrogens').value > 0:
            notes.contradiction(
                entries.ATTACHED, f'the site {label} has {attached} attached hydrogens, of which the file has no sites'
            )
        triple = [column[row] for column in numbers]
        if any(number is None for number in triple):
            notes.contradiction(entries.NO_COORDINATES, f'the site {label} has no coordinates')
            continue
        known = [number for number in triple if number is not None]
        unit = [max(_rounding(number, coarsest), 3 * number.esd) for number in known]
        stated = _cell(block, '_atom_site_symmetry_multiplicity', row) or _cell(
            block, '_atom_site_site_symmetry_multiplicity', row
        )
        found.append(
            Site(
                label, symbol, np.array([number.value for number in known]), np.minimum(unit, 0.02),
                _multiplicity(stated),
            )
        )  # fmt: skip
    if not found:
        raise RefusedError(entries.UNREADABLE, 'the CIF has no occupied site')
    return found


def _multiplicity(text: str) -> int:
    """The stated number of images, 0 if it is not one: some write 4.0."""
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return 0


def is_isotope(block: Block) -> bool:
    """Whether there is deuterium or tritium."""
    return any(_letters(text) in _HYDROGEN for text in block.column('_atom_site_type_symbol', '_atom_site_label'))


def element_of(symbol: str) -> str:
    """The element of a symbol as formulas write it, ``D`` being hydrogen; empty if it is not one."""
    title = symbol.capitalize()
    title = _HYDROGEN.get(title, title)
    return title if title in _KNOWN else ''


def _rounding(number: Number, coarsest: float) -> float:
    """One unit of the last digit that was meant: trailing zeros may be missing, but no digits are.

    Of two digits only thirds and sixths are roundings.
    """
    unit = number.unit
    sixths = number.value * 6
    if 0.009 < unit < 0.011 and round(sixths) % 3 and 1e-9 < abs(sixths - round(sixths)) <= 6 * unit:
        return unit
    return unit if coarsest < unit <= 10.0**-LEAST_DECIMALS * 1.001 else coarsest


def _cell(block: Block, name: str, row: int) -> str:
    column = block.column(name)
    return column[row].strip() if row < len(column) else ''


def _occupancy(block: Block, row: int, label: str) -> float:
    """1 or 0.

    :raises RefusedError: if it is between.
    """
    text = _cell(block, '_atom_site_occupancy', row)
    if is_null(text):
        return 1.0
    number = number_of(text, 'the occupancy')
    value = number.value
    if abs(value - 1) <= max(FULL, number.esd if number.esd < 0.01 else 0.0):
        return 1.0
    if value == 0:
        return 0.0
    if not 0 < value < 1:
        raise RefusedError(entries.PARTIAL, f'the site {label} has the occupancy {text}, which cannot be')
    raise RefusedError(
        entries.PARTIAL,
        f'partially occupied sites: {label} has the occupancy {text}; only ordered structures can be used',
    )


def _refuse_disorder(block: Block, labels: list[str]) -> None:
    """Refuse alternatives that exclude each other."""
    groups = block.column('_atom_site_disorder_group')
    assemblies = block.column('_atom_site_disorder_assembly')
    found: dict[str, set[str]] = {}
    for row, (label, text) in enumerate(zip(labels, groups, strict=False)):
        if is_null(text) or text.strip() == '0':
            continue
        assembly = assemblies[row].strip() if row < len(assemblies) else ''
        seen = found.setdefault(assembly, set())
        seen.add(text.strip())
        if len(seen) > 1 or text.strip().startswith('-'):
            raise RefusedError(
                entries.DISORDERED, f'the site {label} belongs to disorder group {text.strip()} beside others: '
                'keep one alternative'
            )  # fmt: skip


def _letters(text: str) -> str:
    """The letters that a type symbol or label begins with: ``Fe`` of ``Fe3+``, ``H`` of ``2H``."""
    found = re.match(r"[\d(*'\"]*([A-Za-z]+)", text.strip())
    return found[1] if found else ''


def _drawn(text: str) -> str:
    letters = _letters(text)
    return 'H' if letters[:1] in ('H', 'D', 'T') and element_of(letters[:2]) in ('', 'H') else ''


def _element(name: str, label: str, formula: frozenset[str], hydrogens: bool, notes: Notes) -> str:
    """The element of a site, by its type symbol or else by its label.

    :raises RefusedError: if there is none, or several are possible.
    """
    letters = _letters(name or label)
    if element_of(letters) not in formula and _GROUP.match((name or label).strip(' *(\'"')):
        _refuse_group(name or label, formula, hydrogens, notes)
        return letters[0] if letters[0] in 'NC' else 'O'
    if name:
        if not (symbol := element_of(letters)):
            raise RefusedError(entries.NO_ELEMENT, f'no element data for {name[:20]}')
        if letters in _HYDROGEN or re.match(r'\d', name):
            notes.say(entries.REMARK, f'the isotope {name[:10]} is taken as {symbol}')
        return symbol
    candidates = [symbol for length in (2, 1) if len(letters) >= length and (symbol := element_of(letters[:length]))]
    if len(set(candidates) & formula) == 1:
        return next(symbol for symbol in candidates if symbol in formula)
    if not candidates:
        raise RefusedError(entries.NO_ELEMENT, f'no element data for {label[:20]}')
    if len(candidates) == 2 and not (letters[0].isupper() and letters[1].islower()):
        raise RefusedError(
            entries.UNCLEAR_ELEMENT,
            f'the site {label[:20]} may be {" or ".join(candidates)}: add _atom_site_type_symbol',
        )
    return candidates[0]


def _refuse_group(name: str, formula: frozenset[str], hydrogens: bool, notes: Notes) -> None:
    """Refuse a site that stands for several atoms, unless hydrogens are listed and a formula tells whether all are."""
    if not (hydrogens and 'H' in formula):
        notes.contradiction(
            entries.ATTACHED, f'the site {name[:20]} stands for a group of atoms; list its hydrogens as sites'
        )
