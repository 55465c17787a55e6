"""The simulated schedules: what each waits for, and what the asynchronous one gains."""

from __future__ import annotations

from aiida_inversedesign.benchmarks.search.schedules import gain, search


def test_generations_wait_for_all_and_equal_durations_leave_nothing_to_gain() -> None:
    plain = search('generations', 0, 4, 12, sigma=0.0)
    assert [moment for moment, _ in plain] == [1.0] * 4 + [2.0] * 4 + [3.0] * 4
    stream = search('asynchronous', 0, 4, 12, sigma=0.0)
    assert [moment for moment, _ in stream] == [1.0] * 4 + [2.0] * 4 + [3.0] * 4


def test_spread_durations_are_where_it_gains() -> None:
    figures = gain(range(2), at_once=8, batches=4)
    assert figures['evaluations'] > 1.5
    assert figures['hits'] > 1.0
    assert figures['least'] <= figures['low'] <= figures['evaluations'] <= figures['high'] <= figures['largest']
    both = figures['hits_per_evaluation']
    assert abs(both['asynchronous'] - both['generations'] - both['difference']['value']) < 1e-12


def test_it_repeats_itself() -> None:
    assert search('asynchronous', 3, 4, 20) == search('asynchronous', 3, 4, 20)
