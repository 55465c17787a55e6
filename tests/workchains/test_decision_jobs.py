"""A campaign whose proposals and fits run as jobs chooses what one without jobs chooses, and verifies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: counts its calls in a file, and does what the machine does to the first of them
INTERPRETER = """#!/bin/bash
echo call >> {calls}
[ $(wc -l < {calls}) -le {lost} ] && {{ {fate}; }}
exec {python} "$@"
"""
TIME_LIMIT = 'slurmstepd: error: *** JOB 7 ON node CANCELLED AT 2026-11-21T18:29:30 DUE TO TIME LIMIT ***'


@pytest.fixture
def python_label(aiida_profile_clean: Any, tmp_path: Path) -> str:
    """An interpreter with this package, on this machine."""
    from rehearsal import make_python_code

    return str(make_python_code(tmp_path).full_label)


@pytest.fixture
def failing(python_label: str, tmp_path: Path) -> Callable[..., str]:
    """Makes a code whose first ``lost`` jobs meet a fate, and gives its label."""
    from aiida.orm import InstalledCode, load_code

    computer = load_code(python_label).computer

    def make(label: str, lost: int, fate: str = 'kill -9 $$', prepend: str = '') -> str:
        program = tmp_path / label
        program.write_text(
            INTERPRETER.format(calls=tmp_path / f'{label}.calls', lost=lost, fate=fate, python=sys.executable)
        )
        program.chmod(0o755)
        code = InstalledCode(
            label=label, computer=computer, filepath_executable=str(program), prepend_text=prepend
        ).store()
        return str(code.full_label)

    return make


def jobs_of(node: Any) -> dict[str, int]:
    """Exit status of the jobs of a process by their labels."""
    from aiida.orm import CalcJobNode

    return {
        link.link_label: link.node.exit_status for link in node.base.links.get_outgoing(node_class=CalcJobNode).all()
    }


def generations_of(node: Any) -> list[Any]:
    """The generations of a campaign, oldest first."""
    return sorted((child for child in node.called if child.process_label == 'GenerationWorkChain'), key=lambda n: n.pk)


@pytest.mark.slow
def test_jobs_decide_what_functions_decide(python_label: str, campaign: Any) -> None:
    from aiida_inversedesign.verify import verify
    from aiida_inversedesign.workchains.foreground import run_campaign

    budget = {'evaluations': 6}
    plain = run_campaign(campaign(budget=budget)[0])
    assert plain.is_finished_ok, plain.exit_message
    sections = {'propose': {'code': python_label}, 'learn': {'code': python_label}}
    node = run_campaign(campaign(budget=budget, **sections)[0])
    assert node.is_finished_ok, node.exit_message
    names = [row.candidate for row in node.outputs.table.get_rows()]
    assert names == [row.candidate for row in plain.outputs.table.get_rows()]
    assert node.outputs.pool.content_hash == plain.outputs.pool.content_hash
    assert node.outputs.surrogate.content_hash == plain.outputs.surrogate.content_hash
    assert node.outputs.pool.creator.process_label == 'ProposeCalculation'
    assert node.outputs.surrogate.creator.process_label == 'FitCalculation'
    result = verify(node)
    assert result['different'] == []
    assert result['findings'] == []
    assert result['decisions'] == verify(plain)['decisions']


def test_jobs_need_generations(python_label: str, campaign: Any) -> None:
    from aiida_inversedesign.workchains.build import SetupError

    with pytest.raises(SetupError, match=r'learn\.code: only with select\.schedule generations'):
        campaign(learn={'code': python_label}, select={'schedule': 'asynchronous'}, budget={'at_once': 2})


@pytest.mark.slow
def test_lost_jobs_are_submitted_again(failing: Any, campaign: Any) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.graph.choices import largest_pools
    from aiida_inversedesign.verify import verify
    from aiida_inversedesign.workchains.foreground import run_campaign

    sections = {
        'propose': {'code': failing('proposer', 2)},
        'learn': {'code': failing('learner', 1, ': > record.json; exit 1')},
    }
    node = run_campaign(campaign(budget={'evaluations': 4}, **sections)[0])
    assert node.is_finished_ok, node.exit_message
    (generation,) = generations_of(node)
    assert jobs_of(generation) == {
        'propose': 300,
        'propose_attempt_2': 300,
        'propose_attempt_3': 0,
        'fit': 301,
        'fit_attempt_2': 0,
    }
    assert node.outputs.pool.creator.base.links.get_incoming(link_label_filter='propose_attempt_3').all()
    assert [pool.uuid for pool in largest_pools([generation.pk])] == [node.outputs.pool.uuid]
    result = verify(node)
    assert (result['different'], result['not_repeatable'], result['findings']) == ([], [], [])
    assert result['by_kind']['proposal']['decisions'] == result['by_kind']['fit']['decisions'] == 1
    # no decision is an evaluation, or DFT
    found = audit(node)
    assert found['evaluations']['total'] == 4
    assert found['dft_calculations']['total'] == 0


def test_three_lost_fits_leave_the_table_from_which_it_resumes(failing: Any, campaign: Any) -> None:
    from aiida_inversedesign.verify import verify
    from aiida_inversedesign.workchains.foreground import run_campaign
    from aiida_inversedesign.workchains.resume import resume_campaign

    node = run_campaign(campaign(budget={'evaluations': 6}, learn={'code': failing('learner', 3)})[0])
    assert node.exit_status == 400
    (generation,) = generations_of(node)
    assert jobs_of(generation) == {'fit': 300, 'fit_attempt_2': 300, 'fit_attempt_3': 300}
    last = max(generation.called, key=lambda child: child.pk)
    for words in (
        f'after 3 attempts, the last as job {last.get_job_id()} on localhost in {last.get_remote_workdir()}',
        'see whether nodes, scheduler and disk of that computer are in order',
        f'aiida-inversedesign resume {node.pk}',
    ):
        assert words in node.exit_message
    assert node.outputs.table.counts['total'] == 4
    result = verify(node)
    assert (result['different'], result['not_repeatable'], result['findings']) == ([], [], [])

    builder, _ = resume_campaign(node, {})
    assert builder.table.uuid == node.outputs.table.uuid


@pytest.mark.slow
def test_a_campaign_goes_on_after_three_lost_proposals(failing: Any, campaign: Any) -> None:
    from aiida_inversedesign.verify import verify
    from aiida_inversedesign.workchains.foreground import run_campaign
    from aiida_inversedesign.workchains.resume import resume_campaign

    sections = {'propose': {'code': failing('proposer', 3)}, 'budget': {'evaluations': 6}}
    node = run_campaign(campaign(**sections)[0])
    assert node.exit_status == 301
    assert jobs_of(generations_of(node)[0]) == {'propose': 300, 'propose_attempt_2': 300, 'propose_attempt_3': 300}
    again = run_campaign(resume_campaign(node, {})[0])
    assert again.is_finished_ok, again.exit_message
    assert again.outputs.table.counts['total'] == 6
    assert jobs_of(generations_of(again)[0]) == {'propose': 0}
    result = verify(again)
    assert (result['different'], result['findings']) == ([], [])


def test_a_step_that_a_restarted_daemon_runs_again_submits_nothing_twice(
    failing: Any, campaign: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from aiida_inversedesign.workchains import decision_jobs, generation
    from aiida_inversedesign.workchains.foreground import run_campaign

    def again(chain: Any, step: str, *arguments: Any, **inputs: Any) -> Any:
        """As when the worker dies after the submission and before the checkpoint."""
        before = chain.ctx.get(f'{step}_attempts', 0)
        first = decision_jobs.submit_decision(chain, step, *arguments, **inputs)
        chain.ctx[f'{step}_attempts'] = before
        second = decision_jobs.submit_decision(chain, step, *arguments, **inputs)
        assert second.uuid == first.uuid
        return second

    monkeypatch.setattr(generation, 'submit_decision', again)
    node = run_campaign(campaign(propose={'code': failing('proposer', 9)})[0])
    assert node.exit_status == 301
    assert 'after 3 attempts' in node.exit_message
    assert set(jobs_of(generations_of(node)[0])) == {'propose', 'propose_attempt_2', 'propose_attempt_3'}
    assert len((tmp_path / 'proposer.calls').read_text().split()) == 3


@pytest.mark.parametrize(
    ('fate', 'prepend', 'status', 'words'),
    [
        ('exit 1', f'echo "{TIME_LIMIT}" >&2; exit 0', 300, 'raise propose.options.max_wallclock_seconds'),
        ('echo "RuntimeError: a bug" >&2; exit 1', '', 303, 'the program stopped with an error: RuntimeError: a bug'),
    ],
    ids=['out of time', 'a bug'],
)
def test_what_would_end_so_again_is_not_repeated(
    failing: Any, campaign: Any, fate: str, prepend: str, status: int, words: str
) -> None:
    from aiida_inversedesign.workchains.foreground import run_campaign

    node = run_campaign(campaign(propose={'code': failing('proposer', 9, fate, prepend)})[0])
    assert node.exit_status == 301
    (generation,) = generations_of(node)
    assert jobs_of(generation) == {'propose': status}
    assert words in node.exit_message


@pytest.mark.parametrize(
    ('job', 'state', 'status', 'decided'),
    [
        ('propose', 'finished', 0, True),
        ('propose', 'finished', 310, True),
        ('propose', 'finished', 320, False),
        ('propose', 'finished', 140, False),
        ('propose', 'killed', None, False),
        ('propose', 'waiting', None, True),
        ('fit', 'finished', 320, True),
        ('fit', 'finished', 303, False),
    ],
)
def test_verify_looks_at_jobs_that_decided(job: str, state: str, status: int | None, decided: bool) -> None:
    from aiida_inversedesign.graph.links import Call
    from aiida_inversedesign.verify.replay import has_decided

    kind, entry_point = 'process.calculation.calcjob.CalcJobNode.', f'aiida.calculations:inversedesign.{job}_job'
    assert has_decided(Call(1, 'uuid', 2, job, kind, entry_point, state, status, None)) is decided


def test_an_interrupted_generation_hands_the_pool_of_a_job_over(failing: Any, campaign: Any) -> None:
    from aiida.orm import Dict

    from aiida_inversedesign.workchains.foreground import run_campaign
    from aiida_inversedesign.workchains.interrupted import inputs_to_go_on

    node = run_campaign(campaign(budget={'evaluations': 4}, propose={'code': failing('proposer', 1)})[0])
    assert node.is_finished_ok, node.exit_message
    # what a generation has called does not tell whether it was interrupted before or after its harvest
    given = inputs_to_go_on(generations_of(node)[0])
    assert given['pool'].uuid == node.outputs.pool.uuid
    assert isinstance(given['interrupted']['batch'], Dict)


@pytest.mark.parametrize(('status', 'label'), [(300, 'propose'), (0, 'propose_attempt_2')])
def test_only_a_proposal_that_was_made_replaces_a_pool(aiida_profile_clean: Any, status: int, label: str) -> None:
    from aiida.common.links import LinkType
    from aiida.orm import CalcJobNode, WorkChainNode

    from aiida_inversedesign.graph.choices import largest_pools
    from aiida_inversedesign.nodes.pool_data import PoolData

    pool, first, second = PoolData.from_candidates([]), WorkChainNode(), WorkChainNode()
    pool.store()
    first.base.links.add_incoming(WorkChainNode().store(), LinkType.CALL_WORK, 'generation_001')
    first.store()
    pool.base.links.add_incoming(first, LinkType.RETURN, 'pool')
    second.base.links.add_incoming(pool, LinkType.INPUT_WORK, 'pool')
    second.store()
    job = CalcJobNode()
    job.set_exit_status(status)
    job.base.links.add_incoming(pool, LinkType.INPUT_CALC, 'pool')
    job.base.links.add_incoming(second, LinkType.CALL_CALC, label)
    job.store()
    found = largest_pools([first.pk, second.pk])
    assert [item.uuid for item in found] == ([] if status == 0 else [pool.uuid])
