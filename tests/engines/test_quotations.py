"""A failed job is quoted: the program's error block, the launcher's sentence, the scheduler's reason."""

from __future__ import annotations

import io
from typing import Any

import pytest
from failing_pw import FAILURES, Failure

from aiida_inversedesign.engines.quantumespresso.error_block import error_block
from aiida_inversedesign.graph.program_words import last_exception, quotation, scheduler_state


@pytest.fixture
def failed_job(aiida_profile: Any) -> Any:
    """A job of pw.x as AiiDA has it after a failure, parsed by aiida-quantumespresso's own parser."""
    from aiida import orm
    from aiida.common import LinkType
    from aiida.plugins import CalculationFactory, ParserFactory, SchedulerFactory
    from ase.build import bulk

    _, computer = orm.Computer.collection.get_or_create(
        label='slurm', hostname='localhost', transport_type='core.local', scheduler_type='core.slurm'
    )
    computer.store()

    def make(case: Failure) -> orm.CalcJobNode:
        process = CalculationFactory('quantumespresso.pw')
        node = orm.CalcJobNode(computer=computer, process_type=process.build_process_type())
        node.set_process_label('PwCalculation')
        for name, value in (
            ('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': 2}), ('output_filename', 'aiida.out'),
            ('scheduler_stderr', '_scheduler-stderr.txt'), ('scheduler_stdout', '_scheduler-stdout.txt'),
        ):  # fmt: skip
            node.set_option(name, value)
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh([2, 2, 2])
        parameters = orm.Dict({'CONTROL': {'calculation': 'vc-relax'}, 'SYSTEM': {}, 'ELECTRONS': {}})
        inputs = {'parameters': parameters, 'kpoints': kpoints, 'structure': orm.StructureData(ase=bulk('Si'))}
        for label, item in inputs.items():
            node.base.links.add_incoming(item.store(), LinkType.INPUT_CALC, label)
        detailed = {'retval': 0, 'stdout': case.records, 'stderr': ''}
        node.set_detailed_job_info(detailed if case.records else None)
        node.store()
        retrieved = orm.FolderData()
        files = {'_scheduler-stderr.txt': case.errors, '_scheduler-stdout.txt': '', 'aiida.out': case.output}
        for name, text in files.items():
            if text is not None:
                retrieved.base.repository.put_object_from_filelike(io.BytesIO(text.encode()), name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        if case.records:
            code = SchedulerFactory('core.slurm')().parse_output(detailed, '', case.errors)
            if code is not None:
                node.set_exit_status(code.status)
                node.set_exit_message(code.message)
        _, parsed = ParserFactory('quantumespresso.pw').parse_from_node(node, store_provenance=False)
        node.set_exit_status(parsed.exit_status)
        node.set_exit_message(parsed.exit_message)
        node.set_process_state('finished')
        return node

    return make


@pytest.mark.parametrize('case', FAILURES, ids=lambda case: case.name)
def test_the_failure_of_a_job_of_pw_is_quoted(failed_job: Any, case: Failure) -> None:
    from aiida_inversedesign.graph.diagnosis import explain

    node = failed_job(case)
    assert node.exit_status
    reason = explain(node)
    assert ' '.join(case.words.split()) in reason
    assert 'perhaps' not in reason
    assert len(reason) < 800
    assert '\n' not in reason


def test_there_are_enough_of_them() -> None:
    assert len({case.name for case in FAILURES}) == len(FAILURES) >= 20


def test_a_job_that_said_nothing_is_explained_by_its_exit_code(failed_job: Any) -> None:
    from aiida_inversedesign.graph.diagnosis import explain

    assert 'perhaps' in explain(failed_job(Failure('silent', '', '')))


def test_messages_of_an_ended_program_are_no_errors() -> None:
    text = '     Message from routine setup:\n     DFT+U is on\n\n     JOB DONE.\n'
    assert error_block(text) == ''


TRACEBACK = """Some output
Traceback (most recent call last):
  File "relax_ase.py", line 88, in <module>
    outcome = main(job)
  File "relax_ase.py", line 40, in main
    import mace
ModuleNotFoundError: No module named 'mace'
"""


@pytest.mark.parametrize(
    ('errors', 'words'),
    [
        (TRACEBACK, "ModuleNotFoundError: No module named 'mace'"),
        (TRACEBACK.replace('ModuleNotFoundError: No module named', 'torch.cuda.OutOfMemoryError: CUDA out of memory;'),
         "torch.cuda.OutOfMemoryError: CUDA out of memory; 'mace'"),
        (TRACEBACK + '\nDuring handling of the above exception, another exception occurred:\n\n'
         'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: the last one\nwith a second line\n',
         'ValueError: the last one'),
        (TRACEBACK + 'exit status 1\n', "ModuleNotFoundError: No module named 'mace'"),
        ('Traceback (most recent call last):\n  File "a"\nKeyboardInterrupt\n', 'KeyboardInterrupt'),
        ('a line\n', ''),
    ],
)  # fmt: skip
def test_the_last_exception_of_python(errors: str, words: str) -> None:
    assert last_exception(errors) == words
    assert quotation('', '', errors, '') == words


def test_the_programs_words_and_the_schedulers_are_both_quoted_and_nothing_twice() -> None:
    limit = 'slurmstepd: error: *** JOB 1 ON n1 CANCELLED AT 2025-03-12T15:14:05 DUE TO TIME LIMIT ***'
    found = quotation('Error in routine davcio (10): error', '', limit, limit, 'JobID|State|\n1|TIMEOUT|\n')
    assert found == f'Error in routine davcio (10): error; {limit}; scheduler: time limit reached (TIMEOUT)'


@pytest.mark.parametrize(
    ('records', 'words'),
    [
        ('JobID|State|Reason|\n1|CANCELLED by 0|None|\n', 'cancelled (CANCELLED)'),
        ('JobID|State|Reason|\n1|PREEMPTED|BeginTime|\n', 'preempted (PREEMPTED), BeginTime'),
        ('JobID|State|\n1|COMPLETED|\n1.batch|OUT_OF_MEMORY|\n', 'out of memory (OUT_OF_MEMORY)'),
        ('JobID|State|\n1|COMPLETED|\n', ''),
        ('', ''),
        ('sacct: error: no accounting', ''),
    ],
)
def test_what_the_schedulers_records_say(records: str, words: str) -> None:
    assert scheduler_state(records) == words
