"""The pictures of an explanation: importances with dependences, and one of each rule."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.audit.plot import new_figure
from aiida_inversedesign.campaign.properties import unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, distinguishable with every kind of colour vision.
_BLUE, _GREEN, _GREY = '#0072B2', '#009E73', '#999999'
#: Groups of descriptors whose importance is drawn.
_BARS = 12


def draw_learned(model: dict[str, Any], label: str) -> Figure:
    """Importances of groups of descriptors, and the prediction along the leading ones, of one property.

    :param model: of ``models`` of :func:`aiida_inversedesign.explain.campaign.explain`.
    :param label: the property with its unit.
    """
    curves = model['dependences']
    figure = new_figure(10.0, 5.0, dpi=150)
    grid = figure.add_gridspec(2, 4)
    _bars(figure.add_subplot(grid[:, :2]), model['importances'][:_BARS])
    for index, curve in enumerate(curves[:4]):
        axes = figure.add_subplot(grid[index // 2, 2 + index % 2])
        for single in curve['curves']:
            axes.plot(curve['grid'], single, color=_GREY, linewidth=0.5, alpha=0.6)
        axes.plot(curve['grid'], curve['mean'], color=_BLUE, linewidth=2)
        axes.fill_between(curve['grid'], curve['low'], curve['high'], color=_BLUE, alpha=0.25, linewidth=0)
        axes.set_xlabel(_titled(curve['group'], curve['unit']))
        if index % 2 == 0:
            axes.set_ylabel(label)
    return figure


def _bars(axes: Axes, items: Sequence[dict[str, Any]]) -> None:
    indices = range(len(items))[::-1]
    values = [item['value'] for item in items]
    errors = [[item['value'] - item['low'] for item in items], [item['high'] - item['value'] for item in items]]
    axes.barh(indices, values, xerr=errors, color=_BLUE, height=0.7, error_kw={'elinewidth': 1, 'capsize': 2})
    names = [
        item['group'] + (f' +{len(item["descriptors"]) - 1}' if len(item['descriptors']) > 1 else '') for item in items
    ]
    axes.set_yticks(list(indices), names)
    axes.axvline(0, color='black', linewidth=0.8)
    axes.set_xlabel('loss of R² on left-out rows with the group shuffled')


def draw_rule(rule: dict[str, Any]) -> Figure:
    """One rule: its box, what was evaluated, and candidates that were not."""
    from matplotlib.patches import Rectangle

    picture = rule['picture']
    figure = new_figure(5.4, 4.0, dpi=150)
    axes = figure.subplots()
    points = list(zip(picture['x'], picture['y'], picture['kind'], picture['obeyed'], strict=True))
    styles = {
        'pool': ('.', _GREY, 3, 'not evaluated'),
        'other': ('o', _BLUE, 4, 'evaluated, no hit'),
        'hit': ('*', _GREEN, 9, 'hit'),
    }
    for kind, (marker, colour, size, title) in styles.items():
        for obeyed in (False, True):
            own = [(x, y) for x, y, of, inside in points if of == kind and inside is obeyed]
            if own:
                x, y = zip(*own, strict=True)
                alpha, name = (1.0, title) if obeyed else (0.35, None)
                axes.plot(x, y, marker, color=colour, markersize=size, alpha=alpha, label=name, markeredgewidth=0)
    low, high = _corner(axes.get_xlim(), axes.get_ylim(), rule)
    across, up = high[0] - low[0], high[1] - low[1]
    axes.set_autoscale_on(False)
    axes.add_patch(Rectangle((low[0], low[1]), across, up, facecolor=_GREEN, alpha=0.12, edgecolor=_GREEN, zorder=0))
    axes.set_xlabel(_titled(picture['names'][0], picture['units'][0]))
    axes.set_ylabel(_titled(picture['names'][1], picture['units'][1]))
    axes.set_title(' and\n'.join(rule['words']), fontsize=8, loc='left')
    axes.legend(fontsize=7, frameon=False)
    return figure


def _corner(x: Any, y: Any, rule: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Lower and upper corner of a rule's box within the limits of the axes."""
    low, high = [x[0], y[0]], [x[1], y[1]]
    for condition in rule['conditions']:
        for side, name in enumerate(rule['picture']['names']):
            if condition['descriptor'] == name and condition['side'] == '≥':
                low[side] = max(low[side], condition['threshold'])
            elif condition['descriptor'] == name:
                high[side] = min(high[side], condition['threshold'])
    return low, high


def _titled(name: str, unit: str) -> str:
    return f'{name} ({unit_text(unit)})' if unit else name


def figures(explained: dict[str, Any]) -> dict[str, Figure]:
    """Every picture of an explanation by its name: ``learned_<property>``, ``rule_1`` …"""
    found = {}
    for name, model in explained['models'].items():
        label = _titled(name, explained['campaign']['units'].get(name, ''))
        found[f'learned_{name.replace("/", "_")}'] = draw_learned(model, label)
    for number, rule in enumerate(explained['rules']['rules'], 1):
        found[f'rule_{number}'] = draw_rule(rule)
    return found


def captions(explained: dict[str, Any]) -> dict[str, str]:
    """What each picture of :func:`figures` shows."""
    found = {
        f'learned_{name.replace("/", "_")}': f'What predicts {name}: loss of R² on left-out rows when a group of '
        'descriptors that go together is shuffled among them, with 95 % intervals over refits, and the prediction '
        'along the leading groups (thin lines: single candidates).'
        for name in explained['models']
    }
    for number, rule in enumerate(explained['rules']['rules'], 1):
        found[f'rule_{number}'] = (
            f'{rule["sentence"]} p = {rule["p_value"]:.3g} against chance, corrected for the search.'
        )
    return found


def write_figures(explained: dict[str, Any], folder: Path) -> list[Path]:
    """Write every picture of an explanation as PNG into a folder; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures(explained).items():
        written.append(folder / f'{name}.png')
        figure.savefig(written[-1], metadata={'Software': None})
    return written


def png(figure: Figure) -> bytes:
    """A picture as the content of a PNG file."""
    stream = BytesIO()
    figure.savefig(stream, format='png', metadata={'Software': None})
    return stream.getvalue()
