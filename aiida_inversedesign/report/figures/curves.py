"""Curves of the best candidates, predicted and computed, and how honest the predictions of all curves were."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from aiida_inversedesign.audit.curves import CurveRecord, coverage, inside, residuals, table, tested
from aiida_inversedesign.audit.frames import best_evaluations
from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.curves.curve import LEVEL, Curve
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.libraries.known import without_curves
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import key_plain, number, percent, plot_text

#: Candidates whose curves are drawn one by one.
MOST_DRAWN = 4


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section | None:
    """Curves of the best, residuals and coverage along the axis; None where the goal asks for no functional."""
    if not record.goal.functionals:
        return None
    title = 'Curves'
    if not record.curves:
        completed = any(item.status == 'completed' for item in record.evaluations)
        reason = 'no curve was harvested yet: the curves of a batch are taken when all of it has ended'
        is_early = completed and not record.has_ended
        return Section('curves', title, reason=reason if is_early else 'no completed evaluation has left a curve')
    plots: list[Plot] = []
    curves = {
        item.candidate: {own.name for own in record.curves if own.candidate == item.candidate} for item in record.known
    }
    given = [(item.properties, curves[item.candidate]) for item in record.known]
    notes = list(without_curves(record.goal, given, record.settings.learn.surrogate))
    for position, name in enumerate(dict.fromkeys(item.name for item in record.curves)):
        shown = best_curves(record, name)
        target = target_of(record, name)
        plots += [_one(record, item, target, f'{position}-{index}') for index, item in enumerate(shown)]
        found = tested(record.curves, name)
        if len(found) < 2:
            notes.append(f'{name}: {len(found)} curve(s) were predicted before they were computed: too few to test.')
            continue
        plots += [_residual(found, position), _coverage(found, position)]
        notes.append(words(found))
    lead = (
        'Computed curves of the best candidates, and what was predicted for them when they were chosen, before their '
        'own results were known.'
    )
    return Section('curves', title, lead, tuple(plots), _download(record), notes=tuple(notes))


def best_curves(record: CampaignRecord, name: str) -> list[CurveRecord]:
    """The curves of the best candidates, those first that were predicted."""
    rank = {item.candidate: position for position, item in enumerate(best_evaluations(record))}
    known = [item for item in record.curves if item.name == name and item.candidate in rank]
    known.sort(key=lambda item: (item.predicted is None, rank[item.candidate]))
    return known[:MOST_DRAWN]


def target_of(record: CampaignRecord, name: str) -> Curve | None:
    """The curve that a property is compared with, if any."""
    for settings in record.goal.functionals.values():
        target = Functional.from_dict(settings).target
        if settings['property'] == name and target is not None:
            return target
    return None


def words(found: Sequence[CurveRecord]) -> str:
    """Error and coverage of predicted curves in a sentence."""
    _, rest = residuals(found)
    _, held = inside(found)
    mean, values = float(np.nanmean(held)), int(np.isfinite(held).sum())
    error = f'{number(float(np.nanmean(np.abs(rest))), 3)} {found[0].computed.unit}'.strip()
    return (
        f'{found[0].name}: {len(found)} curves were predicted before they were computed, with a mean absolute error of '
        f'{error}; {percent(mean)} of their {values} values lie inside the {percent(LEVEL)} bands. Values of one curve '
        'depend on each other, so that the number of curves counts, not that of values.'
    )


def _label(curve: Curve) -> tuple[str, str]:
    return plot_text(str(curve.axis)), plot_text(property_text(curve.name, curve.unit))


def _line(grid: Any, values: Any, name: str, colour: str, **line: Any) -> Any:
    return theme.line(theme.lean(grid), np.asarray(values, dtype=float), name, colour, digits=4, **line)


def _band(grid: Any, low: Any, high: Any, name: str) -> Any:
    return theme.band(theme.lean(grid), low, high, name, theme.BLUE_BAND, 4)


def _one(record: CampaignRecord, item: CurveRecord, target: Curve | None, position: str) -> Plot:
    x_title, y_title = _label(item.computed)
    drawn = theme.figure(x_title, y_title, height=300)
    said = item.predicted
    if said is not None:
        drawn.add_trace(_band(said.grid, said.low[0], said.high[0], f'{percent(LEVEL)} band'))
        drawn.add_trace(_line(said.grid, said.median[0], 'predicted', theme.BLUE))
    drawn.add_trace(_line(item.computed.grid, item.computed.values, 'computed', theme.VERMILLION))
    if target is not None:
        drawn.add_trace(_line(target.grid, target.values, 'target', theme.MUTED, dash='dash'))
    own = next(one for one in record.evaluations if one.candidate == item.candidate)
    state = 'a hit' if own.hit else 'not a hit' if own.hit is False else 'completed'
    caption = f'{key_plain(record, own.key)}, {state}, generation {own.generation}.'
    if said is None:
        caption += ' It was chosen before there was a model of curves.'
    if target is not None:
        caption += ' Dashed: the target, as the campaign file gives it.'
    return Plot(f'plot-curve-{position}', drawn, f'Curve of {key_plain(record, own.key)}.', caption)


def _residual(found: Sequence[CurveRecord], position: int) -> Plot:
    grid, rest = residuals(found)
    x_title, _ = _label(found[0].computed)
    drawn = theme.figure(x_title, 'computed − predicted', height=300)
    low, high = np.nanquantile(rest, [0.1, 0.9], axis=0)
    drawn.add_trace(_band(grid, low, high, '10 to 90 % of the curves'))
    drawn.add_trace(_line(grid, np.nanmean(rest, axis=0), 'mean', theme.BLUE))
    drawn.add_trace(_line(grid[[0, -1]], [0.0, 0.0], 'no error', theme.MUTED, dash='dash', width=1))
    caption = f'Residuals of {len(found)} curves that were predicted when their candidates were chosen.'
    return Plot(f'plot-curve-residual-{position}', drawn, 'Residuals of curves along the axis.', caption)


def _coverage(found: Sequence[CurveRecord], position: int) -> Plot:
    grid, share, low, high = coverage(found)
    x_title, _ = _label(found[0].computed)
    drawn = theme.figure(x_title, f'inside the {percent(LEVEL)} band', height=300)
    drawn.add_trace(_band(grid, low, high, '95 % interval'))
    drawn.add_trace(_line(grid, share, 'inside', theme.BLUE))
    drawn.add_trace(_line(grid[[0, -1]], [LEVEL, LEVEL], 'calibrated', theme.MUTED, dash='dash', width=1))
    drawn.update_yaxes(range=[0, 1.03], tickformat='.0%')
    caption = f'Of {len(found)} curves, at each point of the axis; Wilson intervals.'
    return Plot(f'plot-curve-coverage-{position}', drawn, 'Coverage of the bands along the axis.', caption)


def _download(record: CampaignRecord) -> Markup:
    """A link to the curves of the hits, or of the best where there is none, within the page."""
    hits = {item.candidate: item.key for item in record.evaluations if item.hit}
    chosen = hits or {item.candidate: item.key for item in best_evaluations(record)[:MOST_DRAWN]}
    rows = list(table(record.curves, chosen))
    if not rows:
        return Markup()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    data = base64.b64encode(text.getvalue().encode()).decode()
    what = ('hit' if hits else 'best candidate') + 's' * (len(chosen) > 1)
    return Markup(
        '<p><a class="download" download="curves.csv" href="data:text/csv;base64,{}">CSV of the curves of {} {}</a></p>'
    ).format(data, len(chosen), what)
