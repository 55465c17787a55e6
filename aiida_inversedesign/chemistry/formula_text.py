"""Reads the amounts of a formula: brackets, adducts, isotopes, oxidation states and charges.

Isotopes are their elements, and oxidation states and the charges of single ions are not kept: the remarks say so. The
charge of the whole is an error, because crystals are neutral.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

from aiida_inversedesign.chemistry.formula_spelling import (
    FormulaError,
    as_adduct,
    both_readings,
    canonical,
    meaning,
    named,
)
from aiida_inversedesign.chemistry.symbols import NUMBERS

Amounts = dict[str, Fraction]

_ROMAN = 'VIII|VII|VI|IV|V|III|II|I'
_CHARGE = r'\d*[+-]+|[+-]\d+'
_TOKEN = re.compile(
    rf"""
    (?P<sub>_\((?P<lowered>[\d./]+)\))
  | (?P<state>\^?\((?P<roman>{_ROMAN})\) | \^(?P<bare>{_ROMAN})(?![a-z]))
  | (?P<charge>\^?\((?P<inner>{_CHARGE})\) | \^(?P<short>{_CHARGE}) | (?P<sign>[+-]+))
  | (?P<isotope>(?:\^\((?P<raised>\d+)\)|\^(?P<caret>\d+))(?P<first>[A-Z][a-z]?) | \((?P<mass>\d+)(?P<of>[A-Z][a-z]?)\))
  | (?P<symbol>[A-Z][a-z]?)
  | (?P<run>[\d./]+)
  | (?P<dot>·)
  | (?P<open>\()
  | (?P<close>\))
    """,
    re.VERBOSE,
)
_UNIT = re.compile(r'([A-Z][a-z]?)([1-9][0-9]{0,4})?')
_USUAL = re.compile(f'(?:{_UNIT.pattern})+')
_AMOUNT = re.compile(r'(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+|[1-9]\d*/[1-9]\d*')
_HINTS = {
    '^': 'what is raised is neither a charge nor an isotope: write amounts after the element',
    ',': 'write decimals with a point, one formula a line',
    ':': 'a ratio such as 2:1 belongs in ratios',
}
#: Largest amount of an element, longest number and deepest brackets: far beyond any compound, and quickly refused.
_LARGEST, _MOST_DIGITS, _NESTED = 10**6, 20, 20


@dataclass(frozen=True)
class FormulaText:
    """What a formula says.

    :param amounts: of each element, as written.
    :param remarks: what is not kept of it, in words.
    """

    amounts: Amounts
    remarks: tuple[str, ...] = ()


def read_formula(text: str) -> FormulaText:
    """The amounts of a formula as exact fractions.

    :raises FormulaError: if it cannot be read, can be read in two ways, or has a charge.
    """
    if _USUAL.fullmatch(text) and 'II' not in text:
        # nearly all of them, ten times as fast
        amounts: Amounts = defaultdict(Fraction)
        for symbol, number in _UNIT.findall(text):
            amounts[symbol] += int(number or 1)
        if amounts.keys() <= NUMBERS.keys():
            return FormulaText(dict(amounts))
    return _Reader(text).read()


class _Reader:
    def __init__(self, written: str) -> None:
        self.written = written
        self.plain = canonical(written)
        self.tokens: list[tuple[str, re.Match[str]]] = []
        self.at = 0
        self.charge = Fraction(0)
        self.remarks: dict[str, None] = {}

    def read(self) -> FormulaText:
        """Everything."""
        begin = 0
        while begin < len(self.plain):
            match = _TOKEN.match(self.plain, begin)
            if match is None or match.lastgroup is None:
                character = self.plain[begin]
                raise self._error(_HINTS.get(character, f'{named(character)} is not part of one'))
            self.tokens.append((match.lastgroup, match))
            begin = match.end()
        self.full_stops = self._full_stops()
        amounts = self._sum(0)
        if self.at < len(self.tokens):
            raise self._error('a bracket is closed that was not opened')
        if self.charge and any(match['sign'] for kind, match in self.tokens[:-1] if kind == 'charge'):
            raise self._error('+ and − are signs of charges, which do not add up: write a dot · between parts')
        # a charge at the end is that of the whole, elsewhere it is the state of an ion
        if self.charge and self.tokens[-1][0] == 'charge':
            size, sign = abs(self.charge), '+' if self.charge > 0 else '−'
            raise self._error(
                f'it has the charge {size if size != 1 else ""}{sign}, and a crystal is neutral: write the formula of '
                'the whole crystal without charges'
            )
        if any(kind == 'charge' for kind, _ in self.tokens):
            self.remarks['charges of ions are not kept'] = None
        return FormulaText(amounts, tuple(self.remarks))

    def _error(self, why: str) -> FormulaError:
        return FormulaError(f'{self.written!r} is not a formula such as CaCO3 or Ca(NO3)2: {why}')

    def _kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ''

    def _take(self) -> re.Match[str]:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def _sum(self, depth: int) -> Amounts:
        """Parts that dots join, up to a closing bracket or the end."""
        if depth > _NESTED:
            raise self._error('its brackets are nested too deeply')
        total: Amounts = defaultdict(Fraction)
        coefficient = ''
        while True:
            if not coefficient and self._kind() == 'run':
                coefficient = self._take().group()
            factor = self._number(coefficient) if coefficient else Fraction(1)
            charge = self.charge
            part, further = self._part(depth)
            self.charge = charge + (self.charge - charge) * factor
            for symbol, amount in part.items():
                total[symbol] += factor * amount
            if further is None:
                return dict(total)
            coefficient = further

    def _part(self, depth: int) -> tuple[Amounts, str | None]:
        """Units up to a dot, a closing bracket or the end; what a number says of the coefficient after the dot.

        None where no dot follows.
        """
        found: Amounts = defaultdict(Fraction)
        begin, further = self.at, None
        while further is None and self._kind() not in ('', 'close', 'dot'):
            unit = self._unit(depth)
            amount, further = self._amount()
            for symbol, number in unit.items():
                found[symbol] += number * amount
        if self.at == begin:
            raise self._error('nothing stands where an element is expected')
        if further is None and self._kind() == 'dot':
            self._take()
            further = ''
        return found, further

    def _unit(self, depth: int) -> Amounts:
        """An element or a bracket, without its amount."""
        kind, match = self._kind(), self._take()
        if kind == 'isotope':
            mass = int(match['raised'] or match['caret'] or match['mass'])
            return self._element(match['first'] or match['of'], mass)
        if kind == 'symbol':
            if match.group() == 'I' and self._kind() == 'symbol' and self.tokens[self.at][1].group() == 'I':
                raise self._error('II is an oxidation state or iodine twice: leave the state out, or write I2')
            return self._element(match.group())
        if kind == 'open':
            inside = self._sum(depth + 1)
            if self._kind() != 'close':
                raise self._error('a bracket is not closed')
            self._take()
            return inside
        if kind == 'run':
            raise self._error('two numbers follow each other: write a dot · before the coefficient of an adduct')
        raise self._error(f'{match.group()!r} stands where an element is expected')

    def _element(self, symbol: str, mass: int | None = None) -> Amounts:
        symbol, mass = {'D': ('H', 2), 'T': ('H', 3)}.get(symbol, (symbol, mass))
        number = NUMBERS.get(symbol)
        if number is None:
            raise self._error(f'{symbol!r} is not an element')
        if mass is not None:
            if not number <= mass <= 3 * number:
                raise self._error(f'{symbol} has no isotope {mass}: write amounts behind the element, not raised')
            self.remarks['isotopes are read as their elements'] = None
        return {symbol: Fraction(1)}

    def _amount(self) -> tuple[Fraction, str | None]:
        """Amount, charge and oxidation state of a unit; the coefficient of an adduct that begins within its number."""
        amount, charge, further = None, Fraction(0), None
        while further is None:
            kind = self._kind()
            if kind == 'charge' and amount is None:
                charge += self._charge(self._take())
            elif kind == 'charge':
                # behind the amount it is the charge of all of them
                self.charge += self._charge(self._take())
            elif kind == 'state':
                self._state(self._take())
            elif kind == 'sub' and amount is None:
                amount = self._number(self._take()['lowered'])
            elif kind == 'run' and amount is None:
                adduct = self.full_stops.get(self.at) == 'adduct'
                own = self._take().group()
                if adduct:
                    own, further = as_adduct(own)
                amount = self._number(own or '1')
            else:
                break
        amount = Fraction(1) if amount is None else amount
        self.charge += charge * amount
        return amount, further

    def _state(self, match: re.Match[str]) -> None:
        roman = match['roman'] or match['bare']
        if roman in NUMBERS and '^' not in match.group():
            raise self._error(
                f'({roman}) may be an oxidation state or the element {roman} in brackets: leave the state or the '
                'brackets out'
            )
        self.remarks['oxidation states are not kept'] = None

    def _charge(self, match: re.Match[str]) -> Fraction:
        if match['sign'] and self.tokens[self.at - 2][0] == 'run':
            raise self._error(f'the number before {match.group()!r} may be an amount or a charge: leave charges out')
        text = match['inner'] or match['short'] or match['sign']
        digits, signs = ''.join(filter(str.isdigit, text)), ''.join(filter('+-'.__contains__, text))
        if len(set(signs)) > 1 or (digits and len(signs) > 1) or len(digits) > 2:
            raise self._error(f'{text!r} is not a charge such as 2+')
        return Fraction(int(digits or len(signs)) * (1 if signs[0] == '+' else -1))

    def _number(self, text: str) -> Fraction:
        if text[:1] == '0' and text[1:2].isdigit():
            raise self._error(f'the amount {text!r} begins with a zero')
        if len(text) > _MOST_DIGITS or not _AMOUNT.fullmatch(text):
            raise self._error(f'{text[:_MOST_DIGITS]!r} is not an amount')
        number = Fraction(text)
        if not 0 < number <= _LARGEST:
            raise self._error(f'the amount {text} is not above 0 and at most {_LARGEST}')
        return number

    def _full_stops(self) -> dict[int, str]:
        """What the full stops of each number are, by its index: ``decimal`` or ``adduct``."""
        found: dict[int, str] = {}
        kinds = [kind for kind, _ in self.tokens]
        for index, (kind, match) in enumerate(self.tokens):
            if kind == 'run' and '.' in match.group() and index and kinds[index - 1] not in ('dot', 'open'):
                follows = kinds[index + 1 : index + 2] in (['symbol'], ['open'], ['isotope'])
                found[index] = meaning(match.group(), self.plain[match.end() :], follows)
        others = set(found.values()) - {''}
        # who writes dots for adducts writes full stops for decimals; who begins with a coefficient writes adducts
        others |= {'decimal'} if 'dot' in kinds else set()
        others |= {'adduct'} if kinds[:1] == ['run'] and self.tokens[0][1].group().isdigit() else set()
        for index, known in found.items():
            match = self.tokens[index][1]
            if not known and (len(others) != 1 or match.group().count('.') > 1):
                raise both_readings(self.written, self.plain[: match.start()], match.group(), self.plain[match.end() :])
            found[index] = known or next(iter(others))
        return found
