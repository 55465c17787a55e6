"""Curves of a campaign: computed, and predicted when the candidate was chosen. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.curves.curve import Bands, Curve, matrix

#: Share of the largest value below which two values are the same.
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class CurveRecord:
    """The curve of one evaluated candidate.

    :param computed: what the evaluation found.
    :param predicted: when it was chosen, of this candidate alone; None if there was no model of curves.
    """

    candidate: str
    name: str
    computed: Curve
    predicted: Bands | None = None

    @property
    def found(self) -> Array:
        """What was found at the points of the prediction, shape (T,); NaN beyond the ends of the curve."""
        assert self.predicted is not None  # noqa: S101 - asked of tested predictions only
        return matrix([self.computed], self.predicted.grid)[1][0]


def tested(records: Iterable[CurveRecord], name: str) -> list[CurveRecord]:
    """Those of a property that had been predicted, on the grid of the last of them."""
    known = [item for item in records if item.name == name and item.predicted is not None]
    grid = known[-1].predicted.grid if known and known[-1].predicted else np.empty(0)
    return [
        item for item in known if item.predicted and item.predicted.grid.shape == grid.shape
        and np.allclose(item.predicted.grid, grid)
    ]  # fmt: skip


def residuals(records: Sequence[CurveRecord]) -> tuple[Array, Array]:
    """Axis and found less predicted values, shape (n, T).

    :param records: of :func:`tested`, at least one.
    """
    bands = [item.predicted for item in records if item.predicted]
    return bands[0].grid, np.stack([item.found for item in records]) - np.stack([item.median[0] for item in bands])


def inside(records: Sequence[CurveRecord]) -> tuple[Array, Array]:
    """Axis, and whether each found value lies in its band, shape (n, T); NaN where none was found."""
    bands = [item.predicted for item in records if item.predicted]
    found = np.stack([item.found for item in records])
    low, high = (np.stack([getattr(item, end)[0] for item in bands]) for end in ('low', 'high'))
    slack = _SAME * float(np.nanmax(np.abs(found)))
    held = ((found >= low - slack) & (found <= high + slack)).astype(np.float64)
    return bands[0].grid, np.where(np.isfinite(found), held, np.nan)


def coverage(records: Sequence[CurveRecord]) -> tuple[Array, Array, Array, Array]:
    """Axis, share of the values inside their bands there, and the ends of its Wilson interval, each of shape (T,)."""
    # the metrics import this module
    from aiida_inversedesign.audit.metrics.intervals import wilson

    grid, held = inside(records)
    counts = np.isfinite(held).sum(axis=0)
    ends = [wilson(int(hits), int(n)) for hits, n in zip(np.nansum(held, axis=0), counts, strict=True)]
    return grid, np.nanmean(held, axis=0), *np.array(ends).T


def table(records: Iterable[CurveRecord], keys: dict[str, str]) -> Iterator[dict[str, Any]]:
    """One row for each point of the curves of these candidates, with what had been predicted there.

    :param keys: what people are shown, by candidate; others are left out.
    """
    for item in records:
        if item.candidate not in keys:
            continue
        curve, said = item.computed, item.predicted
        columns = [] if said is None else [said.median[0], said.low[0], said.high[0]]
        # beyond the axis of the prediction nothing was said
        predicted = [
            np.interp(curve.grid, said.grid, column, left=np.nan, right=np.nan)
            for column in columns
            if said is not None
        ]
        for index, (point, value) in enumerate(zip(curve.grid.tolist(), curve.values.tolist(), strict=True)):
            said_here: list[float | None] = [float(column[index]) for column in predicted] or [None] * 3
            yield {
                'candidate': item.candidate,
                'key': keys[item.candidate],
                'property': item.name,
                'unit': curve.unit,
                'axis': curve.axis.name,
                'axis_unit': curve.axis.unit,
                'point': point,
                'computed': value,
                **dict(zip(('predicted', 'low80', 'high80'), said_here, strict=True)),
            }
