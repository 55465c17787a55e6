"""What counts as a hit, as feasible and as better, at the bounds exactly."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aiida_inversedesign.campaign.goal import CompositionConstraint, Constraint, Goal, Objective
from aiida_inversedesign.campaign.row import (
    EvaluationRow,
    best_row,
    count_statuses,
    is_feasible,
    is_hit,
    loss,
    with_copies,
)
from aiida_inversedesign.spaces.parameters.space import ParameterSpace


def goal(constraints: list[dict[str, Any]] | None = None, **objective: Any) -> Goal:
    return Goal(objectives=[{'property': 'k', **objective}], constraints=constraints or [])


BELOW, ABOVE = math.nextafter(2.0, -math.inf), math.nextafter(3.0, math.inf)


@pytest.mark.parametrize(
    ('objective', 'hits', 'misses'),
    [
        ({'maximize': True, 'hit': 2.0}, [2.0, 9.0], [BELOW]),
        ({'minimize': True, 'hit': 3.0}, [3.0, -9.0], [ABOVE]),
        ({'window': [2.0, 3.0]}, [2.0, 2.5, 3.0], [BELOW, ABOVE]),
        ({'target': 2.5, 'tolerance': 0.5}, [2.0, 3.0], [BELOW, ABOVE]),
    ],
)
def test_the_bounds_of_a_hit_belong_to_it(objective: dict[str, Any], hits: list[float], misses: list[float]) -> None:
    assert [is_hit(goal(**objective), {'k': value}) for value in hits] == [True] * len(hits)
    assert [is_hit(goal(**objective), {'k': value}) for value in misses] == [False] * len(misses)
    assert is_hit(goal(**objective), {}) is False


def test_the_range_of_a_hit_is_open_where_nothing_bounds_it() -> None:
    ranges = [
        goal(**objective).objectives[0].hit_range
        for objective in (
            {'maximize': True, 'hit': 0.0},
            {'minimize': True, 'hit': 0.0},
            {'window': [0.0, 3.0]},
            {'target': 0.0, 'tolerance': 0.5},
            {'maximize': True},
        )
    ]
    assert ranges == [(0.0, math.inf), (-math.inf, 0.0), (0.0, 3.0), (-0.5, 0.5), None]


def test_every_objective_has_to_be_met_and_has_to_say_what_meets_it() -> None:
    both = Goal(
        objectives=[
            {'property': 'k', 'maximize': True, 'hit': 2.0},
            {'property': 'gap', 'minimize': True, 'hit': 1.0},
        ],
        constraints=[{'property': 'gap', 'min': 0.0}, {'property': 'k', 'max': 9.0}],
    )
    assert both.properties == ['k', 'gap']
    assert both.defines_hits
    found = [is_hit(both, {'k': k, 'gap': gap}) for k, gap in ((2, 1), (1, 1), (2, 2), (9, 0), (9.1, 0), (2, -0.1))]
    assert found == [True, False, False, True, False, False]
    half = Goal(objectives=[*both.objectives, Objective(property='v', minimize=True)])
    assert not half.defines_hits
    assert is_hit(half, {'k': 2.0, 'gap': 1.0, 'v': 1.0}) is None


def test_constraints_include_their_bounds_and_need_a_value() -> None:
    bounded = goal([{'property': 'a', 'min': 2.0, 'max': 3.0}, {'property': 'b', 'max': 0.0}], maximize=True)
    assert [is_feasible(bounded, {'a': value, 'b': 0.0}) for value in (2.0, 3.0, BELOW, ABOVE)] == [
        True,
        True,
        False,
        False,
    ]
    assert not is_feasible(bounded, {'a': 2.0, 'b': 0.1})
    assert not is_feasible(bounded, {'a': 2.0})
    assert is_feasible(goal(maximize=True), {})


@pytest.mark.parametrize(
    ('objective', 'kind', 'losses'),
    [
        ({'maximize': True}, 'maximize', [-2.0, -3.5]),
        ({'minimize': True}, 'minimize', [2.0, 3.5]),
        ({'target': 3.0, 'tolerance': 0.1}, 'target', [1.0, 0.5]),
        ({'target': 0.0, 'tolerance': 0.1}, 'target', [2.0, 3.5]),
        ({'window': [2.25, 3.0]}, 'window', [0.25, 0.5]),
        ({'window': [1.0, 4.0]}, 'window', [0.0, 0.0]),
    ],
)
def test_the_loss_is_the_distance_to_what_is_asked(objective: dict[str, Any], kind: str, losses: list[float]) -> None:
    asked = goal(**objective)
    assert asked.objectives[0].kind == kind
    assert [loss(asked, {'k': value}) for value in (2.0, 3.5)] == losses


def row(name: str, value: float | None = None, **fields: Any) -> EvaluationRow:
    point = ParameterSpace.read({'values': {'x': value or 0.0}})
    done = {
        'status': 'failed' if value is None else 'completed',
        'properties': {} if value is None else {'k': value, 'gap': 1.0},
        'hit': value is not None and value > 2,
    }
    return EvaluationRow(name, 1, 'initial', point.key, proposed=point, **{**done, **fields})


def test_the_best_row_is_completed_and_keeps_the_constraints() -> None:
    asked = goal([{'property': 'gap', 'min': 1.0}], maximize=True)
    rows = [row('a', 1.0), row('b', 4.0, status='failed'), row('c', 3.0, properties={'k': 3.0, 'gap': 0.5})]
    assert best_row(asked, rows).candidate == 'a'
    assert best_row(asked, [*rows, row('d', 2.0)]).candidate == 'd'
    assert best_row(asked, rows[1:]) is None


def test_statuses_are_counted_apart() -> None:
    rows = [row('a', 1.0, copy_of=''), row('b', 3.0, copy_of=''), row('c', 3.0, copy_of='b'), row('d'), row('e')]
    rows += [row('f', 3.0, hit=None)]
    assert count_statuses(rows) == {'total': 6, 'completed': 4, 'failed': 2, 'hits': 2, 'distinct_hits': 1}
    assert count_statuses([]) == {'total': 0, 'completed': 0, 'failed': 0, 'hits': 0, 'distinct_hits': 0}


def test_a_copy_names_the_first_of_its_kind_and_what_is_known_stays() -> None:
    rows = [row('a', 3.0), row('b'), row('c', 3.0), row('d', 4.0), row('e', 3.0), row('f', 4.0, copy_of='')]
    found = with_copies(rows, lambda one, other: one.key == other.key)
    assert [item.copy_of for item in found] == ['', None, 'a', '', 'a', '']
    assert [item.candidate for item in found] == list('abcdef')
    assert [item.is_distinct_hit for item in found] == [True, False, False, True, False, True]
    # of the same key, but distinguished
    assert [item.copy_of for item in with_copies(rows[:3], lambda one, other: False)] == ['', None, '']
    # only what has the same key is compared
    assert [item.copy_of for item in with_copies(rows[:5], lambda one, other: True)] == ['', None, 'a', '', 'a']
    # what an earlier table did not tell may be a copy of what it did
    assert with_copies([row('a', 3.0, copy_of=''), row('b', 3.0)], lambda one, other: True)[1].copy_of == 'a'


def test_a_row_is_itself_after_a_round_trip() -> None:
    full = row(
        'a', 3.0, relaxed=ParameterSpace.read({'values': {'x': 0.5}}), predicted={'k': (2.5, 0.3)}, errors={'k': 0.1},
        reason='why', exit_status=3, dft_calculations=7, core_hours=1.5, template='t', probability=0.25, copy_of='b',
    )  # fmt: skip
    data = full.to_dict()
    assert data['predicted'] == {'k': [2.5, 0.3]}
    assert (data['proposed'], data['relaxed']) == (full.proposed.to_dict(), full.relaxed.to_dict())
    again = EvaluationRow.from_dict(data, ParameterSpace.read)
    assert again.to_dict() == data
    assert again.predicted == {'k': (2.5, 0.3)}
    assert again.relaxed.key == full.relaxed.key != full.proposed.key == again.proposed.key
    assert full.result is full.relaxed
    bare = row('a', 3.0)
    assert bare.to_dict()['relaxed'] is None
    assert EvaluationRow.from_dict(bare.to_dict(), ParameterSpace.read).relaxed is None
    assert bare.result is bare.proposed


@pytest.mark.parametrize(
    ('objectives', 'constraints', 'limit'),
    [
        ([{'property': 'k', 'maximize': True}], [], None),
        ([{'property': 'formation_energy', 'minimize': True, 'hit': -0.5}], [], (-0.5, 'formation_energy')),
        ([{'property': 'formation_energy', 'minimize': True}], [], None),
        ([{'property': 'formation_energy', 'maximize': True, 'hit': 0.0}], [], None),
        ([{'property': 'e_above_hull', 'window': [0.0, 0.2]}], [], (0.2, 'e_above_hull')),
        ([{'property': 'k', 'maximize': True}], [{'property': 'formation_energy', 'max': 0.0}], (0.0, 'formation_')),
        ([{'property': 'k', 'maximize': True}], [{'property': 'formation_energy', 'min': 0.0}], None),
        (
            [{'property': 'e_above_hull', 'minimize': True, 'hit': 0.3}],
            [{'property': 'formation_energy', 'max': 0.1}, {'property': 'e_above_hull', 'max': 0.2}],
            (0.1, 'formation_energy of at most 0.1 eV/atom'),
        ),
    ],
)
def test_the_least_bound_of_the_energy_counts(
    objectives: list[dict[str, Any]], constraints: list[dict[str, Any]], limit: tuple[float, str] | None
) -> None:
    found = Goal(objectives=objectives, constraints=constraints).energy_limit
    assert (found is None) == (limit is None)
    if found and limit:
        assert found[0] == limit[0]
        assert found[1].startswith(limit[1])


@pytest.mark.parametrize(
    ('kind', 'fields', 'says'),
    [
        (Objective, {}, ['exactly one of']),
        (Objective, {'maximize': True, 'minimize': True}, ['maximize and minimize']),
        (Objective, {'maximize': True}, []),
        (Objective, {'minimize': True, 'hit': 1.0}, []),
        (Objective, {'target': 1.0}, ['belong together']),
        (Objective, {'maximize': True, 'tolerance': 1.0}, ['belong together']),
        (Objective, {'target': 1.0, 'tolerance': 0.5}, []),
        (Objective, {'target': 1.0, 'tolerance': 0.5, 'hit': 1.0}, ['define hits themselves']),
        (Objective, {'window': (0.0, 1.0), 'hit': 1.0}, ['define hits themselves']),
        (Objective, {'hit': 1.0}, ['got none']),
        (Objective, {'window': (1.0, 1.0)}, ['low < high']),
        (Objective, {'window': (2.0, 1.0)}, ['low < high']),
        (Objective, {'window': (1.0, 2.0)}, []),
        (Constraint, {}, ['min, max or both']),
        (Constraint, {'min': 1.0}, []),
        (Constraint, {'max': 1.0}, []),
        (Constraint, {'min': 1.0, 'max': 2.0}, []),
        (Constraint, {'min': 1.0, 'max': 1.0}, ['below max']),
        (Constraint, {'min': 2.0, 'max': 1.0}, ['below max']),
    ],
)
def test_what_goes_together_in_an_objective_or_constraint(kind: Any, fields: dict[str, Any], says: list[str]) -> None:
    found = [str(error) for error in kind.model_construct(property='k', **fields).contradictions()]
    assert len(found) == len(says)
    assert all(words in text for words, text in zip(says, found, strict=True))


@pytest.mark.parametrize(
    ('fields', 'says'),
    [
        ({'element': 'B', 'max': 0.5}, []),
        ({'element': 'B', 'min': 1.0}, []),
        ({'element': 'B', 'max': 1.5}, ['at most 1']),
        ({'elements': ['B', 'C'], 'max': 1.5, 'min': 1.2}, ['at most 1', 'at most 1']),
        ({'quantity': 'price', 'max': 1.5}, []),
        ({'quantity': 'price', 'min': 2.0, 'max': 2.0}, []),
        ({'quantity': 'price', 'min': 2.0, 'max': 1.0}, ['not be above']),
        ({'element': 'B'}, ['element needs min, max or both']),
        ({'forbidden': ['B']}, []),
        ({'forbidden': ['B'], 'max': 0.5}, ['takes no min or max']),
        ({'forbidden': ['B'], 'min': 0.5}, ['takes no min or max']),
        ({}, ['got none']),
        ({'element': 'B', 'forbidden': ['C'], 'max': 0.5}, ['element and forbidden']),
    ],
)
def test_what_goes_together_in_a_composition(fields: dict[str, Any], says: list[str]) -> None:
    found = [str(error) for error in CompositionConstraint.model_construct(**fields).contradictions()]
    assert len(found) == len(says)
    assert all(words in text for words, text in zip(says, found, strict=True))


def test_labels_of_compositions() -> None:
    fields = ({'forbidden': ['B', 'C']}, {'quantity': 'price'}, {'element': 'B'}, {'elements': ['B', 'C']})
    labels = [CompositionConstraint.model_construct(**one).label for one in fields]
    assert labels == ['no B, C', 'price', 'fraction of B', 'fraction of B + C']
