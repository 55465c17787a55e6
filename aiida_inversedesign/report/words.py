"""Numbers, units, formulas and reasons as a reader expects them, safe to put into a page."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from markupsafe import Markup, escape

from aiida_inversedesign.campaign.properties import unit_text

_SUPERSCRIPTS = str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹')
_SUBSCRIPTS = str.maketrans('0123456789', '₀₁₂₃₄₅₆₇₈₉')

#: What an arm is called on the page.
ARMS = {
    'initial': 'initial design',
    'acquisition': 'chosen by the acquisition',
    'replicate': 'repeated',
    'control': 'random control',
    'known': 'starting data',
    '': 'not recorded',
}

#: Plotly's template of a candidate as :func:`hover_names` gives it.
NAMED = '%{customdata[0]} (%{customdata[1]})'


def formula_html(formula: str) -> Markup:
    """A formula with its counts as subscripts; everything else is escaped."""
    return Markup(re.sub(r'(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)', r'<sub>\1</sub>', str(escape(formula))))  # noqa: S704


def formula_plain(formula: str) -> str:
    """A formula with its counts as Unicode subscripts, for plots."""
    return re.sub(r'(?<=[A-Za-z)\]])\d+', lambda found: found[0].translate(_SUBSCRIPTS), formula)


def key_html(record: Any, key: str) -> Markup:
    """What a candidate is called, on the page: counts are lowered only in formulas."""
    return formula_html(key) if record.space.of_crystals else escape(key)


def key_plain(record: Any, key: str) -> str:
    """What a candidate is called, in plots."""
    return formula_plain(key) if record.space.of_crystals else key


def hover_names(record: Any, pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """What plots show of candidates, given their keys and ids: for the template :data:`NAMED`."""
    return [[plot_text(key_plain(record, key)), plot_text(candidate)] for key, candidate in pairs]


def plot_text(text: str) -> str:
    """Text for plotly, which reads a few HTML tags: escaped, so that it shows as it is."""
    return html.escape(text, quote=False)


def number(value: Any, digits: int = 4) -> str:
    """A number with so many significant digits, a true minus sign, and – where there is none."""
    if value is None or isinstance(value, str | dict):
        return '–'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, int):
        return f'{value:,}'.replace(',', '\u2009').replace('-', '−')
    if not math.isfinite(value):
        return '–'
    text = f'{value:.{digits}g}'
    mantissa, _, exponent = text.partition('e')
    if exponent:
        power = str(int(exponent)).translate(_SUPERSCRIPTS)
        return f'{mantissa} × 10{power}'.replace('-', '−')
    return text.replace('-', '−')


#: Below this a value is rounding of what is zero, as a force that symmetry forbids.
_ZERO = 1e-12


#: Units whose values are never that small but by rounding.
_USUAL = ('eV', 'GPa', 'Å', 'μB', 'µB')


def quantity(value: float, unit: str | None = None, digits: int = 4) -> str:
    """A value with its unit: energies to at least 1 meV, and 0 for mere rounding.

    :param digits: significant ones; those that tell it from the values beside it.
    """
    if unit and unit.startswith('eV') and 10 <= abs(value) < math.inf:
        decimals = max(3, digits - 1 - math.floor(math.log10(abs(value))))
        text = f'{value:.{decimals}f}'.replace('-', '−')
    else:
        rounding = abs(value) < _ZERO and (not unit or unit.startswith(_USUAL))
        text = number(0 if rounding else value, digits)
    return f'{text} {unit_text(unit)}'.rstrip()


def shown_value(value: float, error: float | None, unit: str | None = None, digits: int = 4) -> str:
    """A value with its standard error, where one was measured, and its unit."""
    if error is None:
        return quantity(value, unit, digits)
    return f'{quantity(value, digits=digits)} ± {number(error, 2)} {unit_text(unit)}'.rstrip()


def percent(share: float | None) -> str:
    """A share in per cent, two significant digits where it is small."""
    if share is None or not math.isfinite(share):
        return '–'
    return f'{100 * share:.0f} %' if share >= 0.1 or share == 0 else f'{100 * share:.2g} %'


def interval_text(figure: dict[str, Any]) -> str:
    """A share with its 95 % interval and n, or why it is not known."""
    if figure.get('value') is None:
        return f'not known: {figure.get("reason", "no reason is given")}'
    text = percent(figure['value'])
    if figure.get('low') is not None:
        text += f' (95 % interval {percent(figure["low"])} to {percent(figure["high"])}, n = {figure["n"]})'
    return text


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 hit``, ``3 hits``, ``no hits``."""
    return f'{number(n) if n else "no"} {one if n == 1 else many or one + "s"}'


def sentence(text: str) -> str:
    """The text with a capital at its beginning; the rest stays, as symbols must."""
    return text[:1].upper() + text[1:]


def moment(time: datetime | str | None) -> str:
    """A time in the page's form: ``2026-03-01 14:05 UTC``."""
    if time is None:
        return '–'
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return time.strftime('%Y-%m-%d %H:%M') + (' UTC' if time.utcoffset() is not None else '')


def duration(seconds: float | None) -> str:
    """A span of time in the unit that suits it."""
    if seconds is None:
        return '–'
    if seconds < 90:
        return f'{seconds:.0f} s'
    if seconds < 90 * 60:
        return f'{seconds / 60:.0f} min'
    if seconds < 48 * 3600:
        return f'{seconds / 3600:.1f} h'
    return f'{seconds / 86400:.1f} days'
