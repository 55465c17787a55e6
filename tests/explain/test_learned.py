"""Importances, dependences and distances of a function that is known."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.explain.groups import correlated_groups
from aiida_inversedesign.explain.learned import (
    ExplainError,
    Task,
    dependences,
    distances,
    domain,
    importances,
    quality,
)
from aiida_inversedesign.learn.fit import fit_on_features

NAMES = ('strong', 'twin', 'weak', 'noise', 'constant')


def task(kind: str = 'gp', rows: int = 80, **changes: object) -> Task:
    """y = 3 strong + weak², where the twin follows the strong one."""
    rng = np.random.default_rng(0)
    strong = rng.normal(size=400)
    twin = strong + 0.1 * rng.normal(size=400)
    X = np.column_stack([strong, twin, rng.normal(size=(400, 2)), np.ones(400)])
    y = 3 * X[:, 0] + X[:, 2] ** 2
    model = fit_on_features(X[:rows], {'y': y[:rows]}, kind=kind, names=NAMES)
    scaled = model.standardise(X)
    fields = {'X': scaled[:rows], 'y': y[:rows], 'pool': scaled[rows:], **changes}
    return Task('y', model.models['y'], names=NAMES, **fields)  # type: ignore[arg-type]


def test_descriptors_that_say_the_same_are_one_group() -> None:
    groups, constant = correlated_groups(task().pool, NAMES)
    assert constant == ['constant']
    assert {frozenset(NAMES[column] for column in group.columns) for group in groups} == {
        frozenset({'strong', 'twin'}),
        frozenset({'weak'}),
        frozenset({'noise'}),
    }
    assert all(NAMES[group.columns[0]] == group.name for group in groups)


@pytest.mark.parametrize('kind', ['gp', 'forest'])
def test_importances_rank_what_is_known(kind: str) -> None:
    asked = task(kind)
    ranked = importances(asked)
    assert [set(item['descriptors']) for item in ranked] == [{'strong', 'twin'}, {'weak'}, {'noise'}]
    # twice the variance of the part that the group explains, in units of all of it: 2 · 9 / 11
    assert ranked[0]['low'] < 2 * 9 / 11 < ranked[0]['high'] or kind == 'forest'
    assert ranked[0]['low'] > 0
    assert ranked[-1]['low'] < 0.02
    assert quality(asked)['value'] > 0.7
    # seeded
    assert importances(task(kind)) == ranked


def test_a_curve_follows_the_function() -> None:
    asked = task()
    strong, weak = (group.name for group in asked.groups if group.name != 'noise')
    curves = {curve['group']: curve for curve in dependences(asked, [strong, weak])}
    rise = curves[strong]['mean']
    assert np.diff(rise).min() > 0
    # a parabola: lowest in the middle
    assert 5 <= int(np.argmin(curves['weak']['mean'])) <= 15
    for curve in curves.values():
        assert np.shape(curve['curves']) == (30, 21)
        assert all(
            low <= mean <= high for low, mean, high in zip(*(curve[k] for k in ('low', 'mean', 'high')), strict=True)
        )


def test_distances_are_per_descriptor() -> None:
    rows = np.zeros((1, 4))
    assert distances(np.array([[1.0, 1, 1, 1], [2, 0, 0, 0]]), rows) == pytest.approx([1, 1])


def test_what_lies_far_is_beyond_and_predicted_worse() -> None:
    asked = task()
    far = domain(task(pool=asked.pool + 4.0))
    assert domain(asked)['beyond'] < 0.2 < 0.9 < far['beyond']
    parts = domain(asked)['by_distance']
    assert sum(part['n'] for part in parts) == 160
    assert parts[0]['mae'] < parts[-1]['mae']


def test_what_cannot_be_explained_is_said() -> None:
    asked = task()
    with pytest.raises(ExplainError, match=r'5 completed evaluation.*at least 10'):
        task(X=asked.X[:5], y=asked.y[:5])
    with pytest.raises(ExplainError, match='all 80 values of y are equal'):
        task(y=np.full(80, 2.0))
    with pytest.raises(ExplainError, match='the same descriptors'):
        task(X=np.ones((80, 5)), pool=np.ones((9, 5)))
