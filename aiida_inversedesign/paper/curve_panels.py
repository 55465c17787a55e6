"""Curves in a paper: the best candidate's, predicted and computed, and the coverage of the bands along the axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_inversedesign.audit.curves import CurveRecord, coverage, tested
from aiida_inversedesign.campaign.curves.curve import LEVEL, Curve
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.paper.facts import Facts
from aiida_inversedesign.paper.panels import BLUE, GREY, ORANGE
from aiida_inversedesign.report.figures.curves import best_curves, target_of
from aiida_inversedesign.report.words import key_plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def has_curves(facts: Facts) -> bool:
    """Whether a curve was computed."""
    return bool(facts.record.curves)


def has_tested_curves(facts: Facts) -> bool:
    """Whether two curves were predicted before they were computed."""
    return has_curves(facts) and len(_tested(facts)) > 1


def draw_curve(facts: Facts, axes: Axes) -> None:
    """The best candidate's curve, predicted when it was chosen and computed, and the target."""
    record, name = facts.record, facts.record.curves[0].name
    item = best_curves(record, name)[0]
    if item.predicted is not None:
        said = item.predicted
        axes.fill_between(said.grid, said.low[0], said.high[0], color=BLUE, alpha=0.2, linewidth=0, label='80 % band')
        axes.plot(said.grid, said.median[0], color=BLUE, label='predicted')
    axes.plot(item.computed.grid, item.computed.values, color=ORANGE, label='computed')
    target = target_of(record, name)
    if target is not None:
        axes.plot(target.grid, target.values, '--', color=GREY, label='target')
    own = next(one for one in record.evaluations if one.candidate == item.candidate)
    axes.set_xlabel(_axis(item.computed))
    axes.set_ylabel(f'{property_text(name)} of {key_plain(record, own.key)}')
    axes.legend(loc='upper right')


def draw_curve_coverage(facts: Facts, axes: Axes) -> None:
    """Share of the computed values inside their bands, at each point of the axis."""
    found = _tested(facts)
    grid, share, low, high = coverage(found)
    axes.fill_between(grid, low, high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(grid, share, color=BLUE)
    axes.axhline(LEVEL, color='black', linewidth=0.6, linestyle='--')
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(_axis(found[0].computed))
    axes.set_ylabel(f'inside the 80 % band (n = {len(found)})')


def _tested(facts: Facts) -> list[CurveRecord]:
    return tested(facts.record.curves, facts.record.curves[0].name)


def _axis(curve: Curve) -> str:
    return str(curve.axis).replace('^-1', '⁻¹')
