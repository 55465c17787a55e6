"""Failure reasons in plain words."""

from __future__ import annotations

import pytest
from aiida.plugins import CalculationFactory

from aiida_inversedesign.engines.quantumespresso.descriptor import STEPS_USED
from aiida_inversedesign.engines.quantumespresso.reasons import JOB_REASONS, PW
from aiida_inversedesign.graph.failure_reasons import failure_reason, with_attempts

BASE = 'aiida.workflows:quantumespresso.pw.base'
SLICE = 'aiida_inversedesign.engines.quantumespresso.pw_slice.PwSliceWorkChain'


@pytest.mark.parametrize(
    ('process', 'status', 'state', 'words'),
    [
        (PW, 400, 'finished', 'ran out of wall time'),
        (PW, 340, 'finished', 'max_wallclock_seconds'),
        (PW, 410, 'finished', 'did not converge'),
        (PW, 312, 'finished', 'killed'),
        (BASE, 201, 'finished', 'pseudopotential is missing'),
        (SLICE, 201, 'finished', 'pseudopotential is missing'),
        (PW, None, 'killed', 'it was killed before it finished'),
        (BASE, None, 'excepted', 'verdi process report'),
    ],
)
def test_plain_words(process: str, status: int | None, state: str, words: str) -> None:
    assert words in failure_reason(process, status, 'ERROR_SOMETHING', state)


def test_what_is_not_known_is_repeated() -> None:
    ase = 'aiida.calculations:inversedesign.ase'
    assert failure_reason(ase, 310, 'the calculator is missing.') == 'the calculator is missing'
    assert failure_reason('x', 7, None, name='XCalculation') == 'XCalculation ended with exit status 7'


def test_the_last_line_of_an_exception_is_told() -> None:
    traceback = 'Traceback (most recent call last):\n  File "x"\nValueError: no\n'
    assert (
        failure_reason(None, None, None, 'excepted', traceback) == 'it stopped with an internal error: ValueError: no'
    )


def test_a_slice_that_made_its_steps_has_the_exit_code_of_pw() -> None:
    assert CalculationFactory('quantumespresso.pw').exit_codes.ERROR_IONIC_CYCLE_EXCEEDED_NSTEP.status == STEPS_USED


def test_every_exit_code_of_pw_is_explained() -> None:
    codes = {code.status for code in CalculationFactory('quantumespresso.pw').exit_codes.values()}
    # 1, 2, 10, 11 are AiiDA's own for processes that did not get as far as running, 160 has a message of its own
    assert codes - set(JOB_REASONS) <= {1, 2, 10, 11, 160}


def test_attempts_are_told() -> None:
    assert with_attempts('it broke', 1) == 'it broke'
    assert with_attempts('it broke', 3) == 'it broke (after 3 attempts)'
