"""A periodic table of the evaluations: how often each element was tried, and how often with success."""

from __future__ import annotations

from collections import Counter
from typing import Any

from markupsafe import Markup, escape

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.chemistry.symbols import SYMBOLS
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.evaluation_account import ENDED
from aiida_inversedesign.report.section import Section
from aiida_inversedesign.report.words import count, number, percent

#: Rows of the table; a dot is an empty cell, a lanthanoid or actinoid row follows below.
_LAYOUT = """
H . . . . . . . . . . . . . . . . He
Li Be . . . . . . . . . . B C N O F Ne
Na Mg . . . . . . . . . . Al Si P S Cl Ar
K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe
Cs Ba . Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
Fr Ra . Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
. . La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu .
. . Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr .
"""
PLACES = {
    symbol: (row, column)
    for row, line in enumerate(_LAYOUT.split('\n')[1:-1])
    for column, symbol in enumerate(line.split())
    if symbol != '.'
}
#: Size of a cell and gap between cells, pixels; columns of the periodic table.
CELL, GAP, WIDTH = 40, 3, 18
#: Shades of the heat map.
SHADES = 6


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section | None:
    """The heat map: hit rate where hits are defined, else the number of evaluations; nothing without crystals."""
    if not record.space.of_crystals:
        return None
    title = 'Elements'
    tried: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for item in record.evaluations:
        if item.status not in ENDED:
            continue
        elements = elements_of(item.key)
        tried.update(elements)
        if item.is_distinct_hit:
            hits.update(elements)
    if not tried:
        return Section('elements', title, reason='no evaluation has ended')
    rated = record.goal.defines_hits and bool(hits)
    if rated:
        lead = 'Colour: distinct hits / ended evaluations that contain the element; below: both numbers.'
    elif record.goal.defines_hits:
        lead = 'Colour and number: ended evaluations that contain the element. None of them was a hit.'
    else:
        lead = 'Colour and number: ended evaluations that contain the element.'
    values = {symbol: hits[symbol] / n if rated else float(n) for symbol, n in tried.items()}
    return Section('elements', title, lead, body=_table(values, tried, hits, rated))


def elements_of(formula: str) -> set[str]:
    """The elements of a formula; none if it is not a formula."""
    try:
        return set(parse_formula(formula)) & set(SYMBOLS)
    except InverseDesignError:
        return set()


def _table(values: dict[str, float], tried: Counter[str], hits: Counter[str], rated: bool) -> Markup:
    largest = max(values.values()) or 1.0
    cells = []
    for symbol, (row, column) in PLACES.items():
        x, y = column * (CELL + GAP), row * (CELL + GAP) + (10 if row > 6 else 0)
        if symbol not in tried:
            cells.append(
                f'<g class="none"><rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" rx="3"/>'
                f'<text x="{x + CELL / 2:g}" y="{y + 25}">{symbol}</text></g>'
            )
            continue
        # nothing found is not a shade of something
        shade = 0 if values[symbol] == 0 else 1 + min(int(values[symbol] / largest * (SHADES - 1)), SHADES - 2)
        below = f'{hits[symbol]}/{tried[symbol]}' if rated else f'{tried[symbol]}'
        words = f'{symbol}: {number(tried[symbol])} evaluations'
        if rated:
            words += f', {number(hits[symbol])} hits ({percent(values[symbol])})'
        cells.append(
            f'<g class="q{shade}"><title>{words}</title><rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" rx="3"/>'
            f'<text x="{x + CELL / 2:g}" y="{y + 18}">{symbol}</text>'
            f'<text class="small" x="{x + CELL / 2:g}" y="{y + 33}">{below}</text></g>'
        )
    width, height = WIDTH * (CELL + GAP) - GAP, 9 * (CELL + GAP) + 10
    edges = [
        percent(share * largest / (SHADES - 1)) if rated else number(share * largest / (SHADES - 1), 3)
        for share in range(SHADES)
    ]
    keys = ['<span class="key"><i class="q0"></i>no hit</span>'] if rated else []
    keys += [
        f'<span class="key"><i class="q{shade}"></i>{edges[shade - 1]}–{edges[shade]}</span>'
        for shade in range(1, SHADES)
    ]
    # on a phone most of the table lies outside of the screen
    order = sorted(tried, key=lambda symbol: (-values[symbol], -tried[symbol], symbol))
    tried_first = ', '.join(f'{symbol} {f"{hits[symbol]}/" if rated else ""}{tried[symbol]}' for symbol in order)
    label = escape(f'Periodic table, {count(len(tried), "evaluated element")}')
    return Markup(  # noqa: S704 (symbols of the periodic table and numbers only)
        f'<p class="tried">{tried_first}</p><div class="scroll">'
        f'<svg class="elements" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f'{"".join(cells)}</svg></div><p class="keys">{"".join(keys)}</p>'
    )
