"""Colours and the common layout of the page's plots.

The colours are Okabe and Ito's, distinguishable with every kind of colour vision; each has a twin for the dark page,
by which the page's script replaces it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

BLUE, ORANGE, GREEN, VERMILLION = '#0072b2', '#e69f00', '#009e73', '#d55e00'
PURPLE, SKY, YELLOW, GREY = '#cc79a7', '#56b4e9', '#b8a900', '#8a8f98'
TEXT, MUTED, GRID, AXIS = '#1d2329', '#5b6570', '#e4e7eb', '#9aa3ad'
#: Text on a filled bar.
ON_BAR = '#fffffe'
#: Fills of bands and bars behind lines.
BLUE_BAND, GREY_BAND, GREEN_BAND = 'rgba(0,114,178,0.16)', 'rgba(110,118,128,0.18)', 'rgba(0,158,115,0.14)'

#: Behind text that lies on lines.
BEHIND = 'rgba(255,255,255,0.8)'
#: From least to best; the best stands out on either page.
SCALE = ('#a9c4d9', '#84b0d3', '#5492c4', '#2470ab', '#0b4a80')

#: Each colour of the light page and its twin on the dark one.
DARK = {
    BLUE: '#5aaee6',
    ORANGE: '#f0b429',
    GREEN: '#2fc295',
    VERMILLION: '#f07c3a',
    PURPLE: '#dd96bd',
    SKY: '#86cbf2',
    YELLOW: '#e8dc5a',
    GREY: '#8f98a3',
    TEXT: '#e3e7eb',
    MUTED: '#a3adb8',
    GRID: '#2d343c',
    AXIS: '#5d6772',
    ON_BAR: '#10151a',
    BLUE_BAND: 'rgba(90,174,230,0.22)',
    GREY_BAND: 'rgba(150,158,168,0.22)',
    GREEN_BAND: 'rgba(47,194,149,0.18)',
    BEHIND: 'rgba(20,24,28,0.8)',
    **dict(zip(SCALE, ('#33536e', '#3b6a90', '#4f8dbd', '#7fb4dd', '#b8dcf6'), strict=True)),
}

#: Colours in the order in which categories take them, and a symbol for each, so that colour is never alone.
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, GREY)
SYMBOLS = ('circle', 'diamond', 'square', 'triangle-up', 'cross', 'pentagon', 'hexagram', 'star')

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


def figure(x_title: str, y_title: str, height: int = 360, **layout: Any) -> Figure:
    """An empty figure in the page's style; titles may hold only text that was made safe for plotly."""
    import plotly.graph_objects as go

    axis = {
        'gridcolor': GRID,
        'linecolor': AXIS,
        'showline': True,
        'zeroline': False,
        'ticks': 'outside',
        'ticklen': 4,
        'tickcolor': AXIS,
        'automargin': True,
        'title': {'standoff': 10},
    }
    drawn = go.Figure()
    drawn.update_layout(
        template=go.layout.Template(),
        height=height,
        autosize=True,
        paper_bgcolor='rgba(0,0,0,0)',
        plot_bgcolor='rgba(0,0,0,0)',
        font={'family': FONT, 'size': 13, 'color': TEXT},
        margin={'l': 56, 'r': 12, 't': 30, 'b': 44},
        legend={
            'orientation': 'h',
            'y': 1.02,
            'yanchor': 'bottom',
            'x': 0,
            'xanchor': 'left',
            'font': {'size': 12},
            'traceorder': 'normal',
        },
        hoverlabel={'font': {'family': FONT, 'size': 12}},
        hovermode='closest',
        modebar={'bgcolor': 'rgba(0,0,0,0)', 'color': AXIS, 'activecolor': TEXT},
        xaxis={**axis, 'title': {'text': x_title, 'standoff': 10}},
        yaxis={**axis, 'title': {'text': y_title, 'standoff': 10}},
    )
    drawn.update_layout(**layout)
    return drawn


def line(
    x: Iterable[Any],
    y: Iterable[float | None],
    name: str,
    colour: str,
    hover: str | None = None,
    digits: int = 6,
    **style: Any,
) -> Scatter:
    """A line of width 2 unless ``style`` says otherwise.

    :param hover: plotly's template of what is shown at its points; empty: nothing, None: their coordinates.
    """
    import plotly.graph_objects as go

    shown = {} if hover is None else {'hovertemplate': hover} if hover else {'hoverinfo': 'skip'}
    own = {'color': colour, 'width': 2, **style}
    return go.Scatter(x=list(x), y=lean(y, digits), mode='lines', line=own, name=name, **shown)


def band(
    x: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None], name: str, colour: str, digits: int = 6
) -> Scatter:
    """The area between two lines."""
    import plotly.graph_objects as go

    return go.Scatter(
        x=[*x, *x[::-1]],
        y=lean([*high, *low[::-1]], digits),
        fill='toself',
        fillcolor=colour,
        line={'width': 0, 'color': {GREY_BAND: GREY}.get(colour, BLUE)},
        mode='lines',
        name=name,
        hoverinfo='skip',
    )


def points(
    x: Iterable[Any], y: Iterable[float | None], name: str, marker: dict[str, Any], data: Any, hover: str, **more: Any
) -> Scatter:
    """Points with a text each.

    :param data: of each point, for plotly's template ``hover``.
    """
    import plotly.graph_objects as go

    own = {'mode': 'markers', 'marker': marker, 'name': name, 'customdata': data, 'hovertemplate': hover}
    return go.Scatter(x=list(x), y=lean(y), **own, **more)


def error_bars(rates: Sequence[dict[str, Any]], colour: str) -> dict[str, Any]:
    """The intervals of some shares, for ``error_y``."""
    return {
        'type': 'data',
        'symmetric': False,
        'array': lean(rate['high'] - rate['value'] for rate in rates),
        'arrayminus': lean(rate['value'] - rate['low'] for rate in rates),
        'color': colour,
        'thickness': 1.2,
        'width': 4,
    }


def lean(values: Iterable[float | None], digits: int = 6) -> list[float | None]:
    """Numbers with so many significant digits, so that the page stays small; what is not finite is left out.

    Where they differ by little, as total energies do, so many digits of their range are kept.
    """
    found = [value if value is not None and math.isfinite(value) else None for value in values]
    known = [value for value in found if value is not None]
    width = max(known) - min(known) if known else 0.0
    return [None if value is None else float(f'{value:.{_digits(value, width, digits)}g}') for value in found]


def _digits(value: float, width: float, digits: int) -> int:
    further = math.log10(abs(value) / width) - 0.3 if value and width else 0.0
    return min(digits + max(math.ceil(further), 0), 17)


def whole_numbers(largest: float) -> dict[str, Any]:
    """Settings of an axis that counts: no ticks between whole numbers."""
    return {'dtick': 1, 'tick0': 0} if largest <= 12 else {'tickformat': ',d'}
