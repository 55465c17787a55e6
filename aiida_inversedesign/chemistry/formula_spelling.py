"""The many spellings of a formula in one: ASCII, ``·`` for adducts, ``_(…)`` and ``^(…)`` for sub- and superscripts.

A full stop between digits is either a decimal point or the dot of an adduct. The rule for ``X a.b Y``:

* a decimal point where ``a`` is 0 or 1 or ``b`` begins with 0 (``Li0.5CoO2``), where nothing follows
  (``YBa2Cu3O6.93``), and in a subscript (``_{2.1}``);
* the dot of an adduct where water or another solvent follows (``CuSO4.5H2O``), before a fraction (``CaSO4.1/2H2O``),
  in ``a.0.b`` (``CaSO4.0.5H2O``), after a subscript (``SO₄.5H₂O``), and before a symbol (``3CaO.Al2O3``);
* otherwise what the other full stops of the formula are (``Bi2.1Sr1.9O``: decimal; ``CaO.Al2O3.2SiO2``: adduct);
* where these do not tell, the formula is refused with both readings.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from aiida_inversedesign.errors import InverseDesignError


class FormulaError(InverseDesignError):
    """A formula or ratio label that cannot be read."""


_SUBSCRIPTS = dict(zip('₀₁₂₃₄₅₆₇₈₉', '0123456789', strict=True))
_SUPERSCRIPTS = dict(zip('⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻', '0123456789+-', strict=True))
_PLAIN = str.maketrans(
    {
        **dict.fromkeys('·∙•⋅‧・∗*×⋆●˙ᐧ', '·'),
        **dict.fromkeys('−–—‐‑‒﹣', '-'),
        **dict(zip('[{]}', '(())', strict=True)),
        '⁄': '/',
        '$': '',
    }
)
_INVISIBLE = str.maketrans('', '', '\u200b\u200c\u200d\u2060\ufeff\u00ad')
_LATEX = re.compile(r'\\(?:mathrm|mathsf|mathbf|text|textrm|rm|ce)\s*\{((?:[^{}]|\{[^{}]*\})*)\}')
_LATEX_DOTS = re.compile(r'\\(?:cdot|times|bullet|ast|,|;| )\s*')
#: what a crystal takes up as a whole, and what may follow its formula
_SOLVENT = re.compile(r'\(?(?:H2O2?|D2O|OH2|NH3|N2H4|CH3OH|C2H5OH)\)?(?=$|[·.)+-])')


def canonical(text: str) -> str:
    """A formula in one spelling.

    :raises FormulaError: if a number stands between a blank and a symbol: an amount or a coefficient.
    """
    written = text
    text = text.translate(_INVISIBLE)
    text = _marked(_marked(text, _SUBSCRIPTS, '_'), _SUPERSCRIPTS, '^')
    text = re.sub(r'<(su[bp])>(.*?)</\1>', lambda match: '_^'[match[1] == 'sup'] + f'{{{match[2]}}}', text)
    text = unicodedata.normalize('NFKC', text)
    text = _LATEX_DOTS.sub(lambda match: '·' if match[0][1:2].isalpha() else ' ', text)
    while (unwrapped := _LATEX.sub(r'\1', text)) != text:
        text = unwrapped
    text = text.translate(_PLAIN).strip()
    # catalogues of chemicals write an x between blanks for the dot
    text = re.sub(r'\s+x\s+(?=\d)', '·', text)
    # the charge of a whole after a blank: SO4 2-
    text = re.sub(r'(?<=[\w)])\s+(\d*[+-])$', r'^(\1)', text)
    text = re.sub(r'\s*([·.])\s*', r'\1', text)
    text = re.sub(r'(?<=[·.])([\d./]+)\s+', r'\1', text)
    if re.search(r'[\w)]\s+[\d./]+[A-Z(]', text):
        raise FormulaError(f'{written!r} has a number after a blank: write a dot · before the coefficient of an adduct')
    # a full stop after a subscript separates; one within is a decimal point
    text = re.sub(r'(?<=_\()([\d.]+)\)\.(?=[\dA-Z(])', r'\1)·', text)
    text = re.sub(r'_\(([A-Z][^()]*)\)', r'\1', text)
    return ''.join(re.sub(r'_(?=[\d.])', '', text).split())


def _marked(text: str, digits: Mapping[str, str], mark: str) -> str:
    """Runs of raised or lowered characters as ``^{…}`` or ``_{…}``; a full stop between two of them belongs to them."""
    one = f'[{"".join(digits)}]'
    return re.sub(
        f'{one}+(?:[.,·]{one}+)*',
        lambda match: f'{mark}{{' + ''.join(digits.get(character, '.') for character in match[0]) + '}',
        text,
    )


def meaning(run: str, tail: str, follows: bool) -> str:
    """Whether the full stops in a number are ``decimal`` or ``adduct``; empty where it alone does not tell.

    :param tail: the formula after the number.
    :param follows: whether that is an element or a bracket.
    """
    pieces = run.split('.')
    if run.endswith('.') or (len(pieces) == 2 and '/' in pieces[1]):
        return 'adduct'
    if not follows or len(pieces) > 3:
        return 'decimal'
    if len(pieces) == 3:
        return 'adduct' if '0' in pieces[:2] else ''
    whole = pieces[0] in ('0', '1') or pieces[1].startswith('0')
    if _SOLVENT.match(tail):
        return 'decimal' if pieces[0] == '0' else '' if whole else 'adduct'
    return 'decimal' if whole else ''


def as_adduct(run: str) -> tuple[str, str]:
    """Amount and coefficient in digits and full stops that are read as an adduct: ``4.0.5`` is 4 and 0.5."""
    pieces = run.split('.')
    own = 2 if len(pieces) == 3 and (pieces[0] == '0' or not pieces[2]) else 1
    return '.'.join(pieces[:own]), '.'.join(pieces[own:])


def both_readings(written: str, head: str, run: str, tail: str) -> FormulaError:
    """The error for a number that can be a decimal or an adduct."""
    before, after = as_adduct(run)
    whole, _, last = run.rpartition('.')
    decimal = f'{head}_{{{run}}}{tail}' if run.count('.') == 1 else f'{head}_{{{whole}}}·{last}{tail}'
    return FormulaError(
        f'{written!r} can be read in two ways: write {decimal} for a decimal amount, {head}{before}·{after}{tail} for '
        'an adduct'
    )


def named(character: str) -> str:
    """A character, with its name where it may look like another one."""
    return repr(character) + ('' if character.isascii() else f' ({unicodedata.name(character, "unknown")})')
