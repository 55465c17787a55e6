"""Budgets are never exceeded, and a campaign that may go on is told how far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.budget import Allowance, Spent, allowance, share, stop_reason
from aiida_inversedesign.campaign.spec import Budget

COUNT = st.integers(0, 50)


@pytest.mark.parametrize(
    ('limits', 'spent', 'says'),
    [
        ({}, Spent(evaluations=10), '10 of 10 evaluations'),
        ({'dft_calculations': 30}, Spent(dft_calculations=30), '30 of 30 DFT calculations'),
        ({'generations': 3}, Spent(generations=3), '3 of 3 generations'),
        ({'core_hours': 1.0}, Spent(core_hours=0.999), 'core-hours'),
        ({'hits': 2}, Spent(hits=3), 'target reached: 3 hits'),
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
    limits = share(allowed, allowed.evaluations)
    assert limits['dft_calculations'] >= needed
    assert allowed.evaluations * limits['dft_calculations'] <= most_dft - dft
