"""Scheduler options: what the file names, what the protocol adds, and what must not reach a job script."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from aiida_inversedesign.campaign.engine_settings import Options
from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.common.options import job_options, processes, wall_seconds
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso


def pw(protocol: str = 'fast', **options: Any) -> dict[str, Any]:
    section = QuantumEspresso(
        engine='quantumespresso', pw='pw@cluster', pseudos='p', protocol=protocol, options=Options(**options)
    )
    return section.model_dump(mode='json')


def test_the_protocol_says_what_the_file_does_not() -> None:
    assert [wall_seconds(pw(name)) for name in ('fast', 'balanced', 'stringent')] == [3600, 21600, 86400]
    assert wall_seconds(pw('stringent', max_wallclock_seconds=60)) == 60
    assert processes(pw()) == 1
    assert processes(pw(num_machines=2, num_mpiprocs_per_machine=16)) == 32
    assert wall_seconds(Ase(engine='ase', code='python@cluster').model_dump(mode='json')) == 3600


def test_options_of_a_job_are_those_of_aiida() -> None:
    section = pw(
        num_machines=2, num_mpiprocs_per_machine=16, num_cores_per_mpiproc=4, max_memory_gb=64, queue_name='normal',
        account='p-123', qos='high', max_wallclock_seconds=7200,
    )  # fmt: skip
    assert job_options(section, 600) == {
        'resources': {'num_machines': 2, 'num_mpiprocs_per_machine': 16, 'num_cores_per_mpiproc': 4},
        'max_wallclock_seconds': 600,
        'max_memory_kb': 62_500_000,
        'queue_name': 'normal',
        'account': 'p-123',
        'qos': 'high',
        'withmpi': True,
    }


@pytest.mark.parametrize(
    ('options', 'code', 'expected'),
    [
        ({}, None, False),
        ({'num_mpiprocs_per_machine': 2}, None, True),
        ({'num_mpiprocs_per_machine': 2}, True, True),
        ({}, False, False),
        ({'withmpi': True}, None, True),
    ],
)
def test_mpi_is_what_the_file_says_else_the_code_else_the_number_of_processes(
    options: dict[str, Any], code: bool | None, expected: bool | None
) -> None:
    assert job_options(pw(**options), 60, code).get('withmpi') == expected


def test_sections_stored_before_options_were_optional_are_still_read() -> None:
    old = pw() | {
        'options': {
            'num_machines': 1,
            'num_mpiprocs_per_machine': 4,
            'max_wallclock_seconds': 3600,
            'queue_name': None,
            'account': None,
            'withmpi': True,
        }
    }
    assert processes(old) == 4
    assert job_options(old, 60) == {
        'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 4},
        'max_wallclock_seconds': 60,
        'withmpi': True,
    }


@pytest.mark.parametrize('name', ['queue_name', 'account', 'qos'])
@pytest.mark.parametrize('text', ['debug\nrm -rf /', 'a b', '', '$(id)', '`id`', '-p', 'x;y', "x'"])
def test_no_word_of_the_head_of_a_job_script_can_end_its_line(name: str, text: str) -> None:
    with pytest.raises(ValidationError):
        Options(**{name: text})
