"""What a CIF states of its crystal, compared with it: formula and units, volume, density, weight, multiplicities."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.cif.atoms import element_of, is_isotope
from aiida_inversedesign.libraries.cif.blocks import Block, Number
from aiida_inversedesign.libraries.cif.orbits import Orbit
from aiida_inversedesign.libraries.entries import Notes, RefusedError

#: most that volumes, densities and weights may differ from those stated, relative; or half a unit of the last digit
VOLUME, DENSITY, WEIGHT = 0.01, 0.015, 0.005
#: g/cm³ of one atomic mass unit per Å³
_DENSITY = 1.66053907
_AMOUNT = re.compile(r'([A-Za-z]{1,2})(\d*\.?\d*)')
_COMPACT = re.compile(r'(?:[A-Z][a-z]?\d*\.?\d*)+')


@dataclass(frozen=True)
class Formula:
    """A stated sum formula.

    :param amounts: amount of each element; deuterium counts as hydrogen.
    :param unit: one unit of the last decimal, 0 if all amounts are integers.
    """

    text: str
    amounts: dict[str, float]
    unit: float

    def matches(self, counts: dict[str, int]) -> bool:
        """Whether the counts have the same ratios, within the decimals of the formula."""
        if set(counts) != set(self.amounts):
            return False
        scale = sum(counts.values()) / sum(self.amounts.values())
        least = max(self.unit * scale, 1e-6 * sum(counts.values()))
        return all(abs(self.amounts[symbol] * scale - number) <= least for symbol, number in counts.items())


@dataclass(frozen=True)
class Confirmed:
    """What the statements of a file confirm.

    :param content: the number of atoms in the cell.
    :param operations: that the operations make the right number of images of each site.
    """

    content: bool
    operations: bool


def formula_of(text: str) -> Formula | None:
    """The sum formula as CIFs write it (``C6 H12 O6``); None if it cannot be read as one."""
    words = text.replace(',', ' ').split()
    if len(words) == 1 and _COMPACT.fullmatch(words[0]):
        words = re.findall(r'[A-Z][a-z]?\d*\.?\d*', words[0])
    amounts: dict[str, float] = {}
    unit = 0.0
    for word in words:
        found = _AMOUNT.fullmatch(word)
        symbol = element_of(found[1]) if found else ''
        if found is None or not symbol or found[2] == '.':
            return None
        amount = float(found[2] or 1)
        if not amount.is_integer():
            unit = max(unit, 10.0 ** -len(found[2].rpartition('.')[2]))
        amounts[symbol] = amounts.get(symbol, 0.0) + amount
    amounts = {symbol: amount for symbol, amount in amounts.items() if amount > 0}
    return Formula(text, amounts, unit) if amounts else None


def stated_formula(block: Block) -> Formula | None:
    """The sum formula of the block, or else the structural one, if it can be read."""
    if text := block.text('_chemical_formula_sum'):
        return formula_of(text)
    structural = block.text('_chemical_formula_structural')
    return formula_of(structural) or _with_brackets(structural)


def _with_brackets(text: str) -> Formula | None:
    """A structural formula such as ``Li (O H)``."""
    from pymatgen.core import Composition

    try:
        amounts = Composition(re.sub(r'\s', '', text), strict=True).get_el_amt_dict()
    except (ValueError, LookupError, TypeError):
        return None
    whole = all(amount.is_integer() for amount in amounts.values())
    return Formula(text, {element_of(symbol): amount for symbol, amount in amounts.items()}, 0 if whole else 1e-3)


def check(block: Block, formula: Formula | None, crystal: Crystal, orbits: Sequence[Orbit], notes: Notes) -> Confirmed:
    """Compare what is stated with what was found, and tell what of it is confirmed.

    :raises RefusedError: for a contradiction that is not accepted.
    """
    stated = block.text('_chemical_formula_sum')
    if stated and formula is None:
        notes.say(entries.REMARK, f'the stated formula {stated[:60]!r} cannot be read and was not compared')
    if formula is not None and not formula.matches(crystal.counts):
        sites = ' '.join(f'{symbol}{number}' for symbol, number in sorted(crystal.counts.items()))
        notes.contradiction(
            entries.FORMULA_MISMATCH,
            f'the stated formula is {formula.text[:80]}, that of the sites {sites}',
        )
    content = [
        _formula_units(block, formula, crystal, notes),
        _density(block, crystal, notes),
        _weight(block, crystal, notes),
    ]
    multiplicities = _multiplicities(orbits, notes)
    _volume(block, crystal, notes)
    return Confirmed(any(content), any(content) or multiplicities)


def _formula_units(block: Block, formula: Formula | None, crystal: Crystal, notes: Notes) -> bool:
    units = _positive(block, '_cell_formula_units_z')
    if units is None or formula is None:
        return False
    content = _contents(block, units.value, formula)
    least = max(units.value * formula.unit * len(formula.amounts), 1e-3)
    if all(abs(stated - crystal.nsites) > least for stated in content):
        notes.contradiction(
            entries.Z_MISMATCH,
            f'{units.value:g} formula units of {formula.text[:80]} are {content[0]:g} atoms, '
            f'the cell has {crystal.nsites}',
        )
        return False
    return True


def _contents(block: Block, units: float, formula: Formula) -> list[float]:
    """The numbers of atoms that the formula units may stand for.

    Some write the content of the cell as the sum formula, and count the units of the structural one.
    """
    total = sum(formula.amounts.values())
    structural = formula_of(block.text('_chemical_formula_structural'))
    if structural is not None and abs(units * sum(structural.amounts.values()) - total) < 1e-3:
        return [total]
    whole = not formula.unit and math.gcd(*(int(amount) for amount in formula.amounts.values())) == units
    return [units * total, total] if whole and units > 1 else [units * total]


def _multiplicities(orbits: Sequence[Orbit], notes: Notes) -> bool:
    for orbit in orbits:
        if orbit.site.multiplicity and orbit.site.multiplicity != len(orbit.coords):
            notes.contradiction(
                entries.SITES_MISMATCH,
                f'the site {orbit.site.label} has the stated multiplicity {orbit.site.multiplicity}, '
                f'found {len(orbit.coords)}',
            )
            return False
    return all(orbit.site.multiplicity for orbit in orbits)


def _density(block: Block, crystal: Crystal, notes: Notes) -> bool:
    stated = _positive(block, '_exptl_crystal_density_diffrn')
    if stated is None:
        return False
    found = _DENSITY * _mass(crystal) / crystal.volume
    # some write kg/m³
    if not any(_near(stated, found * factor, DENSITY) for factor in (1, 1000)):
        notes.contradiction(
            entries.DENSITY_MISMATCH,
            f'the stated density is {stated.value:g} g/cm³, that of cell and sites {found:.4g}',
        )
        return False
    return True


def _weight(block: Block, crystal: Crystal, notes: Notes) -> bool:
    weight, units = _positive(block, '_chemical_formula_weight'), _positive(block, '_cell_formula_units_z')
    if weight is None or units is None or is_isotope(block):
        return False
    found = _mass(crystal) / units.value
    if not _near(weight, found, WEIGHT):
        notes.contradiction(
            entries.WEIGHT_MISMATCH,
            f'the stated formula weight is {weight.value:g}, that of the sites {found:.6g} (Z = {units.value:g})',
        )
        return False
    return True


def _volume(block: Block, crystal: Crystal, notes: Notes) -> None:
    stated = _positive(block, '_cell_volume')
    if stated is not None and not _near(stated, crystal.volume, VOLUME):
        notes.contradiction(
            entries.VOLUME_MISMATCH,
            f'the stated volume is {stated.value:g} Å³, that of the cell {crystal.volume:.6g} Å³',
        )


def _near(stated: Number, found: float, relative: float) -> bool:
    return abs(stated.value - found) <= max(relative * found, stated.unit, 3 * stated.esd)


def _positive(block: Block, name: str) -> Number | None:
    """A stated number, if there is one that says something."""
    try:
        number = block.number(name)
    except RefusedError:
        return None
    return number if number is not None and number.value > 0 else None


def _mass(crystal: Crystal) -> float:
    return sum(_masses()[symbol] * number for symbol, number in crystal.counts.items())


@cache
def _masses() -> dict[str, float]:
    from pymatgen.core import Element

    from aiida_inversedesign.chemistry.symbols import SYMBOLS

    return {symbol: float(Element(symbol).atomic_mass) for symbol in SYMBOLS}
