"""The source ``gradient``: points at which climbs of the acquisition end, beside points that fill the space.

A climb starts from one of the best points, drawn or evaluated, and follows the gradient over the variables with
numbers: by the surrogate's own gradient where it has one, else by differences of the acquisition, one for each
variable. Choices stay those of the start. Each step is projected on bounds, mixtures and linear constraints (Dykstra's
projections; Boyle and Dykstra, Lect. Notes Stat. 37, 28 (1986)) and put on the grids of the variables. The steps become
longer where the acquisition rises and shorter where it does not. All together ask for at most as many predictions as
the refinement of the source ``sobol``, gradients counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import ProposalError, SourceRequest
from aiida_inversedesign.propose.sources.sobol import STARTS, TRIED, WIDTHS, SobolSource, scoring
from aiida_inversedesign.spaces.parameters.point import Point
from aiida_inversedesign.spaces.parameters.sampling import projected

#: First and shortest step, as the largest change of a variable in shares of its range, and how a step changes after a
#: success and a failure: that of ``sobol``'s widths, by judgement.
FIRST, SHORTEST, LONGER, SHORTER = 0.2, 0.002, 1.5, 0.5
#: Width of a difference in shares of the range: trees have steps, which a smaller one would not see.
WIDTH = 0.02
#: Ends that differ by less in every variable, in shares of the range, are one: the better is kept.
APART = 0.02


class GradientSource(SobolSource):
    """A grid that is small enough is listed; of other spaces each generation samples again, and climbs."""

    name = 'gradient'
    words = 'scrambled Sobol sequences, and climbs of the acquisition by its gradient'
    citations = ('sobol1967', 'owen1998')

    def propose(self, request: SourceRequest) -> list[Candidate]:
        """New points, the ends of the climbs first.

        :raises ProposalError: if no variable has numbers, or as ``sobol``.
        """
        if not _numbers(request.spec.space):
            raise ProposalError(
                'propose.method: gradient follows numbers, and every variable of the space is a choice: write sobol'
            )
        if request.surrogate is None:
            request.progress('gradient: no model yet, points that fill the space stand alone', 0.0)
        return super().propose(request)

    def improved(self, request: SourceRequest, drawn: Sequence[Point]) -> tuple[list[Point], str]:
        """The ends of the climbs, the best first, and by which gradient they were found."""
        acquisition, score = scoring(request)
        if acquisition is None:
            return [], ''
        how = 'own gradient' if acquisition.differentiable else 'differences'
        return _Climbs(request, acquisition, score).ends(drawn), how


@dataclass(frozen=True)
class _Climb:
    """A point on its way: its value, the next length of step, and the slope there (None: not known yet)."""

    point: Point
    value: float
    step: float = FIRST
    slope: Array | None = None


class _Climbs:
    def __init__(self, request: SourceRequest, acquisition: Any, score: Any) -> None:
        self.request, self.acquisition, self.score = request, acquisition, score
        self.space: Any = request.spec.space
        self.names = _numbers(self.space)
        self.calls = 0

    def ends(self, drawn: Sequence[Point]) -> list[Point]:
        """Where the climbs end, those apart from better ones; a start from which none leads up is not an end."""
        starts = [*drawn, *(row.proposed for row in self.request.rows if row.status == 'completed')]
        values = self.score(starts)
        number = STARTS * max(self.request.spec.select.batch, 1)
        order = np.argsort(-values, kind='stable')[:number].tolist()
        if not np.ptp(values):
            self.request.progress('gradient: the model is the same everywhere, nothing to climb', 1.0)
            return []
        budget = number * len(WIDTHS) * TRIED
        here = [_Climb(starts[index], float(values[index])) for index in order]
        while self.calls < budget and any(climb.step >= SHORTEST for climb in here):
            going = [index for index, climb in enumerate(here) if climb.step >= SHORTEST]
            for index in going:
                if here[index].slope is None:
                    here[index] = replace(here[index], slope=self._slope(here[index].point))
            tried = [self._stepped(here[index]) for index in going]
            known = [point for point in tried if point is not None]
            found = iter(self.score(known).tolist() if known else [])
            self.calls += len(known)
            for index, point in zip(going, tried, strict=True):
                climb, value = here[index], next(found) if point is not None else -np.inf
                if point is not None and value > climb.value:
                    here[index] = _Climb(point, value, climb.step * LONGER)
                else:
                    here[index] = replace(climb, step=climb.step * SHORTER)
        kept, begun = list[Point](), {starts[index].key for index in order}
        for climb in sorted(here, key=lambda climb: -climb.value):
            if climb.point.key not in begun and not any(self._close(climb.point, other) for other in kept):
                kept.append(climb.point)
        return kept

    def _unit(self, point: Point) -> Array:
        return np.array([float(self.space.unit_scale(name, np.array([point.values[name]]))[0]) for name in self.names])

    def _at(self, point: Point, unit: Array) -> Point:
        """The point with other numbers, off the grid and outside of constraints."""
        values = {
            name: float(self.space.in_own_unit(name, np.array([share]))[0][0])
            for name, share in zip(self.names, unit, strict=True)
        }
        return Point({**point.values, **values})

    def _slope(self, point: Point) -> Array:
        """Slope of the acquisition along each variable with numbers, shape (k,)."""
        unit = self._unit(point)
        widths = np.where(unit > 0.5, -WIDTH, WIDTH)
        points = [point, *(self._at(point, unit + step) for step in np.diag(widths))]
        inputs = self.request.surrogate.inputs(self.space, points, [None] * len(points))
        changes, calls = self.acquisition.changes(inputs[0], inputs[1:])
        self.calls += calls
        # an acquisition may be −∞ around
        return np.asarray(np.nan_to_num(changes / widths, posinf=0.0, neginf=0.0))

    def _stepped(self, climb: _Climb) -> Point | None:
        """The projected end of a step; None if it leads nowhere."""
        assert climb.slope is not None  # noqa: S101
        largest = float(np.abs(climb.slope).max())
        if not largest:
            return None
        wanted = self._at(climb.point, np.clip(self._unit(climb.point) + climb.step * climb.slope / largest, 0.0, 1.0))
        point = projected(self.space, wanted)
        return None if point is None or point.key == climb.point.key else point

    def _close(self, first: Point, second: Point) -> bool:
        same = all(first.values[name] == second.values[name] for name in first.values if name not in self.names)
        return same and float(np.abs(self._unit(first) - self._unit(second)).max()) < APART


def _numbers(space: Any) -> list[str]:
    """The variables with numbers."""
    return [name for name, variable in space.variables.items() if not variable.choices]
