"""LaTeX as a paper needs it: escaped text, units, chemical formulas, booktabs tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Characters with a meaning in LaTeX, and those that 8-bit fonts lack.
_ESCAPES = {
    '\\': r'\textbackslash{}',
    '&': r'\&',
    '%': r'\%',
    '$': r'\$',
    '#': r'\#',
    '_': r'\_',
    '{': r'\{',
    '}': r'\}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '"': r'\textquotedbl{}',
    '–': '--',
    '—': '---',
    '×': r'$\times$',
    '±': r'$\pm$',
    '≥': r'$\geq$',
    '≤': r'$\leq$',
    '·': r'$\cdot$',
    'μ': r'$\mu$',
    'µ': r'$\mu$',
    'Å': r'\AA{}',
    'σ': r'$\sigma$',
    '→': r'$\rightarrow$',
}

#: Units by their name in the campaign file.
_UNITS = {
    'Å^3/atom': r'\AA$^3$/atom',
    'g/cm^3': r'g/cm$^3$',
    'μB/atom': r'$\mu_\mathrm{B}$/atom',
}


def escape(text: object) -> str:
    """Any text as LaTeX that prints it."""
    return ''.join(_ESCAPES.get(letter, letter) for letter in str(text))


def unit(name: str) -> str:
    """A unit in LaTeX; powers become superscripts."""
    if name in _UNITS:
        return _UNITS[name]
    parts = re.split(r'\^(-?\d+)', name)
    return ''.join(f'$^{{{part}}}$' if index % 2 else escape(part) for index, part in enumerate(parts))


def formula(text: str) -> str:
    """A chemical formula with subscripts."""
    return re.sub(r'(?<=[A-Za-z)])(\d+(?:\.\d+)?)', r'$_{\1}$', escape(text))


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; a dash where there is none."""
    if value is None or value != value:
        return '--'
    if isinstance(value, int):
        return f'{value:d}' if value >= 0 else f'$-${-value:d}'
    text = f'{value:.{digits}g}'
    mantissa, _, exponent = text.partition('e')
    mantissa = mantissa.replace('-', '$-$')
    return mantissa if not exponent else f'{mantissa}$\\times 10^{{{int(exponent)}}}$'


def measured(value: float | None, error: float | None, digits: int = 4) -> str:
    """A number in so many significant digits, with its standard error where one was measured."""
    text = number(value, digits)
    return text if value is None or error is None else rf'{text} $\pm$ {number(error, 2)}'


def table(
    caption: str, label: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], notes: str = ''
) -> str:
    """A table with booktabs' rules; long ones break over pages (``longtable``).

    :param caption: LaTeX. :param label: without ``tab:``.
    :param columns: alignment (``l``, ``r`` or ``c``) and LaTeX heading of each.
    :param rows: cells in LaTeX.
    :param notes: LaTeX below the table.
    """
    alignment = ''.join(letter for letter, _ in columns)
    heading = ' & '.join(title for _, title in columns) + r' \\'
    body = [' & '.join(row) + r' \\' for row in rows]
    if len(rows) > LONGEST:
        lines = [
            rf'\begin{{longtable}}{{{alignment}}}',
            rf'\caption{{{caption}}}\label{{tab:{label}}} \\',
            r'\toprule',
            heading,
            r'\midrule',
            r'\endfirsthead',
            r'\toprule',
            heading,
            r'\midrule',
            r'\endhead',
            r'\bottomrule',
            r'\endfoot',
            *body,
            r'\end{longtable}',
        ]
        return '\n'.join([*lines, *([rf'\noindent {notes}'] if notes else [])]) + '\n'
    lines = [
        r'\begin{table}',
        r'\centering',
        rf'\caption{{{caption}}}\label{{tab:{label}}}',
        rf'\begin{{tabular}}{{{alignment}}}',
        r'\toprule',
        heading,
        r'\midrule',
        *body,
        r'\bottomrule',
        r'\end{tabular}',
    ]
    if notes:
        lines += ['', rf'\smallskip {notes}']
    return '\n'.join([*lines, r'\end{table}']) + '\n'


#: Rows that fit on one page.
LONGEST = 40
