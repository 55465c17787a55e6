"""Command lines in advice are complete: they are run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.engines.common.advice import code_command
from aiida_inversedesign.workchains.build import SetupError, build_campaign


def run(command: str) -> None:
    from aiida.cmdline.commands.cmd_verdi import verdi

    for part in command.split(' && '):
        words = shlex.split(part)
        assert words[0] == 'verdi'
        done = CliRunner().invoke(verdi, words[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.output


CAMPAIGN: dict[str, Any] = {
    'name': 'advice',
    'seed': 1,
    'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]},
    'space': {'elements': ['Cu'], 'ratios': ['1']},
    'budget': {'evaluations': 2},
}


def problems(engine: dict[str, Any]) -> str:
    with pytest.raises(SetupError) as caught:
        build_campaign(validate_campaign({**CAMPAIGN, 'evaluate': engine}))
    return next(text for text in caught.value.problems if 'there is no code' in text)


@pytest.mark.usefixtures('aiida_profile_clean')
@pytest.mark.parametrize('label', ['python@localhost', 'python', 'my-python@localhost'])
def test_the_commands_for_a_missing_code_and_computer_make_both(label: str) -> None:
    from aiida.orm import load_code

    text = problems({'engine': 'ase', 'code': label})
    assert '--default-calc-job-plugin inversedesign.ase' in text
    for command in re.findall('`(verdi [^`]*)`', text):
        run(command)
    code = load_code(label)
    assert (code.default_calc_job_plugin, code.with_mpi) == ('inversedesign.ase', False)
    assert code.computer.is_configured
    build_campaign(validate_campaign({**CAMPAIGN, 'evaluate': {'engine': 'ase', 'code': label}}))


@pytest.mark.usefixtures('aiida_profile_clean')
def test_the_command_for_pw_and_for_a_computer_that_is_there(tmp_path: Path) -> None:
    from aiida.orm import load_code

    from aiida_inversedesign.cli.setup_local import make_localhost_computer

    make_localhost_computer(tmp_path)
    text = problems({'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'none'})
    (command,) = re.findall('`(verdi [^`]*)`', text)
    run(command)
    assert load_code('pw@localhost').default_calc_job_plugin == 'quantumespresso.pw'


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_computer_elsewhere_is_set_up_first() -> None:
    text = problems({'engine': 'ase', 'code': 'python@cluster'})
    assert '`verdi computer setup --label cluster`' in text
    assert '`verdi computer configure core.ssh_async cluster`' in text
    assert '--filepath-executable /path/to/python' in text


def test_a_label_is_quoted() -> None:
    assert "--label 'my code'" in code_command('inversedesign.ase', 'my code@localhost')
