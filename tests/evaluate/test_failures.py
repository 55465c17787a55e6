"""Failure reasons in plain words."""

from __future__ import annotations

import pytest
from aiida.plugins import CalculationFactory

from aiida_inversedesign.graph.failure_reasons import JOB_REASONS, failure_reason, with_attempts


@pytest.mark.parametrize(
    ('process', 'status', 'state', 'words'),
    [
        ('PwCalculation', 400, 'finished', 'ran out of wall time'),
        ('PwCalculation', 340, 'finished', 'max_wallclock_seconds'),
        ('PwCalculation', 410, 'finished', 'did not converge'),
        ('PwCalculation', 312, 'finished', 'killed'),
        ('PwBaseWorkChain', 201, 'finished', 'pseudopotential is missing'),
        ('PwCalculation', None, 'killed', 'was killed by a user'),
        ('PwBaseWorkChain', None, 'excepted', 'verdi process report'),
    ],
)
def test_plain_words(process: str, status: int | None, state: str, words: str) -> None:
    assert words in failure_reason(process, status, 'ERROR_SOMETHING', state)


def test_what_is_not_known_is_repeated() -> None:
    assert failure_reason('AseCalculation', 310, 'the calculator is missing.') == 'the calculator is missing'
    assert failure_reason('XCalculation', 7, None) == 'XCalculation ended with exit status 7'


def test_every_exit_code_of_pw_is_explained() -> None:
    codes = {code.status for code in CalculationFactory('quantumespresso.pw').exit_codes.values()}
    # 1, 2, 10, 11 are AiiDA's own for processes that did not get as far as running, 160 has a message of its own
    assert codes - set(JOB_REASONS) <= {1, 2, 10, 11, 160}


def test_attempts_are_told() -> None:
    assert with_attempts('it broke', 1) == 'it broke'
    assert with_attempts('it broke', 3) == 'it broke (after 3 attempts)'
