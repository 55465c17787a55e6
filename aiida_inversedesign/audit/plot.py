"""The picture of a campaign: best value so far against the number of DFT calculations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.campaign.properties import property_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, distinguishable with every kind of colour vision.
_BLUE, _ORANGE, _GREEN, _GREY = '#0072B2', '#D55E00', '#009E73', '#999999'


def new_figure(width: float, height: float, **style: Any) -> Figure:
    """An empty figure of this size in inches, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout='constrained', **style)
    FigureCanvasAgg(figure)
    return figure


def plot_best_so_far(report: dict[str, Any], path: Path | str) -> Path:
    """Draw the best value so far, each evaluation, the hits and the failures, and write the picture.

    Without DFT calculations (engines ``table`` and ``ase``) the number of evaluations is drawn instead.

    :param report: what :func:`aiida_inversedesign.audit.audit.audit` returns.
    :param path: file to write; its suffix says which format (``.png``, ``.pdf``, ``.svg``).
    """
    steps = report['progress']
    axis = 'dft_calculations' if report['dft_calculations']['total'] else 'evaluation'
    objective = report['goal']['objectives'][0]
    name = objective['property']
    unit = report['campaign']['units'][name]
    figure = new_figure(6.4, 4.0, dpi=150)
    axes = figure.subplots()
    best = [step for step in steps if step['best'] is not None]
    axes.step(
        [step[axis] for step in best],
        [step['best'] for step in best],
        where='post',
        color=_BLUE,
        linewidth=2,
        label='best so far',
    )
    if report.get('known'):
        values = report['known']['values']
        axes.plot([0.0] * len(values), values, 'd', color=_GREY, fillstyle='none', markersize=5, label='starting data')
    known = [step for step in steps if step['value'] is not None]
    others = [step for step in known if not step['hit']]
    axes.plot(*_points(others, axis), 'o', color=_GREY, markersize=5, label='evaluation')
    hits = [step for step in known if step['hit']]
    if hits:
        axes.plot(*_points(hits, axis), '*', color=_GREEN, markersize=13, markeredgecolor='black', label='hit')
        for step in hits[:8]:
            axes.annotate(
                step['key'], (step[axis], step['value']), textcoords='offset points', xytext=(7, 3), fontsize=8
            )
    failed = [step[axis] for step in steps if step['status'] == 'failed']
    if failed:
        # on the lower edge, whatever the values are: a failed evaluation has none
        axes.plot(
            failed,
            [0.02] * len(failed),
            'x',
            color=_ORANGE,
            transform=axes.get_xaxis_transform(),
            label='failed',
            clip_on=False,
        )
    for bound in _bounds(objective):
        axes.axhline(bound, color='black', linewidth=0.8, linestyle='--')
    axes.set_xlabel('DFT calculations' if axis == 'dft_calculations' else 'evaluations')
    axes.set_ylabel(property_text(name, unit))
    axes.set_title(report['campaign']['name'], fontsize=10)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path)
    return Path(path)


def plot_compared(reports: Sequence[dict[str, Any]], path: Path | str) -> Path:
    """Draw distinct hits and best values of campaigns against what they spent, and write the picture.

    Against DFT calculations if each made some, else against evaluations.

    :param reports: what :func:`aiida_inversedesign.audit.audit.audit` returns for each.
    :param path: file to write; its suffix says which format.
    """
    spent = all(report['dft_calculations']['total'] for report in reports)
    axis, title = ('dft_calculations', 'DFT calculations') if spent else ('evaluation', 'evaluations')
    figure = new_figure(9.6, 4.0, dpi=150)
    hits, best = figure.subplots(1, 2)
    styles = ('-', '--', ':', '-.')
    for index, report in enumerate(reports):
        steps, style = report['progress'], styles[index // 10 % len(styles)]
        label = f'{report["campaign"]["name"]} ({report["campaign"]["uuid"][:8]})'
        found = accumulate(int(step['hit'] is True and not step['copy_of']) for step in steps)
        hits.step([0, *(step[axis] for step in steps)], [0, *found], style, where='post', label=label)
        known = [step for step in steps if step['best'] is not None]
        best.step([step[axis] for step in known], [step['best'] for step in known], style, where='post')
    objectives = {report['goal']['objectives'][0]['property'] for report in reports}
    hits.set(xlabel=title, ylabel='distinct hits')
    best.set(xlabel=title, ylabel=f'best {" or ".join(sorted(objectives))}')
    if len(reports) <= 10:
        hits.legend(frameon=False, fontsize=7)
    for axes in (hits, best):
        axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path)
    return Path(path)


def _points(steps: list[dict[str, Any]], axis: str) -> tuple[list[float], list[float]]:
    return [step[axis] for step in steps], [step['value'] for step in steps]


def _bounds(objective: dict[str, Any]) -> list[float]:
    """The values between, above or below which a hit lies."""
    if 'window' in objective:
        return list(objective['window'])
    if 'target' in objective:
        return [objective['target'] - objective['tolerance'], objective['target'] + objective['tolerance']]
    return [objective['hit']] if 'hit' in objective else []
