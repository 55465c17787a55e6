"""Batches: who is left out, which arm, and that the search beats chance."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.candidate import Verdict
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.spec import Select
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.learn.surrogate import SurrogateError
from aiida_inversedesign.select.choose import Choice, choose_batch, control_slots
from aiida_inversedesign.select.observed import SelectError
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

SPACE = CrystalSpace()
GOAL = Goal(objectives=[{'property': 'bulk_modulus', 'maximize': True}])


@pytest.fixture(scope='module')
def rows(pool, evaluate):
    return [evaluate(candidate) for candidate in pool[:20]]


@pytest.fixture(scope='module')
def surrogate(rows):
    return fit_surrogate(rows, ['bulk_modulus'], SPACE, 'gp', 0)


def test_initial_arm_without_a_surrogate(pool):
    batch = choose_batch(GOAL, Select(control_fraction=0.5), SPACE, pool, [], None, 6, seed=1)
    assert [choice.arm for choice in batch] == ['initial'] * 6
    assert {choice.acquisition for choice in batch} == {'spread'}
    formulas = {candidate.id: candidate.key for candidate in pool}
    assert len({formulas[choice.candidate] for choice in batch}) == 6
    assert choose_batch(GOAL, Select(), SPACE, pool, [], None, 6, seed=1) == batch


@pytest.mark.parametrize('acquisition', ['auto', 'log_ei', 'posterior_mean', 'random'])
def test_deterministic_recorded_and_new(pool, rows, surrogate, acquisition):
    settings = Select(acquisition=acquisition, control_fraction=0.3)
    batch = choose_batch(GOAL, settings, SPACE, pool, rows, surrogate, 4, seed=5)
    assert batch == choose_batch(GOAL, settings, SPACE, pool, rows, surrogate, 4, seed=5)
    assert len({choice.candidate for choice in batch}) == 4
    assert not {choice.candidate for choice in batch} & {row.candidate for row in rows}
    expected = {'auto': 'ucb'}.get(acquisition, acquisition)
    for choice in batch:
        assert choice.acquisition == (expected if choice.arm == 'acquisition' else 'random')
        assert (choice.value is None) == (choice.acquisition == 'random')
        mean, deviation = choice.predicted['bulk_modulus']
        assert np.isfinite(mean)
        assert deviation > 0
        assert Choice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


def test_a_batch_of_one_is_the_first_of_a_larger(pool, rows, surrogate):
    one = choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 1, seed=5)
    assert choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 3, seed=5)[:1] == one


def same(first: list[Choice], second: list[Choice]) -> bool:
    """The same candidates with the same scores; sums over blocks of another size differ in the last digits."""
    values = [np.array([choice.value or 0.0 for choice in batch]) for batch in (first, second)]
    return [one.candidate for one in first] == [one.candidate for one in second] and np.allclose(*values, rtol=1e-9)


def test_rejected_evaluated_and_pending_are_left_out(pool, rows, surrogate, evaluate):
    best = choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 3, seed=0)
    ids = [choice.candidate for choice in best]
    by_id = {candidate.id: candidate for candidate in pool}
    rejected = dataclasses.replace(by_id[ids[0]], verdicts={'distance': Verdict(False, 0.4, 'too close')})
    changed = [rejected if candidate.id == ids[0] else candidate for candidate in pool]
    failed = evaluate(by_id[ids[1]], status='failed', relaxed=None, properties={})
    again = choose_batch(GOAL, Select(), SPACE, changed, [*rows, failed], surrogate, 5, seed=0, pending=[ids[2]])
    assert not {choice.candidate for choice in again} & set(ids)


def test_a_crystal_computed_under_another_id_is_not_chosen(pool, rows, surrogate, evaluate):
    best = choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 1, seed=0)[0].candidate
    twin = next(candidate for candidate in pool if candidate.id == best)
    swollen = dataclasses.replace(twin.content).scaled_to(twin.content.volume * 1.05)
    # as the relaxed crystal of another proposal, as a failed one, and as one that is running
    for fields in (
        {'relaxed': swollen, 'proposed': pool[0].content},
        {'status': 'failed', 'relaxed': None, 'proposed': swollen, 'properties': {}},
    ):
        row = evaluate(twin, candidate='g000-c0000', **fields)
        batch = choose_batch(GOAL, Select(), SPACE, pool, [*rows, row], surrogate, 3, seed=0)
        assert best not in {choice.candidate for choice in batch}
    running = dataclasses.replace(twin, id='g000-c0000', content=swollen)
    batch = choose_batch(GOAL, Select(), SPACE, [*pool, running], rows, surrogate, 3, seed=0, pending=['g000-c0000'])
    assert best not in {choice.candidate for choice in batch}


@pytest.mark.parametrize('model', [True, False])
@pytest.mark.parametrize('acquisition', ['log_ei', 'posterior_mean', 'random'])
def test_no_near_duplicates_in_a_batch(pool, rows, surrogate, acquisition, model):
    base = pool[150]
    copies = [
        dataclasses.replace(
            base, id=f'g002-c{i:04d}', content=base.content.scaled_to(base.content.volume * (1 + i / 100))
        )
        for i in range(5)
    ]
    others = pool[200:202]
    settings = Select(acquisition=acquisition)
    batch = choose_batch(GOAL, settings, SPACE, [*copies, *others], rows, surrogate if model else None, 6, seed=0)
    assert len(batch) == 3
    assert sum(choice.candidate.startswith('g002') for choice in batch) == 1


def test_fewer_candidates_than_asked(pool, rows, surrogate):
    assert len(choose_batch(GOAL, Select(control_fraction=0.5), SPACE, pool[20:23], rows, surrogate, 8, seed=0)) == 3
    assert choose_batch(GOAL, Select(), SPACE, pool[:20], rows, surrogate, 8, seed=0) == []
    assert choose_batch(GOAL, Select(), SPACE, [], [], None, 8, seed=0) == []
    assert choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 0, seed=0) == []


def test_many_candidates_take_the_shortlist(pool, rows, surrogate, monkeypatch):
    whole = choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 4, seed=2)
    monkeypatch.setattr('aiida_inversedesign.select.batch.SHORTLIST', 40)
    assert same(choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 4, seed=2), whole)


def test_bad_requests(pool, rows, surrogate):
    with pytest.raises(SelectError, match='negative'):
        choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, -1, seed=0)
    with pytest.raises(SelectError, match='same id'):
        choose_batch(GOAL, Select(), SPACE, [pool[0], pool[0]], rows, surrogate, 1, seed=0)
    with pytest.raises(SelectError, match='g009-c0000 are not in the pool'):
        choose_batch(GOAL, Select(), SPACE, pool, rows, surrogate, 1, seed=0, pending=['g009-c0000'])


@given(fraction=st.floats(0, 1), sizes=st.lists(st.integers(1, 5), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_the_control_fraction_is_met(fraction, sizes, seed):
    @dataclasses.dataclass
    class Row:
        arm: str

    rng = np.random.default_rng(seed)
    done = [Row('initial')] * 4
    for size in sizes:
        control = control_slots(fraction, done, size, rng.random())
        assert 0 <= control <= size
        done += [Row('control')] * control + [Row('acquisition')] * (size - control)
    later = len(done) - 4
    assert abs(sum(row.arm == 'control' for row in done) - fraction * later) <= 1


def test_control_is_drawn_uniformly(pool, rows, surrogate):
    drawn = [
        choose_batch(GOAL, Select(control_fraction=1.0), SPACE, pool, rows, surrogate, 4, seed=seed)
        for seed in range(30)
    ]
    assert {choice.arm for batch in drawn for choice in batch} == {'control'}
    places = [int(choice.candidate[-4:]) for batch in drawn for choice in batch]
    assert abs(np.mean(places) - 159.5) < 3 * 81 / len(places) ** 0.5
    assert len(set(places)) > 80


def search(pool, evaluate, settings: Select, seed: int, steps: int) -> list[str]:
    rows = []
    while len(rows) < steps:
        try:
            model = fit_surrogate(rows, GOAL.properties, SPACE, 'auto', seed)
        except SurrogateError:
            model = None
        size = settings.initial if model is None else settings.batch
        batch = choose_batch(GOAL, settings, SPACE, pool, rows, model, size, seed * 1000 + len(rows))
        by_id = {candidate.id: candidate for candidate in pool}
        rows += [evaluate(by_id[choice.candidate], arm=choice.arm) for choice in batch]
    return [row.candidate for row in rows[:steps]]


def test_the_search_beats_chance(pool, evaluate, answers):
    """30 of 300 evaluations, three seeds: random finds 1.5 of the 15 best on average."""
    order = sorted(answers, key=lambda name: -answers[name]['bulk_modulus'])
    best = set(order[:15])
    found = [len(best & set(search(pool, evaluate, Select(initial=6, batch=4), seed, 30))) for seed in range(3)]
    assert np.mean(found) > 6
    assert min(found) > 3


def test_unusual_cell_is_a_candidate_like_any_other(pool, rows, surrogate):
    needle = dataclasses.replace(
        pool[100], id='g001_c9999', content=Crystal(np.diag([3.0, 3.0, 300.0]), ('Si',), [[0, 0, 0]]), key='Si'
    )
    assert len(choose_batch(GOAL, Select(), SPACE, [needle], rows, surrogate, 1, seed=0)) == 1


def test_the_control_arm_counts_what_is_running() -> None:
    from aiida_inversedesign.select.choose import control_slots

    # eight running, one of them control: at a fraction of 0.1 no further place is due
    assert control_slots(0.1, [], 1, 0.05, ['control', *['acquisition'] * 7]) == 0
    assert control_slots(0.1, [], 1, 0.95, ['acquisition'] * 19) == 1
