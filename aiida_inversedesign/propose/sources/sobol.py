"""The source ``sobol``: points that fill a space of parameters, and points where the acquisition is highest.

The pool of a continuous space is a sample. So that the best point is not missed between its members, the acquisition is
climbed from the best members by random steps that become smaller (an evolution strategy with one parent; mixtures,
integers and choices need no gradient), and what is reached joins the pool. The selection then chooses among both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.acquisition import resolve
from aiida_inversedesign.campaign.contracts.source import ProposalError, Source, SourceRequest
from aiida_inversedesign.select.acquisition import Score, make_acquisition
from aiida_inversedesign.select.observed import Observed
from aiida_inversedesign.spaces.parameters.point import Point
from aiida_inversedesign.spaces.parameters.sampling import NoPointsError, grid, neighbours, sobol
from aiida_inversedesign.spaces.parameters.space import ParameterSpace

#: Starting points of the refinement for each evaluation of a batch, and the widths of its rounds (shares of a
#: variable's range). Chosen on the Branin and Hartmann functions, not on measured data: fewer starts missed the second
#: optimum, more rounds gained nothing.
STARTS, WIDTHS = 4, (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002)
#: Neighbours that are tried in each round.
TRIED = 48


class SobolSource(Source):
    """A grid that is small enough is listed; of other spaces each generation samples again, and refines."""

    name = 'sobol'
    spaces = ('parameters',)
    words = 'scrambled Sobol sequences, refined where the acquisition was highest'
    citations = ('sobol1967', 'owen1998')

    @classmethod
    def account(cls, space: Any) -> tuple[str, tuple[str, ...]]:
        """A grid that is listed needs no sequence."""
        return (cls.words, cls.citations) if space.renewed else ('listing every point of the grid', ())

    def propose(self, request: SourceRequest) -> list[Candidate]:
        """New points, the refined ones first.

        :raises ProposalError: if every point of the grid was proposed, or the constraints leave none.
        """
        space: Any = request.spec.space
        seen = request.considered
        size = space.grid_size
        if size is not None and size <= space.samples:
            found = [point for point in grid(space) if point.key not in seen]
            if not found:
                what = 'has been proposed' if request.earlier else 'breaks a mixture or constraint'
                raise ProposalError(f'every point of the grid ({size}) {what}')
            return [self._candidate(point, 'grid') for point in found]
        try:
            drawn = [point for point in sobol(space, space.samples, request.seed) if point.key not in seen]
        except NoPointsError as error:
            raise ProposalError(str(error)) from error
        best, how = self.improved(request, drawn) if request.surrogate is not None and drawn else ([], '')
        taken = {point.key for point in best}
        return [
            *(self._candidate(point, how) for point in best if point.key not in seen),
            *(self._candidate(point, 'sobol') for point in drawn if point.key not in taken),
        ]

    def improved(self, request: SourceRequest, drawn: Sequence[Point]) -> tuple[list[Point], str]:
        """Better points than those drawn, the best first, and what found them."""
        return refined(request, drawn), 'refinement'

    def _candidate(self, point: Point, generator: str) -> Candidate:
        return Candidate(id='', key=point.key, content=point, proposer=self.name, generator=generator)


def refined(request: SourceRequest, drawn: Sequence[Point]) -> list[Point]:
    """Local optima of the acquisition, different ones, the best first.

    :param drawn: among which the starting points are chosen, together with the best that were evaluated.
    """
    acquisition, score = scoring(request)
    if acquisition is None:
        return []
    spec, space = request.spec, request.spec.space
    assert isinstance(space, ParameterSpace)  # noqa: S101
    rng = np.random.default_rng([request.seed, 1])
    starts = [*drawn, *(row.proposed for row in request.rows if row.status == 'completed')]
    values = score(starts)
    order = np.argsort(-values, kind='stable')[: STARTS * max(spec.select.batch, 1)]
    here = [(float(values[index]), starts[int(index)]) for index in order]
    for width in WIDTHS:
        tried = [neighbours(space, point, width, TRIED, rng) for _, point in here]
        together = [point for near in tried for point in near]
        if not together:
            continue
        scores, begin = score(together), 0
        for index, near in enumerate(tried):
            own = scores[begin : begin + len(near)]
            begin += len(near)
            if len(near) and float(own.max()) > here[index][0]:
                here[index] = float(own.max()), near[int(own.argmax())]
    best = sorted(here, key=lambda item: -item[0])
    return list({point.key: point for _, point in best}.values())


def scoring(request: SourceRequest) -> tuple[Score | None, Callable[[Sequence[Point]], Any]]:
    """The acquisition of a campaign and the values of points by it; None where batches are drawn at random."""
    spec, surrogate = request.spec, request.surrogate
    space: Any = spec.space
    name = resolve(spec.select.acquisition, spec.goal)
    if name == 'random':
        return None, lambda points: np.zeros(len(points))
    observed = Observed.from_rows(request.rows, surrogate, spec.goal.properties, space)
    acquisition = make_acquisition(name, spec.goal, surrogate, observed, request.seed)
    nothing = np.empty((0, observed.inputs.shape[1]))

    def score(points: Sequence[Point]) -> Any:
        return acquisition.score(surrogate.inputs(space, points, [None] * len(points)), nothing)

    return acquisition, score
