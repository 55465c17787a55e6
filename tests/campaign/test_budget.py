"""Budgets are never exceeded, and a campaign that may go on is told how far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.budget import (
    Allowance,
    Limits,
    Spent,
    allowance,
    conclusion,
    evaluations_at_most,
    next_allowance,
    references_covered,
    stop_reason,
)
from aiida_inversedesign.campaign.spec import Budget, CampaignSettings

COUNT = st.integers(0, 50)


@pytest.mark.parametrize(
    ('limits', 'spent', 'says'),
    [
        ({}, Spent(evaluations=10), '10 of 10 evaluations'),
        ({'dft_calculations': 30}, Spent(dft_calculations=30), '30 of 30 DFT calculations'),
        ({'generations': 3}, Spent(generations=3), '3 of 3 generations'),
        ({'core_hours': 1.0}, Spent(core_hours=0.999), 'core-hours'),
        ({'hits': 2}, Spent(distinct_hits=3), 'target reached: 3 distinct hits'),
        ({'failure_rate': 0.5}, Spent(evaluations=6, failed=4), 'too many failures: 4 of 6'),
    ],
)
def test_the_stop_reason_names_what_was_used_up(limits: dict, spent: Spent, says: str) -> None:
    assert says in (stop_reason(Budget(evaluations=10, **limits), spent) or '')


def test_failures_are_not_judged_before_there_are_enough() -> None:
    budget = Budget(evaluations=10, failure_rate=0.5, failure_minimum=5)
    assert stop_reason(budget, Spent(evaluations=4, failed=4)) is None


def test_a_batch_is_cut_to_what_the_budget_leaves() -> None:
    budget = Budget(evaluations=10, dft_calculations=40)
    assert allowance(budget, Spent(evaluations=7), wanted=8, dft_per_evaluation=5) == Allowance(3, 40, None)
    assert allowance(budget, Spent(dft_calculations=22), wanted=8, dft_per_evaluation=5) == Allowance(3, 18, None)
    assert 'one evaluation needs 9' in str(allowance(budget, Spent(dft_calculations=33), 8, 9))


@given(COUNT, COUNT, st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.integers(0, 12))
def test_no_allowance_can_exceed_the_budget(
    evaluations: int, dft: int, most: int, most_dft: int, wanted: int, needed: int
) -> None:
    budget = Budget(evaluations=most, dft_calculations=most_dft)
    allowed = allowance(budget, Spent(evaluations=evaluations, dft_calculations=dft), wanted, needed)
    if isinstance(allowed, str):
        return
    assert 1 <= allowed.evaluations <= min(wanted, most - evaluations)
    limits = allowed.limits.share(allowed.evaluations)
    assert limits.dft_calculations >= needed
    assert allowed.evaluations * limits.dft_calculations <= most_dft - dft


def settings(**select: object) -> CampaignSettings:
    """A campaign whose evaluations need nine DFT calculations each."""
    return CampaignSettings.model_validate(
        {
            'name': 'test',
            'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 300}]},
            'select': {'initial': 6, 'batch': 3, **select},
            'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'family'},
        }
    )


def test_the_next_generation_is_the_first_or_a_later_one_or_a_stream() -> None:
    budget = Budget(evaluations=20, dft_calculations=100, at_once=2)
    assert next_allowance(settings(), budget, Spent()) == Allowance(6, 100, None)
    later = next_allowance(settings(), budget, Spent(evaluations=6, generations=1, dft_calculations=54))
    assert later == Allowance(3, 46, None)
    stream = next_allowance(settings(schedule='asynchronous'), budget, Spent())
    assert stream == Allowance(11, 100, None)
    assert stream.record(settings(schedule='asynchronous'), budget)['budget']['at_once'] == 2
    assert 'budget' not in later.record(settings(), budget)
    assert evaluations_at_most(settings(), budget) == 11
    assert 'one evaluation needs 9' in str(
        next_allowance(settings(), budget, Spent(generations=1, dft_calculations=95))
    )


def test_the_conclusion_follows_from_what_was_spent_or_asked() -> None:
    budget = Budget(evaluations=8)
    record = Spent(evaluations=8, generations=2).record(settings())
    assert conclusion(budget, record) == 'budget used up: 8 of 8 evaluations'
    going = Spent(evaluations=4, generations=1).record(settings())
    assert conclusion(budget, going) is None
    assert conclusion(budget, {**going, 'requested': 'stopped by a@b'}) == 'stopped by a@b'
    assert conclusion(budget, {**record, 'exhausted': 'nothing left', 'requested': 'stopped'}) == 'nothing left'


def test_references_are_cut_to_what_the_budget_leaves() -> None:
    assert references_covered(settings(), Limits(5), ['B', 'C', 'N']) == ['B', 'C']
    assert references_covered(settings(), Limits(), ['B', 'C']) == ['B', 'C']
    assert references_covered(settings(), Limits(1), ['B']) == []


@given(
    st.integers(1, 8), st.integers(0, 80), st.floats(0, 100), st.lists(st.tuples(COUNT, st.floats(0, 9)), max_size=5)
)
def test_shares_and_costs_add_up(number: int, jobs: int, hours: float, costs: list[tuple[int, float]]) -> None:
    part = Limits(jobs, hours).share(number)
    assert part.dft_calculations * number <= jobs
    assert part.core_hours * number == pytest.approx(hours)
    left = Limits(jobs, hours).less(costs)
    assert left.dft_calculations + sum(used for used, _ in costs) == jobs
    assert Limits(jobs).covered(number, 9) * 9 <= jobs
    assert Limits().less(costs) == Limits()
