"""Codes that cannot run are found by ``check`` and ``doctor`` before anything is launched."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import call

from aiida_inversedesign.cli.setup_local import install_debian_pbe_family, make_localhost_computer, make_pw_code

ASE = """\
name: potential
seed: 1
goal: {objectives: [{property: bulk_modulus, maximize: true}]}
space: {elements: ELEMENTS, ratios: ["1"]}
evaluate: {engine: ase, code: python@localhost, calculator: NAME, arguments: ARGUMENTS}
budget: {evaluations: 4}
"""


@pytest.fixture
def computer(aiida_profile_clean: Any, tmp_path: Path) -> Any:
    return make_localhost_computer(tmp_path / 'work')


def make_code(computer: Any, executable: str, plugin: str, **options: Any) -> Any:
    from aiida.orm import InstalledCode

    options = {'label': 'python', 'with_mpi': False, **options}
    return InstalledCode(
        computer=computer, filepath_executable=executable, default_calc_job_plugin=plugin, **options
    ).store()


def campaign(tmp_path: Path, name: str = 'emt', arguments: str = '{}', elements: str = '[Cu, Ag]') -> str:
    path = tmp_path / 'campaign.yaml'
    path.write_text(ASE.replace('NAME', name).replace('ARGUMENTS', arguments).replace('ELEMENTS', elements))
    return str(path)


def check(*arguments: str) -> tuple[int, str]:
    done = call('check', *arguments)
    return done.exit_code, ' '.join(done.output.split())


def test_a_calculator_that_works(computer: Any, tmp_path: Path) -> None:
    make_code(computer, sys.executable, 'inversedesign.ase')
    status, text = check(campaign(tmp_path))
    assert status == 0, text
    assert list((tmp_path / 'work').iterdir()) == []


@pytest.mark.parametrize(
    ('name', 'arguments', 'elements', 'words'),
    [
        ('mace', '{}', '[Cu]', 'mace'),
        ('nonsense', '{}', '[Cu]', 'nonsense'),
        ('EMT', '{}', '[Cu]', 'correct evaluate.calculator (names of ASE are in small letters'),
        ('emt', '{cut_off: 3}', '[Cu]', 'emt has no argument cut_off; it has asap_cutoff'),
        ('lj', '{sigmma: 3.0}', '[Cu]', 'lj has no argument sigmma'),
        ('emt', '{}', '[Si, Ge]', 'no element of the space can be computed'),
    ],
)
def test_a_calculator_that_cannot_be_used(
    computer: Any, tmp_path: Path, name: str, arguments: str, elements: str, words: str
) -> None:
    make_code(computer, sys.executable, 'inversedesign.ase')
    status, text = check(campaign(tmp_path, name, arguments, elements))
    assert status == 1
    assert 'the campaign cannot run' in text
    assert 'evaluate.code: python@localhost does not run' in text
    assert words in text


def test_an_element_that_a_calculator_does_not_know_is_a_remark(computer: Any, tmp_path: Path) -> None:
    make_code(computer, sys.executable, 'inversedesign.ase')
    status, text = check(campaign(tmp_path, elements='[Cu, Si]'))
    assert status == 0
    assert 'Si cannot be computed' in text


def program(tmp_path: Path, text: str) -> str:
    path = tmp_path / 'program'
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('exit 3', 'exit code 3'),
        ('echo "x: error while loading shared libraries: libfoo.so.1: cannot open" >&2; exit 127', 'libfoo.so.1'),
        ('echo "Traceback (most recent call last):\n  File\nModuleNotFoundError: No module named \'ase\'" >&2; exit 1',
         "No module named 'ase'"),
        ('kill -9 $$', 'Killed'),
    ],
)  # fmt: skip
def test_a_python_that_does_not_run(computer: Any, tmp_path: Path, text: str, words: str) -> None:
    make_code(computer, program(tmp_path, text), 'inversedesign.ase')
    status, said = check(campaign(tmp_path))
    assert status == 1
    assert words in said


def test_an_executable_that_is_not_there(computer: Any, tmp_path: Path) -> None:
    make_code(computer, '/opt/none/bin/python', 'inversedesign.ase')
    status, said = check(campaign(tmp_path))
    assert status == 1
    assert 'there is no executable /opt/none/bin/python' in said


def test_doctor_looks_for_the_executables_of_all_codes(computer: Any) -> None:
    make_code(computer, sys.executable, 'inversedesign.ase')
    make_code(computer, '/opt/none/bin/pw.x', 'quantumespresso.pw', label='gone')
    done = call('doctor', '--format', 'json')
    found = {item['text'].split()[0].rstrip(':'): item for item in json.loads(done.output) if item['subject'] == 'code'}
    assert found['python@localhost']['state'] == 'ok'
    assert found['gone@localhost']['state'] == 'warning'
    assert 'there is no executable' in found['gone@localhost']['text']


def test_a_prepend_text_that_is_needed_is_used(computer: Any, tmp_path: Path) -> None:
    text = f'[ "$NEEDED" = yes ] || exit 9\nexec {sys.executable} "$@"'
    make_code(computer, program(tmp_path, text), 'inversedesign.ase', prepend_text='export NEEDED=yes')
    assert check(campaign(tmp_path))[0] == 0


def test_a_work_folder_that_cannot_be_written(aiida_profile_clean: Any, tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    make_code(make_localhost_computer(tmp_path / 'file' / 'work'), sys.executable, 'inversedesign.ase')
    status, said = check(campaign(tmp_path))
    assert status == 1
    assert 'cannot be written' in said


def test_a_computer_behind_a_network_is_tried_with_connect_only(aiida_profile_clean: Any, tmp_path: Path) -> None:
    from aiida.orm import Computer

    far = Computer('far', '127.0.0.1', transport_type='core.ssh', scheduler_type='core.slurm', workdir='/none').store()
    far.configure(port=1, timeout=1)
    make_code(far, sys.executable, 'inversedesign.ase')
    path = campaign(tmp_path)
    Path(path).write_text(Path(path).read_text().replace('python@localhost', 'python@far'))
    status, said = check(path)
    assert status == 0
    assert '--connect does it on far' in said
    status, said = check(path, '--connect')
    assert status == 1
    assert 'the computer far cannot be used' in said
    assert 'verdi computer test far' in said


@pytest.mark.parametrize('with_mpi', [False, True])
def test_pw_that_cannot_start_is_found_by_check_and_doctor(computer: Any, tmp_path: Path, with_mpi: bool) -> None:
    from aiida.orm import InstalledCode

    try:
        install_debian_pbe_family(tmp_path / 'pseudos')
    except Exception as error:
        pytest.skip(str(error))
    (tmp_path / 'bin').mkdir()
    launcher = tmp_path / 'bin' / 'mpirun'
    launcher.write_text(
        '#!/bin/sh\necho "--------------------------------------------------------------------------\n'
        'mpirun has detected an attempt to run as root.\n\nRunning as root is *strongly* discouraged\n'
        '--------------------------------------------------------------------------" >&2\nexit 1\n'
    )
    launcher.chmod(0o755)
    InstalledCode(
        label='pw',
        computer=computer,
        filepath_executable=program(tmp_path, 'echo "     Program PWSCF v.7.2 starts"; exit 1'),
        default_calc_job_plugin='quantumespresso.pw',
        with_mpi=with_mpi,
        prepend_text=f'export PATH={tmp_path}/bin:$PATH',
    ).store()
    path = tmp_path / 'campaign.yaml'
    path.write_text(
        'name: pw\nseed: 1\ngoal: {objectives: [{property: bulk_modulus, maximize: true}]}\n'
        'space: {elements: [B, N], ratios: ["1:1"]}\n'
        'evaluate: {engine: quantumespresso, pw: pw@localhost, pseudos: debian-pbe}\n'
        'budget: {evaluations: 4, dft_calculations: 60}\n'
    )
    status, said = check(str(path))
    done = call('doctor', str(path), '--format', 'json')
    found = next(item for item in json.loads(done.output) if item['subject'] == 'evaluate.pw')
    if not with_mpi:
        assert (status, found['state']) == (0, 'ok')
        return
    assert (status, found['state']) == (1, 'error')
    assert 'mpirun has detected an attempt to run as root' in said
    assert 'OMPI_ALLOW_RUN_AS_ROOT' in found['remedy']


@pytest.mark.pw
def test_the_real_pw_starts(computer: Any, tmp_path: Path) -> None:
    from aiida_inversedesign.cli.setup_local import find_pw

    executable = find_pw()
    if executable is None:
        pytest.skip('no pw.x on the PATH')
    install_debian_pbe_family(tmp_path / 'pseudos')
    make_pw_code(executable, computer)
    make_code(computer, sys.executable, 'inversedesign.potential', label='python')
    done = call('doctor', str(Path(__file__).parents[2] / 'workflows' / 'superhard_light.yaml'), '--format', 'json')
    found = next(item for item in json.loads(done.output) if item['subject'] == 'evaluate.pw')
    assert found['state'] == 'ok', found


def test_a_python_of_proposals_needs_this_package(campaign: Any, aiida_profile_clean: Any, tmp_path: Path) -> None:
    from aiida_inversedesign.cli.checks.code_check import examine_codes

    work = make_localhost_computer(tmp_path / 'work')
    make_code(work, sys.executable, 'inversedesign.propose_job', label='proposer')
    builder, spec = campaign(propose={'code': 'proposer@localhost'})
    (good,) = examine_codes(spec, builder, connect=False)
    assert (good.subject, good.state) == ('propose.code', 'ok')
    make_code(work, program(tmp_path, f'exec {sys.executable} -I -S "$@"'), 'inversedesign.propose_job', label='bare')
    builder, spec = campaign(propose={'code': 'bare@localhost'})
    (bad,) = examine_codes(spec, builder, connect=False)
    assert bad.state == 'error'
    assert 'No module named' in bad.text
