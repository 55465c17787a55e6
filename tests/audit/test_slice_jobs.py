"""Slices of relaxations as the audit counts them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aiida_inversedesign.engines.quantumespresso.reasons import PW
from aiida_inversedesign.graph.job_record import JobRecord


def job(*path: str, exit_status: int = 0, state: str = 'finished', evaluation: str = 'a1') -> JobRecord:
    return JobRecord(
        1, datetime(2026, 1, 1, tzinfo=UTC), 1, 2, evaluation, path, PW, exit_status, state, 1, 10.0, 60.0, False
    )


@pytest.mark.parametrize(
    ('path', 'kind', 'is_slice'),
    [
        (('relax', 'iteration_01'), 'relax', True),
        (('relax_slice_2', 'iteration_01'), 'relax', True),
        (('relax_slice_12', 'iteration_03'), 'relax', True),
        (('relax', 'init_relax', 'iteration_01'), 'relax', False),
        (('relax', 'iteration_01', 'iteration_02'), 'relax', False),
        (('relaxed', 'iteration_01'), 'other', False),
        (('eos_00', 'iteration_01'), 'equation_of_state', False),
        (('stage_phonons', 'iteration_01'), 'further', False),
    ],
)
def test_every_slice_is_a_relaxation(path: tuple[str, ...], kind: str, is_slice: bool) -> None:
    made = job(*path, exit_status=502)
    assert (made.kind, made.has_failed, made.is_dft) == (kind, not is_slice, True)


def test_a_slice_of_a_reference_is_a_reference() -> None:
    assert job('relax_slice_2', 'iteration_01', evaluation='reference_C').kind == 'reference'


def test_a_slice_that_has_made_its_steps_has_not_failed_but_a_relaxation_in_one_piece_has() -> None:
    ended = job('relax_slice_2', 'iteration_01', exit_status=502)
    assert not ended.has_failed
    assert ended.failure == ''
    whole = job('relax', 'iteration_01', 'iteration_01', exit_status=502)
    assert whole.has_failed
    assert 'largest number of steps' in whole.failure


@pytest.mark.parametrize(('exit_status', 'state'), [(312, 'finished'), (0, 'killed'), (502, 'excepted')])
def test_other_ends_of_a_slice_are_failures(exit_status: int, state: str) -> None:
    failed = job('relax', 'iteration_01', exit_status=exit_status, state=state)
    assert failed.has_failed
    assert failed.failure


def test_a_restart_within_a_slice_is_one_but_the_next_slice_is_none() -> None:
    assert job('relax_slice_2', 'iteration_02').is_restart
    assert not job('relax_slice_2', 'iteration_01').is_restart
