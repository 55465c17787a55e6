"""Budgets are never exceeded, and a campaign that may go on is told how far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.costs import least_cost
from aiida_inversedesign.campaign.costs.budget import (
    HOURS_NEEDED,
    LEAST_CORE_HOURS,
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
from aiida_inversedesign.campaign.demands import core_hours_needed, jobs_needed
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


@pytest.mark.parametrize(
    ('limits', 'last', 'over'),
    [
        ({}, Spent(evaluations=9), Spent(evaluations=10)),
        ({'dft_calculations': 30}, Spent(dft_calculations=29), Spent(dft_calculations=30)),
        ({'generations': 3}, Spent(generations=2), Spent(generations=3)),
        ({'hits': 2}, Spent(distinct_hits=1), Spent(distinct_hits=2)),
        ({'max_failures': 3}, Spent(failed=2), Spent(failed=3)),
        ({'failure_rate': 0.5}, Spent(evaluations=6, failed=3), Spent(evaluations=6, failed=4)),
        ({'failure_rate': 0.5}, Spent(evaluations=4, failed=4), Spent(evaluations=5, failed=4)),
        ({'core_hours': 1.0}, Spent(core_hours=1 - LEAST_CORE_HOURS * 1.001), Spent(core_hours=1.0)),
    ],
)
def test_a_budget_ends_exactly_at_its_limit(limits: dict, last: Spent, over: Spent) -> None:
    budget = Budget(evaluations=10, **limits)
    assert stop_reason(budget, last) is None
    assert stop_reason(budget, over) is not None


def test_core_hours_end_where_one_evaluation_does_not_fit() -> None:
    budget = Budget(evaluations=10, core_hours=4.0)
    # exact numbers: what is needed is left, so that one more fits
    assert stop_reason(budget, Spent(core_hours=3.5), 0.5) is None
    assert 'less than one evaluation needs' in stop_reason(budget, Spent(core_hours=3.75), 0.5)
    assert stop_reason(budget, Spent(core_hours=4.0), 0.0) == 'budget used up: 4 of 4 core-hours'
    assert stop_reason(budget, Spent(core_hours=3.9), 0.0) is None
    # without a record of what is needed: a minute on one core
    assert stop_reason(Budget(evaluations=1, core_hours=1 / 60), Spent()) is None
    assert allowance(budget, Spent(core_hours=2.0), 8, 0, 0.5) == Allowance(4, None, 2.0)
    assert allowance(budget, Spent(core_hours=2.0), 8, 0) == Allowance(8, None, 2.0)
    assert allowance(budget, Spent(core_hours=4 - 2 / 60), 8, 0).evaluations == 2


def test_the_last_batch_takes_the_last_calculations() -> None:
    budget = Budget(evaluations=10, dft_calculations=18)
    assert allowance(budget, Spent(), 8, 9) == Allowance(2, 18, None)
    assert allowance(budget, Spent(dft_calculations=9), 8, 9) == Allowance(1, 9, None)
    assert isinstance(allowance(budget, Spent(dft_calculations=10), 8, 9), str)
    assert allowance(budget, Spent(dft_calculations=17), 8, 1) == Allowance(1, 1, None)
    # evaluations without DFT are not cut
    assert allowance(budget, Spent(dft_calculations=17), 8, 0) == Allowance(8, 1, None)


def test_limits_cover_and_share_exactly() -> None:
    assert Allowance(3, 9, 1.5).limits == Limits(9, 1.5)
    assert [Limits(9).covered(5, needed) for needed in (9, 10, 4, 3, 1, 0)] == [1, 0, 2, 3, 5, 5]
    assert Limits(3).covered(5, 1) == 3
    assert Limits(None, 0.5).covered(8, 1) == 8
    assert [Limits(None, 1.0).covered(8, 1, hours) for hours in (1.0, 1.1, 0.25, 0.1, 0.0)] == [1, 0, 4, 8, 8]
    assert Limits(None, 0.3).covered(8, 0, 0.1) == 3  # although 0.3 / 0.1 is below 3 in floats
    assert (Limits(-5).covered(4, 3), Limits(None, -1.0).covered(4, 0, 0.5)) == (0, 0)
    assert Limits(9, 1.0).covered(8, 3, 0.5) == 2
    assert Limits(3, 1.0).covered(8, 3, 0.5) == 1
    assert Limits(9, 1.0).share(2) == Limits(4, 0.5)
    assert Limits(9, 1.0).share(0) == Limits(9, 1.0).share(1) == Limits(9, 1.0)
    assert Limits(9).share(3) == Limits(3)
    assert Limits(None, 3.0).share(3) == Limits(None, 1.0)
    assert Limits(9, 2.0).less([(2, 0.5), (3, 0.25)]) == Limits(4, 1.25)
    assert Limits(9).less([(2, 0.5)]) == Limits(7)
    assert Limits(None, 2.0).less([(2, 0.5)]) == Limits(None, 1.5)


def test_what_was_spent_is_read_from_the_counts() -> None:
    counts = {'total': 7, 'completed': 4, 'failed': 3, 'hits': 2, 'distinct_hits': 1}
    assert Spent.of(counts, 2, 11, 1.5) == Spent(7, 3, 1, 2, 11, 1.5)
    assert Spent.of({}, 0) == Spent()


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
    hours = Budget(evaluations=20, core_hours=1.0)
    assert next_allowance(settings(), hours, Spent(), 0.25) == Allowance(4, None, 1.0)
    assert 'less than one evaluation needs (2)' in next_allowance(settings(), hours, Spent(), 2.0)
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
    # the remainder does not cover one evaluation
    short = Spent(evaluations=4, generations=1, dft_calculations=40).record(settings())
    assert conclusion(Budget(evaluations=8, dft_calculations=49), short) is None
    assert 'one evaluation needs 9' in conclusion(Budget(evaluations=8, dft_calculations=48), short)
    assert conclusion(budget, {**record, 'exhausted': 'nothing left', 'requested': 'stopped'}) == 'nothing left'


def test_what_is_recorded_of_an_allowance_and_of_what_was_spent() -> None:
    budget = Budget(evaluations=20, core_hours=2.0, at_once=3)
    needed = core_hours_needed(settings())
    assert Spent(4, 1, 2, 1, 30, 0.5).record(settings()) == {
        'evaluations': 4,
        'failed': 1,
        'distinct_hits': 2,
        'generations': 1,
        'dft_calculations': 30,
        'core_hours': 0.5,
        'dft_per_evaluation': 9,
        HOURS_NEEDED: needed,
    }
    plain = {'evaluations': 3, 'dft_calculations': None, 'core_hours': 2.0, 'at_once': 3}
    assert Allowance(3, None, 2.0).record(settings(), budget) == {**plain, HOURS_NEEDED: needed}
    without = Budget(evaluations=20, at_once=3)
    assert Allowance(3, None, 2.0).record(settings(), without) == plain
    stream = Allowance(3, None, 2.0).record(settings(schedule='asynchronous'), without)
    assert stream == {**plain, 'budget': without.model_dump(mode='json')}


def test_a_whole_budget_covers_the_references_first() -> None:
    campaign = settings()
    one = Budget(evaluations=20, core_hours=core_hours_needed(campaign) * 3)
    assert evaluations_at_most(campaign, one) == 3
    assert evaluations_at_most(campaign, Budget(evaluations=2)) == 2
    stable = CampaignSettings.model_validate(
        {**campaign.model_dump(mode='json'), 'goal': {'objectives': [{'property': 'e_above_hull', 'minimize': True}]}}
    )
    cost = least_cost.of_references(stable.goal, stable.space, stable.evaluate)
    assert cost.dft_calculations > 0
    needed = jobs_needed(stable)
    assert evaluations_at_most(stable, Budget(evaluations=20, dft_calculations=2 * needed)) < 2
    assert evaluations_at_most(stable, Budget(evaluations=20, dft_calculations=2 * needed + cost.dft_calculations)) == 2
    hours = core_hours_needed(stable)
    assert evaluations_at_most(stable, Budget(evaluations=20, core_hours=2 * hours)) < 2
    assert evaluations_at_most(stable, Budget(evaluations=20, core_hours=2 * hours + cost.core_hours)) == 2


def test_references_are_cut_to_what_the_budget_leaves() -> None:
    assert references_covered(settings(), Limits(5), ['B', 'C', 'N']) == ['B', 'C']
    assert references_covered(settings(), Limits(), ['B', 'C']) == ['B', 'C']
    assert references_covered(settings(), Limits(1), ['B']) == []
    hours = core_hours_needed(settings(), ['energy'])
    assert references_covered(settings(), Limits(None, 2 * hours), ['B', 'C', 'N']) == ['B', 'C']


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
