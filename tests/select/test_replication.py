"""When a point is measured again instead of a new one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.load import parse_campaign
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.text.problems import CampaignFileError
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.select.choose import Choice, choose_batch
from aiida_inversedesign.select.replication import (
    knowledge_gradient,
    measured_points,
    noise_of_one,
    repeat_of_best,
    repeat_worth_more,
)
from aiida_inversedesign.spaces.parameters.point import Point

CAMPAIGN = """
name: noisy
goal: {objectives: [{property: y, maximize: true, hit: 5}]}
space: {kind: parameters, variables: {a: {min: 0, max: 1}}}
select: {replicate: auto, acquisition: log_ei}
learn: {surrogate: gp}
evaluate: {engine: external, units: {y: J}}
budget: {evaluations: 9}
"""


def row(number: int, a: float, y: float, **more: Any) -> EvaluationRow:
    return EvaluationRow(
        f'c{number}', 1, 'initial', f'a={a}', 'completed', Point({'a': a}), properties={'y': y}, **more
    )


def test_the_knowledge_gradient_is_the_expected_rise_of_the_largest_mean() -> None:
    means, variances, noise = np.array([1.0, 0.8, -1.0]), np.array([0.3, 0.1, 2.0]), 0.25
    rng = np.random.default_rng(1)
    for place, found in enumerate(knowledge_gradient(means, variances, noise)):
        truth = means[place] + np.sqrt(variances[place]) * rng.standard_normal(400_000)
        told = truth + np.sqrt(noise) * rng.standard_normal(400_000)
        after = means[place] + variances[place] / (variances[place] + noise) * (told - means[place])
        rises = np.maximum(after, np.delete(means, place).max()) - means.max()
        assert found == pytest.approx(rises.mean(), abs=4 * rises.std() / np.sqrt(len(rises)))
    # what is known exactly teaches nothing
    assert knowledge_gradient(means, np.zeros(3), noise).tolist() == [0, 0, 0]


def test_rows_of_one_point_are_one_point_with_its_mean() -> None:
    rows = [row(0, 0.5, 3.0), row(1, 0.2, 1.0, replicates={'y': (3, 0.1)}), row(2, 0.5, 4.0)]
    first, second = measured_points([*rows, replace(rows[0], status='failed')])
    assert (first.number, first.properties) == (2, {'y': 3.5})
    assert (second.number, second.properties) == (3, {'y': 1.0})


def test_the_noise_is_that_of_repeats_or_of_given_errors() -> None:
    rows = [row(0, 0.5, 3.0, errors={'y': 0.3}), row(1, 0.2, 1.0)]
    assert noise_of_one(rows, 'y') == pytest.approx(0.09)
    assert noise_of_one(rows[1:], 'y') is None
    again = [row(number, 0.5, 3.0 + number) for number in range(4)]
    assert noise_of_one([*rows[1:], *again], 'y') == pytest.approx(np.var(range(4), ddof=1))


def test_the_best_is_measured_as_often_as_the_file_says() -> None:
    goal = parse_campaign(CAMPAIGN).goal
    rows = [row(0, 0.5, 3.0), row(1, 0.2, 5.0), row(2, 0.2, 4.0)]
    best = repeat_of_best(goal, measured_points(rows), 3, ())
    assert best is not None
    assert best.point.rows[0].candidate == 'c1'
    assert repeat_of_best(goal, measured_points(rows), 2, ()) is None
    assert repeat_of_best(goal, measured_points(rows), 3, {rows[1].proposed.content_hash}) is None
    # two values that are worse than the first said: another one is the best
    fallen = repeat_of_best(goal, measured_points([*rows, row(3, 0.2, -1.0)]), 3, ())
    assert fallen is not None
    assert fallen.point.rows[0].candidate == 'c0'


class Beliefs:
    """A model that says what it is told of each input."""

    def __init__(self, found: dict[float, tuple[float, float]]) -> None:
        self.found = found

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = np.array([self.found[float(value)] for value in inputs[:, 0]])
        return pairs[:, 0], pairs[:, 1]


@pytest.mark.parametrize(
    ('new', 'expected'),
    [
        # a new point that may be anything; one that can hardly be better; one that is known already
        ((2.5, 2.0), None),
        ((-5.0, 1.1), 'c1'),
        ((2.9, 1.0), 'c1'),
    ],
)
def test_auto_weighs_a_repeat_against_the_new_point(new: tuple[float, float], expected: str | None) -> None:
    goal = parse_campaign(CAMPAIGN).goal
    points = measured_points([row(0, 0.1, 1.0, errors={'y': 1.0}), row(1, 0.2, 3.0, errors={'y': 1.0})])
    model: Any = Beliefs({0.1: (1.0, 1.2), 0.2: (3.0, 1.2), 0.9: new})
    found = repeat_worth_more(goal, points, model, np.array([[0.1], [0.2]]), np.array([[0.9]]))
    assert (found and found.point.rows[0].candidate) == expected


def test_a_repeat_is_a_choice_of_its_own_that_can_be_told_apart_and_read_again() -> None:
    spec = parse_campaign(CAMPAIGN.replace('auto', '3'))
    rng = np.random.default_rng(2)
    pool = [Candidate(f'c{i}', f'a={i}', Point({'a': i / 40}), 'sobol') for i in range(40)]
    rows = [
        row(i, i / 40, float(-((i / 40 - 0.6) ** 2) + 0.001 * rng.standard_normal())) for i in (0, 8, 16, 24, 32, 39)
    ]
    surrogate = fit_surrogate(rows, ['y'], spec.space, 'gp', 0)

    def choose(known: list[EvaluationRow], *running: str) -> list[Choice]:
        arms = ['replicate' if '_r' in name else 'acquisition' for name in running]
        return choose_batch(
            spec.goal, spec.select, spec.space, pool, known, surrogate, 2, 7, pending=running, pending_arms=arms
        )

    new, again = choose(rows)
    assert (new.arm, again.arm, again.candidate, again.repeats) == ('acquisition', 'replicate', 'c24_r2', 'c24')
    assert Choice.from_dict(again.to_dict()) == again
    assert 'repeats' not in new.to_dict()
    assert set(again.predicted) == {'y'}
    # while it is being measured, two new ones are
    assert [choice.arm for choice in choose(rows, 'c24_r2')] == ['acquisition', 'acquisition']
    second = replace(rows[3], candidate='c24_r2')
    assert choose([*rows, second])[-1].candidate == 'c24_r3'
    third = replace(rows[3], candidate='c24_r3')
    assert [choice.arm for choice in choose([*rows, second, third])] == ['acquisition', 'acquisition']
    # what fails twice is left alone
    lost = [replace(item, status='failed', properties={}) for item in (second, third)]
    assert choose([*rows, lost[0]])[-1].candidate == 'c24_r3'
    assert [choice.arm for choice in choose([*rows, *lost])] == ['acquisition', 'acquisition']


@pytest.mark.parametrize(
    ('old', 'new', 'told'),
    [
        ('auto', '1', 'expected auto, or how often the best point is measured: 2 or more'),
        ('auto', 'often', 'expected auto, or how often'),
        ('maximize: true, hit: 5', 'window: [1, 2]', 'auto needs one objective that is maximised or minimised'),
        ('engine: external', 'engine: table, data: x.csv', 'the engine table gives the same value again: remove it'),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, told: str) -> None:
    with pytest.raises(CampaignFileError, match=told):
        parse_campaign(CAMPAIGN.replace(old, new))
