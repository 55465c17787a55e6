"""The figures of a paper: PDF and PNG in the widths of a journal's columns, colour-blind safe, fonts embedded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.audit import explanation_plot
from aiida_inversedesign.audit.plot import new_figure
from aiida_inversedesign.paper import curve_panels, panels
from aiida_inversedesign.paper.facts import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Widths of a column and of a page (mm).
SINGLE, DOUBLE = 86, 178
_MM = 1 / 25.4

_STYLE: Any = {
    'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans'],
    'font.size': 7.5,
    'axes.labelsize': 7.5,
    'axes.titlesize': 8,
    'xtick.labelsize': 7,
    'ytick.labelsize': 7,
    'legend.fontsize': 7,
    'axes.linewidth': 0.6,
    'xtick.major.width': 0.6,
    'ytick.major.width': 0.6,
    'lines.linewidth': 1.2,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
    # TrueType, so that journals' checks accept the fonts; type 3 ones they refuse
    'pdf.fonttype': 42,
    'svg.fonttype': 'none',
    'savefig.dpi': 300,
    # a number has to come out the same on every machine
    'axes.formatter.use_locale': False,
}


def write_figures(facts: Facts, folder: Path) -> dict[str, str]:
    """Draw every figure that the campaign has data for, and one page of all of them.

    :return: caption of each figure by its name; the files are ``<name>.pdf`` and ``<name>.png``.
    """
    import matplotlib as mpl

    able = {name: (draw, caption) for name, (draw, has_data, caption) in _FIGURES.items() if has_data(facts)}
    with mpl.rc_context(_STYLE):
        for name, (draw, _) in able.items():
            figure = new_figure(SINGLE * _MM, 62 * _MM)
            draw(facts, figure.subplots())
            _save(figure, folder / name)
        if len(able) > 1:
            _overview(facts, [draw for draw, _ in able.values()], folder / 'overview')
    captions = {name: caption for name, (_, caption) in able.items()}
    if len(able) > 1:
        parts = [f'({letter}) {caption}' for letter, caption in zip('abcdefghi', captions.values(), strict=False)]
        captions['overview'] = ' '.join(parts)
    if 'models' in facts.explained:
        for name, figure in explanation_plot.figures(facts.explained).items():
            _save(figure, folder / name)
        captions |= explanation_plot.captions(facts.explained)
    return captions


def _save(figure: Figure, path: Path) -> None:
    # without dates and versions the same campaign gives the same files
    figure.savefig(path.with_suffix('.pdf'), metadata={'CreationDate': None, 'Producer': None, 'Creator': None})
    figure.savefig(path.with_suffix('.png'), metadata={'Software': None})


def _overview(facts: Facts, draws: list[Callable[[Facts, Axes], None]], path: Path) -> None:
    rows = (len(draws) + 1) // 2
    figure = new_figure(DOUBLE * _MM, 58 * rows * _MM)
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for letter, draw, one in zip('abcdefghi', draws, axes, strict=False):
        draw(facts, one)
        # left of the axes: the legend above them may be as wide as they are
        one.text(-0.03, 1.03, f'({letter})', transform=one.transAxes, ha='right', va='bottom', fontweight='bold')
    for one in axes[len(draws) :]:
        one.remove()
    _save(figure, path)


#: Drawing, whether there is something to draw, and the caption of each figure, in the order of a paper.
_FIGURES: dict[str, tuple[Callable[[Facts, Axes], None], Callable[[Facts], bool], str]] = {
    'best_so_far': (
        panels.draw_best_so_far,
        panels.has_value,
        'Value of each evaluation and best so far that keeps the constraints; dashed: bounds of a hit; crosses: failed '
        'evaluations.',
    ),
    'hits': (
        panels.draw_hits,
        panels.defines_hits,
        'Hits found; dashed: expectation of a random choice with its 95 % interval, where the base rate is known.',
    ),
    'hit_rate': (
        panels.draw_hit_rate,
        panels.defines_hits,
        'Hit rate of each generation with its 95 % Wilson interval.',
    ),
    'parity': (
        panels.draw_parity,
        lambda facts: bool(panels.predicted_property(facts)),
        'What the surrogate predicted when each candidate was chosen (bars: 95 % of its normal distribution) against '
        'what was found.',
    ),
    'curve': (
        curve_panels.draw_curve,
        curve_panels.has_curves,
        'Curve of the best candidate: predicted when it was chosen, with its 80 % band, and computed; dashed: target.',
    ),
    'curve_coverage': (
        curve_panels.draw_curve_coverage,
        curve_panels.has_tested_curves,
        'Share of the computed curves inside their 80 % bands at each point of the axis, with 95 % Wilson intervals.',
    ),
    'funnel': (
        panels.draw_funnel,
        lambda facts: bool(facts.record.candidates),
        'From the candidates considered to the hits.',
    ),
    'spending': (
        panels.draw_spending,
        lambda facts: any(not job.cached for job in facts.record.jobs),
        'What the calculation jobs were spent on; cache copies are left out.',
    ),
    'pareto': (
        panels.draw_pareto,
        lambda facts: len(facts.record.goal.objectives) > 1 and panels.has_value(facts),
        'First two objectives of every completed evaluation, and the Pareto front.',
    ),
}
