"""The first batch where a potential has estimated what the goal asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.promise import promise


def goal(*objectives: dict[str, Any], **more: Any) -> Goal:
    return Goal.model_validate({'objectives': list(objectives), **more})


def order(found: Any) -> list[int]:
    return [int(index) for index in np.argsort(-found, kind='stable')]


MOST = {'property': 'bulk_modulus', 'maximize': True}


@pytest.mark.parametrize(
    ('objective', 'expected'),
    [
        (MOST, [2, 0, 1]),
        ({'property': 'bulk_modulus', 'minimize': True}, [1, 0, 2]),
        ({'property': 'bulk_modulus', 'target': 110, 'tolerance': 5}, [0, 1, 2]),
    ],
)
def test_the_order_is_that_of_the_goal(objective: dict[str, Any], expected: list[int]) -> None:
    found = promise(goal(objective), [{'bulk_modulus': value} for value in (100.0, 50.0, 300.0)])
    assert order(found) == expected


def test_what_is_not_known_comes_last_or_says_nothing() -> None:
    assert promise(goal(MOST), [{}, {'shear_modulus': 1.0}]) is None
    assert promise(goal(MOST), []) is None
    found = promise(goal(MOST), [{}, {'bulk_modulus': 10.0}])
    assert found is not None
    assert np.isneginf(found).tolist() == [True, False]


def test_the_weakest_objective_decides_and_constraints_hold() -> None:
    both = goal(MOST, {'property': 'shear_modulus', 'maximize': True})
    rows = [{'bulk_modulus': 300.0, 'shear_modulus': 10.0}, {'bulk_modulus': 200.0, 'shear_modulus': 90.0}]
    assert order(promise(both, [*rows, {'bulk_modulus': 100.0, 'shear_modulus': 100.0}]))[0] == 1
    bound = goal(MOST, constraints=[{'property': 'shear_modulus', 'min': 50}])
    assert order(promise(bound, rows)) == [1, 0]
    # a constraint of which no estimate says anything decides nothing
    unknown = goal(MOST, constraints=[{'property': 'band_gap', 'min': 1}])
    assert order(promise(unknown, rows)) == [0, 1]
