"""Formulas and ratio labels."""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from math import gcd

from aiida_inversedesign.errors import InverseDesignError

# fmt: off
#: The symbols of the elements 1 to 118, in order of their atomic number.
SYMBOLS: tuple[str, ...] = (
    'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar',
    'K', 'Ca', 'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr',
    'Rb', 'Sr', 'Y', 'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe',
    'Cs', 'Ba', 'La', 'Ce', 'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf',
    'Ta', 'W', 'Re', 'Os', 'Ir', 'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th',
    'Pa', 'U', 'Np', 'Pu', 'Am', 'Cm', 'Bk', 'Cf', 'Es', 'Fm', 'Md', 'No', 'Lr', 'Rf', 'Db', 'Sg', 'Bh', 'Hs',
    'Mt', 'Ds', 'Rg', 'Cn', 'Nh', 'Fl', 'Mc', 'Lv', 'Ts', 'Og',
)
# fmt: on


_KNOWN = frozenset(SYMBOLS)
#: most characters of a formula
LONGEST = 200


class FormulaError(InverseDesignError):
    """A formula or ratio label that cannot be read."""


@contextlib.contextmanager
def _no_electronegativity() -> Iterator[None]:
    """pymatgen sorts by electronegativity and warns of noble gases, which have none."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='No Pauling electronegativity')
        yield


@functools.lru_cache(maxsize=65536)
def _reduced(items: tuple[tuple[str, int], ...]) -> str:
    from pymatgen.core import Composition

    with _no_electronegativity():
        return str(Composition(dict(items)).reduced_formula)


def reduced_formula(counts: Mapping[str, int]) -> str:
    """The reduced formula of integer element counts, as pymatgen writes it."""
    return _reduced(tuple(sorted(counts.items())))


def parse_formula(formula: str) -> dict[str, int]:
    """Element counts of the reduced formula, in pymatgen's order of electronegativity.

    :raises FormulaError: if it is no formula, names an unknown element, or has fractional amounts.
    """
    from pymatgen.core import Composition

    if not formula.strip():
        raise FormulaError('the formula is empty: write one such as CaCO3')
    if len(formula) > LONGEST:
        raise FormulaError(f'a formula of {len(formula)} characters is none: {formula[:20]!r}…')
    try:
        with _no_electronegativity():
            composition = Composition(formula, strict=True).element_composition
            amounts = composition.get_integer_formula_and_factor(max_denominator=1000)[0]
            reduced = Composition(amounts)
    except (ValueError, LookupError, TypeError) as error:
        raise FormulaError(f'{formula!r} is not a formula such as CaCO3 or Ca(NO3)2') from error
    unknown = [element.symbol for element in reduced if element.symbol not in SYMBOLS]
    if unknown:
        raise FormulaError(f'{formula!r} names {unknown[0]!r}, which is not an element')
    counts = {element.symbol: round(amount) for element, amount in reduced.items()}
    divisor = functools.reduce(gcd, counts.values())
    return {symbol: count // divisor for symbol, count in counts.items()}


_SYMBOL = re.compile('[A-Z][a-z]?')
_FORMULA = re.compile(r'(?:[A-Z][a-z]?|[\d.()\[\]])+')


def elements_of(formula: str) -> set[str]:
    """The elements of a formula, much faster than :func:`parse_formula`, which reads the amounts too.

    :raises FormulaError: if it has other characters than symbols of elements, numbers and brackets.
    """
    found = set(_SYMBOL.findall(formula)) if _FORMULA.fullmatch(formula) else set()
    if not found or not found <= _KNOWN:
        raise FormulaError(f'{formula!r} is not a formula such as CaCO3 or Ca(NO3)2')
    return found


def ratio_label(counts: Mapping[str, int] | Iterable[int]) -> str:
    """Integer counts of the reduced formula, largest first, e.g. ``3:1:1``."""
    numbers = sorted(counts.values() if isinstance(counts, Mapping) else counts, reverse=True)
    divisor = functools.reduce(gcd, numbers)
    return ':'.join(str(number // divisor) for number in numbers)


def parse_ratio(label: str) -> tuple[int, ...]:
    """The counts of a ratio label, largest first.

    :raises FormulaError: if it is not of the form ``2:1``, or can be reduced (``2:2``).
    """
    if not re.fullmatch(r'[1-9]\d{0,2}(:[1-9]\d{0,2})*', label):
        raise FormulaError(f'{label!r} is not a ratio: write positive integers joined by colons, e.g. "2:1:1"')
    numbers = tuple(sorted((int(part) for part in label.split(':')), reverse=True))
    if functools.reduce(gcd, numbers) != 1:
        raise FormulaError(f'{label!r} can be reduced: write {ratio_label(numbers)!r}')
    return numbers
