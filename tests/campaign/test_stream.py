"""Budgets while evaluations run side by side: whatever they use of their limits, the total is never exceeded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.contracts.engine import Jobs
from aiida_inversedesign.campaign.costs.budget import LEAST_CORE_HOURS, Limits
from aiida_inversedesign.campaign.costs.budget_of_stream import (
    evaluation_limits,
    fit_is_due,
    may_choose,
    most_of_one,
    to_choose,
)
from aiida_inversedesign.campaign.spec import CampaignSettings


def test_without_a_budget_there_is_no_limit() -> None:
    assert evaluation_limits(Limits(), [], 8, 2) == Limits(None, None)


def test_places_share_what_is_left_and_nobody_hoards() -> None:
    assert evaluation_limits(Limits(80), [], 8, 2).dft_calculations == 10
    assert evaluation_limits(Limits(800), [], 8, 2, Limits(6)).dft_calculations == 6
    # seven places reserved 70 of 80, the eighth gets the rest
    assert evaluation_limits(Limits(80), [Limits(10)] * 7, 1, 2).dft_calculations == 10
    assert evaluation_limits(Limits(72), [Limits(10)] * 7, 1, 2).dft_calculations == 2
    assert evaluation_limits(Limits(71), [Limits(10)] * 7, 1, 2) is None
    # shared among free places it would not do, but for one it does
    assert evaluation_limits(Limits(5), [], 8, 2).dft_calculations == 2


def test_core_hours_are_shared_alike() -> None:
    assert evaluation_limits(Limits(None, 4.0), [], 4, 0).core_hours == 1.0
    assert evaluation_limits(Limits(None, 4.0), [Limits(None, 3.5)], 1, 0).core_hours == pytest.approx(0.5)
    assert evaluation_limits(Limits(None, 4.0), [Limits(None, 3.999)], 1, 0) is None
    assert evaluation_limits(Limits(None, 100.0), [], 1, 0, Limits(2, 3.0)).core_hours == 3.0
    assert evaluation_limits(Limits(None, LEAST_CORE_HOURS), [], 8, 0).core_hours == pytest.approx(LEAST_CORE_HOURS)


def test_limits_are_exact_at_their_ends() -> None:
    # as many calculations as are needed are left, or one fewer
    assert evaluation_limits(Limits(2), [], 1, 2) == Limits(2)
    assert evaluation_limits(Limits(1), [], 1, 2) is None
    assert evaluation_limits(Limits(0), [], 1, 0) == Limits(0)
    assert evaluation_limits(Limits(-1), [], 1, 0) is None
    assert evaluation_limits(Limits(4), [Limits()], 1, 2) == Limits(4)
    # the most of one does not cut below what is needed
    assert evaluation_limits(Limits(9), [], 1, 2, Limits(2)) == Limits(2)
    assert evaluation_limits(Limits(9), [], 1, 2, Limits(1)) is None
    assert evaluation_limits(Limits(None, 4.0), [], 2, 0, Limits(), 1.0) == Limits(None, 2.0)
    assert evaluation_limits(Limits(None, 4.0), [], 8, 0, Limits(), 1.0) == Limits(None, 1.0)
    assert evaluation_limits(Limits(None, 1.0), [], 8, 0, Limits(), 1.0) == Limits(None, 1.0)
    assert evaluation_limits(Limits(None, 0.75), [], 1, 0, Limits(), 1.0) is None
    assert evaluation_limits(Limits(None, 4.0), [], 1, 0, Limits(None, 0.5), 1.0) == Limits(None, 1.0)
    assert evaluation_limits(Limits(None, 4.0), [Limits(None, 1.0), Limits()], 1, 0) == Limits(None, 3.0)
    assert evaluation_limits(Limits(None, 0.0), [], 1, 0, Limits(), 0.0) == Limits(None, 0.0)
    assert evaluation_limits(Limits(None, -0.5), [], 1, 0, Limits(), -1.0) is None
    assert evaluation_limits(Limits(8, 4.0), [Limits(2, 1.0)], 2, 1) == Limits(3, 1.5)


def test_the_most_of_one_counts_every_restart() -> None:
    assert most_of_one(Jobs(27, 27), 3600, 4) == Limits(27, 108.0)
    # a job that is not charged still takes core-hours
    assert most_of_one(Jobs(1, 0), 1800, 1) == Limits(0, 0.5)
    assert most_of_one(Jobs(0, 0), 1800, 2) == Limits(0, 1.0)


@given(
    st.integers(0, 60),
    st.floats(0, 3),
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80),
    st.integers(1, 8),
    st.integers(1, 4),
)
def test_whatever_evaluations_use_the_budget_holds(
    jobs: int, hours: float, course: list[tuple[float, bool]], at_once: int, needed: int
) -> None:
    used, used_hours, running = 0, 0.0, []
    for share, ends in course:
        while len(running) < at_once:
            left = Limits(jobs - used, hours - used_hours)
            limits = evaluation_limits(left, running, at_once - len(running), needed, Limits(3 * needed, 1.0))
            if limits is None:
                break
            assert limits.dft_calculations >= needed
            running.append(limits)
        if running and ends:
            ended = running.pop(0)
            used += round(share * ended.dft_calculations)
            used_hours += share * ended.core_hours
        assert used + sum(item.dft_calculations for item in running) <= jobs
        assert used_hours + sum(item.core_hours for item in running) <= hours + 1e-9


def test_fits_become_rare_but_never_stop() -> None:
    fits, fitted = [], 0
    for rows in range(1, 1001):
        if fit_is_due(rows, fitted):
            fits.append(rows)
            fitted = rows
    assert fits[:10] == list(range(1, 11))
    assert 45 < len(fits) < 65
    assert [fit_is_due(rows, 20) for rows in (20, 21, 22, 23)] == [False, False, True, True]
    assert [fit_is_due(rows, 4) for rows in (4, 5)] == [False, True]
    assert not fit_is_due(0, 0)


def test_most_of_the_initial_candidates_end_before_anything_is_chosen() -> None:
    assert [may_choose(ended, 8, free=8, at_once=8) for ended in (0, 5, 6, 8)] == [False, False, True, True]
    assert may_choose(1, 1, free=1, at_once=1)
    assert not may_choose(0, 1, free=1, at_once=1)


def test_as_long_as_each_result_teaches_much_half_of_the_places_are_filled_together() -> None:
    assert [may_choose(12, 8, free, at_once=8) for free in (1, 3, 4, 8)] == [False, False, True, True]
    assert [may_choose(ended, 8, free=1, at_once=8) for ended in (23, 24)] == [False, True]
    assert may_choose(2, 1, free=1, at_once=1)


def test_free_slots_are_filled_up_to_what_is_allowed() -> None:
    settings = CampaignSettings.model_validate(
        {
            'name': 'test',
            'goal': {'objectives': [{'property': 'volume', 'minimize': True}]},
            'select': {'initial': 6, 'batch': 2, 'schedule': 'asynchronous'},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost'},
        }
    )

    def size(**changes: int) -> int:
        where = {'ended': 0, 'running': 0, 'chosen': 0, 'allowed': 20, 'at_once': 3, 'is_first': False}
        return to_choose(settings, **{**where, **changes})

    assert size(is_first=True) == 6
    assert size(is_first=True, allowed=4) == 4
    # of six initial candidates four have ended: too few
    assert size(ended=4, running=1, chosen=5) == 0
    assert size(ended=9, running=1, chosen=10) == 2
    assert size(ended=18, running=1, chosen=19) == 1
    assert size(ended=20, chosen=20) == 0
    assert size(ended=20, chosen=21) == 0
    assert size(ended=20, chosen=19) == 1
    # as long as each result teaches much, half of the slots have to be free
    assert size(ended=6, running=1, chosen=7) == 2
    assert size(ended=6, running=2, chosen=8) == 0
    # nothing runs: there is nothing to wait for
    assert size(ended=1, chosen=1) == 3
    assert size(is_first=True, at_once=9) == 9
    assert size(is_first=True, at_once=9, running=2, ended=30) == 7
