"""The source ``gradient`` of spaces of parameters: where its climbs end, what it keeps, and what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.contracts.source import ProposalError, SourceRequest
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.next_fit import fit_next
from aiida_inversedesign.propose.sources.gradient import APART, GradientSource, _Climbs
from aiida_inversedesign.propose.sources.sobol import STARTS, TRIED, WIDTHS, scoring
from aiida_inversedesign.spaces.parameters.point import Point
from aiida_inversedesign.spaces.parameters.sampling import projected, sobol

NUMBERS = {'a': {'min': 0, 'max': 10}, 'b': {'min': 1, 'max': 100, 'scale': 'log'}}


def settings(surrogate: str = 'gp', variables: Any = None, acquisition: str = 'posterior_mean', **space: Any) -> Any:
    return CampaignSettings.model_validate(
        {
            'name': 'climb',
            'goal': {'objectives': [{'property': 'energy', 'minimize': True}]},
            'space': {'kind': 'parameters', 'variables': variables or NUMBERS, 'samples': 64, **space},
            'propose': {'method': 'gradient'},
            'select': {'acquisition': acquisition, 'batch': 2},
            'learn': {'surrogate': surrogate},
            'evaluate': {'engine': 'table', 'data': 'none'},
        }
    )


def valley(point: Point) -> float:
    """Lowest at a = 7 and b = 10."""
    return (float(point.values['a']) - 7) ** 2 + 4 * (np.log10(float(point.values['b'])) - 1) ** 2


def request(spec: Any, value: Any = valley, number: int = 24) -> SourceRequest:
    rows = [
        EvaluationRow(f'c{place}', 1, 'initial', point.key, 'completed', point, properties={'energy': value(point)})
        for place, point in enumerate(sobol(spec.space, number, 1))
    ]
    return SourceRequest(spec, 2, rows, surrogate=fit_next(spec, rows, None))


@pytest.mark.parametrize(('surrogate', 'how'), [('gp', 'own gradient'), ('forest', 'differences')])
def test_climbs_end_where_the_model_is_best(surrogate: str, how: str) -> None:
    asked = request(settings(surrogate))
    found = GradientSource().propose(asked)
    ends = [item.content for item in found if item.generator == how]
    drawn = [item.content for item in found if item.generator == 'sobol']
    assert ends
    assert len(drawn) == 64
    _, score = scoring(asked)
    assert score(ends)[0] >= score(drawn).max()
    if surrogate == 'gp':
        assert float(ends[0].values['a']) == pytest.approx(7, abs=0.5)
    assert [item.key for item in GradientSource().propose(asked)] == [item.key for item in found]


def test_ends_lie_apart_and_calls_are_bounded() -> None:
    asked = request(settings(acquisition='ucb'))
    acquisition, score = scoring(asked)
    climbs = _Climbs(asked, acquisition, score)
    ends = climbs.ends(sobol(asked.spec.space, 64, 3))
    assert 0 < climbs.calls <= STARTS * 2 * len(WIDTHS) * TRIED
    units = np.array([climbs._unit(end) for end in ends])
    for place, unit in enumerate(units):
        assert (np.abs(np.delete(units, place, axis=0) - unit).max(axis=1) >= APART).all()


def test_a_constant_model_is_climbed_nowhere() -> None:
    said: list[str] = []
    asked = request(settings('forest'), lambda point: 1.0)
    asked = SourceRequest(
        asked.spec, 2, asked.rows, surrogate=asked.surrogate, progress=lambda text, done: said.append(text)
    )
    assert {item.generator for item in GradientSource().propose(asked)} == {'sobol'}
    assert any('nothing to climb' in text for text in said)


def test_without_a_model_points_fill_the_space() -> None:
    said: list[str] = []
    asked = SourceRequest(settings(), 1, progress=lambda text, done: said.append(text))
    assert {item.generator for item in GradientSource().propose(asked)} == {'sobol'}
    assert 'no model yet' in said[0]


def test_choices_alone_have_no_gradient() -> None:
    spec = settings(variables={'a': {'choices': ['x', 'y']}})
    with pytest.raises(ProposalError, match='every variable of the space is a choice: write sobol'):
        GradientSource().propose(SourceRequest(spec, 1))


def test_constraints_that_leave_nothing() -> None:
    spec = settings(constraints=[{'weights': {'a': 1, 'b': 1}, 'max': 0.5}])
    with pytest.raises(ProposalError, match='keeps mixtures and constraints'):
        GradientSource().propose(SourceRequest(spec, 1))


def test_projections() -> None:
    spec = settings(
        variables={
            **NUMBERS,
            'x': {'min': 0, 'max': 1},
            'y': {'min': 0, 'max': 1},
            'z': {'min': 0, 'max': 1},
            'n': {'min': 2, 'max': 8, 'step': 2},
            'c': {'choices': ['u', 'v']},
        },
        mixtures=[{'variables': ['x', 'y', 'z']}],
        constraints=[{'weights': {'x': 1}, 'max': 0.3}, {'weights': {'a': 1, 'n': 1}, 'min': 4}],
    )
    rest = {'a': 5.0, 'b': 20.0, 'n': 4.0, 'c': 'u'}
    inside = Point({**rest, 'x': 0.2, 'y': 0.5, 'z': 0.3})
    assert projected(spec.space, inside).key == inside.key
    # on the plane x + y + z = 1 with x ≤ 0.3 the nearest point to (0.8, 0.5, 0.3) is (0.3, 0.45, 0.25)
    outside = projected(spec.space, Point({**rest, 'x': 0.8, 'y': 0.5, 'z': 0.3, 'n': 5.2}))
    assert [outside.values[name] for name in 'xyz'] == pytest.approx([0.3, 0.45, 0.25], abs=1e-4)
    assert outside.values['n'] == 6
    rng = np.random.default_rng(0)
    for _ in range(30):
        numbers = rng.uniform(-1, 2, 3)
        point = Point({**rest, 'a': float(rng.uniform(-5, 15)), **dict(zip('xyz', numbers.tolist(), strict=True))})
        found = projected(spec.space, point)
        assert found is not None
        assert spec.space.violation(found) == ''
