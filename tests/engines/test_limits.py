"""Hard limits, shared out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.contracts.engine import LEAST_SECONDS
from aiida_inversedesign.engines.common.limits import STAGE_SHARE, Allotment, LimitError, allot, restart_policy


@given(
    chains=st.integers(1, 21),
    later=st.integers(0, 21),
    restarts=st.integers(0, 10),
    seconds=st.integers(1, 86400),
    processes=st.integers(1, 64),
    jobs=st.none() | st.integers(0, 200),
    hours=st.none() | st.floats(0, 1000),
)
def test_the_worst_case_never_exceeds_a_limit(
    chains: int, later: int, restarts: int, seconds: int, processes: int, jobs: int | None, hours: float | None
) -> None:
    try:
        share = allot(chains, later, restarts, seconds, processes, jobs, hours)
    except LimitError:
        return
    assert len(share.jobs) == chains
    assert all(1 <= number <= restarts + 1 for number in share.jobs)
    assert 1 <= share.seconds <= seconds
    if jobs is not None:
        assert sum(share.jobs) + later <= jobs
    if hours is not None:
        assert sum(share.jobs) * share.seconds * processes <= hours * 3600 * (1 + 1e-9)


def test_what_is_left_over_goes_into_restarts() -> None:
    assert allot(2, 7, 2, 60, 1, 9, None).jobs == (1, 1)
    assert allot(2, 7, 2, 60, 1, 12, None).jobs == (3, 2)
    assert allot(2, 7, 2, 60, 1, None, None).jobs == (3, 3)


def test_a_stage_that_does_not_fit_says_why() -> None:
    with pytest.raises(LimitError, match=r'8 more calculation jobs are allowed .* 9 are needed'):
        allot(2, 7, 2, 60, 1, 8, None)
    with pytest.raises(LimitError, match=r'0\.001 core-hours are left'):
        allot(2, 7, 2, 3600, 4, None, 0.001)


@pytest.mark.parametrize('jobs', range(1, 8))
def test_restart_policy_counts_the_uncounted_restart(jobs: int) -> None:
    iterations, unhandled = restart_policy(jobs)
    assert iterations + (unhandled == 'restart_once') == jobs
    assert restart_policy(jobs) == {1: (1, 'abort'), 2: (2, 'abort')}.get(jobs, (jobs - 1, 'restart_once'))


def test_core_hours_cut_restarts_first_and_then_the_wall_time() -> None:
    # 4 jobs x 2 processes x 3600 s fit exactly
    assert allot(2, 0, 1, 3600, 2, None, 8.0) == Allotment((2, 2), 3600)
    assert allot(2, 0, 1, 3600, 2, None, 7.99) == Allotment((1, 1), 3600)
    assert allot(2, 0, 1, 3600, 2, None, 4.0) == Allotment((1, 1), 3600)
    assert allot(2, 0, 1, 3600, 2, None, 2.0) == Allotment((1, 1), 1800)
    # a later stage keeps its share
    assert allot(1, 3, 0, 36000, 1, None, 1.0) == Allotment((1,), int(STAGE_SHARE * 3600))
    assert allot(1, 0, 0, 36000, 1, None, 1.0) == Allotment((1,), 3600)


def test_a_job_needs_the_least_wall_time_or_what_the_user_named() -> None:
    least = LEAST_SECONDS / 3600
    assert allot(1, 0, 0, 3600, 1, None, least).seconds == LEAST_SECONDS
    with pytest.raises(LimitError):
        allot(1, 0, 0, 3600, 1, None, least * 0.9)
    assert allot(1, 0, 0, LEAST_SECONDS - 1, 1, None, least).seconds == LEAST_SECONDS - 1
    with pytest.raises(LimitError):
        allot(1, 0, 0, LEAST_SECONDS - 1, 1, None, (LEAST_SECONDS - 2) / 3600)


def test_restarts_are_shared_evenly() -> None:
    assert allot(3, 1, 5, 60, 1, 8, None).jobs == (3, 2, 2)
    assert allot(3, 1, 5, 60, 1, 4, None).jobs == (1, 1, 1)
    assert allot(3, 1, 1, 60, 1, 100, None).jobs == (2, 2, 2)
    with pytest.raises(LimitError, match=r'3 more calculation jobs .* 4 are needed'):
        allot(3, 1, 5, 60, 1, 3, None)
