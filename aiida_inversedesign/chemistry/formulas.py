"""Formulas and ratio labels."""

from __future__ import annotations

import contextlib
import functools
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from math import gcd, lcm

from aiida_inversedesign.chemistry.formula_spelling import FormulaError
from aiida_inversedesign.chemistry.formula_text import Amounts, read_formula
from aiida_inversedesign.chemistry.symbols import SYMBOLS

_KNOWN = frozenset(SYMBOLS)
#: most characters of a formula
LONGEST = 200
#: amounts are whole numbers of 1/1000
FINEST = 1000
#: Spellings of one formula that are tried: a bound on the time.
_MOST_SPELLINGS = 64


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

    What is read, and how: :mod:`~aiida_inversedesign.chemistry.formula_text`.

    :raises FormulaError: if it is not a formula, can be read in two ways, has a charge, or amounts are too fine.
    """
    return dict(_counts(formula))


def remarks_on(formula: str) -> tuple[str, ...]:
    """What is not kept of a formula that can be read: isotopes, oxidation states, charges of its ions."""
    return read_formula(formula).remarks


@functools.lru_cache(maxsize=65536)
def _counts(formula: str) -> tuple[tuple[str, int], ...]:
    if not formula.strip():
        raise FormulaError('the formula is empty: write one such as CaCO3')
    if len(formula) > LONGEST:
        raise FormulaError(f'formula too long ({len(formula)} characters; at most {LONGEST}): {formula[:20]!r}…')
    try:
        amounts = read_formula(formula).amounts
    except FormulaError as error:
        meant = _capitals(formula)
        if not meant:
            raise
        raise FormulaError(f'{error}; did you mean {" or ".join(meant)}?') from error
    counts = _whole(amounts, formula)
    known = {symbol: _electronegativity(symbol) for symbol in counts}
    if None in known.values():
        order = list(dict.fromkeys(_SYMBOL.findall(reduced_formula(counts))))
    else:
        order = sorted(counts, key=lambda symbol: (known[symbol], symbol))
    return tuple((symbol, counts[symbol]) for symbol in order)


@functools.cache
def _electronegativity(symbol: str) -> float | None:
    from pymatgen.core import Element

    with _no_electronegativity():
        value = float(Element(symbol).X)
    return None if math.isnan(value) else value


def _whole(amounts: Amounts, formula: str) -> dict[str, int]:
    """The smallest whole numbers in the proportion of the amounts; decimals such as 0.333 are taken for thirds.

    :raises FormulaError: if that would change an amount by more than 1 %, or remove an element.
    """
    common = next(
        (
            factor
            for factor in range(1, 13)
            if all(
                abs(round(amount * factor) / Fraction(factor) - amount) <= _rounding(amount)
                for amount in amounts.values()
            )
        ),
        0,
    ) or min(functools.reduce(lcm, (amount.denominator for amount in amounts.values())), FINEST)
    counts = {symbol: round(amount * common) for symbol, amount in amounts.items()}
    for symbol, count in counts.items():
        if abs(count - amounts[symbol] * common) > amounts[symbol] * common / 100:
            raise FormulaError(
                f'{formula!r} has {float(amounts[symbol]):g} {symbol}, finer than 1/{FINEST}, and rounding would '
                f'{"change" if count else "remove"} it: write amounts in steps of at least 1/{FINEST}'
            )
    divisor = functools.reduce(gcd, counts.values())
    return {symbol: count // divisor for symbol, count in counts.items()}


def _rounding(amount: Fraction) -> Fraction:
    """How far a decimal of three or more digits may be from the fraction that it was rounded from."""
    digits = next((digits for digits in range(21) if (amount * 10**digits).denominator == 1), 0)
    return Fraction(1, 2 * 10**digits) if digits > 2 else Fraction(0)


def _capitals(formula: str) -> list[str]:
    """Formulas of the same letters with other capitals, those of fewest elements first."""
    if not re.fullmatch(r'[A-Za-z\d]{2,24}', formula):
        return []
    found: list[tuple[int, str]] = []

    def extend(done: str, rest: str, number: int) -> None:
        if len(found) >= _MOST_SPELLINGS:
            return
        if not rest:
            found.append((number, done))
            return
        if rest[0].isdigit():
            extend(done + rest[0], rest[1:], number)
            return
        for length in (2, 1):
            symbol = rest[:length].capitalize()
            if len(symbol) == length and symbol in _KNOWN:
                extend(done + symbol, rest[length:], number + 1)

    extend('', formula, 0)
    return [text for _, text in sorted(found) if text != formula][:3]


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
