"""Curves of a table: those that numbers are learned from, models of them for people, and what is learned in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows
from aiida_inversedesign.campaign.curves.curve import (
    LEVEL,
    Axis,
    Bands,
    CurveError,
    check_learnable,
    common_grid,
    matrix,
)
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.learn.curves.model import ROOT, CurveModel, fit_curves
from aiida_inversedesign.learn.models.curve_numbers import AUTO, POINTS, Reading
from aiida_inversedesign.learn.surrogate import Surrogate

#: What learns the curves that people are shown where no kind is named: the best of the benchmark on phonon densities.
_SHOWN = 'krfd'


def curves_of_rows(
    rows: Sequence[EvaluationRow], functionals: Mapping[str, Mapping[str, Any]], kind: str
) -> dict[str, CurveRows]:
    """The curves of each row, by the name of the number that the goal asks of them; NaN in rows without.

    :param functionals: as :attr:`~aiida_inversedesign.campaign.goal.Goal.functionals`.
    :param kind: of the regression, as ``learn.curves``.
    """
    found = {}
    for number, settings in functionals.items():
        known = [index for index, row in enumerate(rows) if settings['property'] in row.curves]
        if known:
            curves = [rows[index].curves[settings['property']] for index in known]
            grid, own = matrix(curves)
            values = np.full((len(rows), len(grid)), np.nan)
            values[known] = own
            found[number] = CurveRows(curves[0].axis, grid, values, Functional.from_dict(settings), kind)
    return found


def fit_shown(
    rows: Sequence[EvaluationRow], names: Sequence[str], inputs: Array, kind: str, seed: int
) -> dict[str, CurveModel]:
    """A model of each property that is a function, whose predictions the report draws.

    :param inputs: standardised descriptors of the rows, shape (n, d).
    """
    found = {}
    for name in sorted(set(names)):
        known = [index for index, row in enumerate(rows) if name in row.curves]
        curves = [rows[index].curves[name] for index in known]
        try:
            check_learnable(curves)
        except CurveError:
            # one curve, or equal ones: nothing to draw
            continue
        grid, values = matrix(curves, _thinned(common_grid(curves)))
        recipe = _SHOWN if kind == 'auto' else kind
        recipe += ROOT if kind == 'auto' and np.nanmin(values) >= 0 else ''
        found[name] = fit_curves(inputs[known], values, grid, recipe, seed)
    return found


def predicted_bands(surrogate: Surrogate, inputs: Array) -> dict[str, Bands]:
    """Medians and bands of the curves of candidates, by property.

    :param inputs: standardised descriptors of the candidates, shape (q, d).
    """
    return {
        name: Bands(model.grid, model.predict(inputs), *model.band(inputs, LEVEL))
        for name, model in surrogate.curves.items()
    }


def _thinned(grid: Array) -> Array:
    if len(grid) <= POINTS:
        return grid
    return np.asarray(grid[np.unique(np.linspace(0, len(grid) - 1, POINTS).round().astype(int))])


def in_words(functionals: Mapping[str, Mapping[str, Any]], surrogate: str, kind: str) -> Iterator[str]:
    """What is learned of the curves, and how the distribution of each number follows.

    :param surrogate: as ``learn.surrogate``.
    """
    for number, settings in functionals.items():
        functional = Functional.from_dict(settings)
        reading = Reading(functional, Axis('x'), np.arange(2.0))
        linear = '' if functional.is_linear else 'not '
        text = f'{number} is {linear}linear in the curve {settings["property"]}'
        if surrogate not in ('auto', 'mixture', 'curves'):
            yield f'{text}; surrogate {surrogate} learns the number alone, auto and curves learn the curves too'
            continue
        learned = 'the cumulative share of each curve' if reading.is_share else 'each whole curve'
        how = 'in closed form' if reading.is_linear else 'from draws'
        regression = ' or '.join(AUTO) if kind == 'auto' else kind
        beside = '' if surrogate == 'curves' else ', in competition with models of the number alone'
        yield f'{text}; {learned} is learned ({regression}), from which its distribution follows {how}{beside}'
