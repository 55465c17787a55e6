"""Stopping a campaign, going on with it, and what is looked at before a launch."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from aiida.manage import get_manager
from command_line import call

from aiida_inversedesign.cli.launch import start
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.workchains.foreground import run_campaign
from aiida_inversedesign.workchains.resume import resume_campaign

EVALUATE = 'aiida.workflows:inversedesign.evaluate.table'
FINISHED = (
    f"SELECT count(*) FROM db_dbnode WHERE process_type = '{EVALUATE}' "
    "AND json_extract(attributes, '$.process_state') = 'finished'"
)
WITH_SCHEDULER = "SELECT count(*) FROM db_dbnode WHERE json_extract(attributes, '$.state') = 'withscheduler'"
CAMPAIGN = "SELECT id FROM db_dbnode WHERE process_type = 'aiida.workflows:inversedesign.campaign' ORDER BY id"


class StopElsewhere(threading.Thread):
    """Calls ``stop`` in a process of its own once the database shows what it waits for."""

    def __init__(self, profile: Any, query: str, *options: str) -> None:
        super().__init__(daemon=True)
        self.profile, self.query, self.options = profile, query, options
        self.ended, self.answer = threading.Event(), {}

    def run(self) -> None:
        """Look every tenth of a second."""
        path = Path(self.profile.storage_config['filepath']) / 'database.sqlite'
        with sqlite3.connect(f'file:{path}?mode=ro', uri=True) as database:
            while not self.ended.wait(0.1):
                if not database.execute(self.query).fetchone()[0]:
                    continue
                (pk,) = database.execute(CAMPAIGN).fetchone()
                break
            else:
                return
        command = [sys.executable, '-m', 'aiida_inversedesign.cli', '-p', self.profile.name, 'stop', str(pk)]
        done = subprocess.run(
            [*command, '--format', 'json', *self.options], capture_output=True, text=True, check=False
        )
        self.answer = json.loads(done.stdout) if done.returncode == 0 else {'error': done.stdout + done.stderr}

    def __enter__(self) -> StopElsewhere:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()


def evaluations() -> int:
    from aiida.orm import QueryBuilder, WorkChainNode

    return QueryBuilder().append(WorkChainNode, filters={'process_type': EVALUATE}).count()


def test_a_request_before_the_first_evaluation_ends_the_campaign_with_its_reason(campaign: Any) -> None:
    from aiida_inversedesign.workchains.stopping import find_request, request_stop

    builder, _ = campaign()
    process = get_manager().get_runner().instantiate_process(builder)
    assert find_request(process.pid) is None
    request_stop(process.node, kill=False, reason='changed my mind')
    # a second request may only turn the first into one that kills
    assert request_stop(process.node).reason == 'changed my mind'
    assert request_stop(process.node, kill=True, reason='now').kill
    assert request_stop(process.node, kill=False).kill
    process.execute()
    node = process.node
    assert node.exit_status == 301
    assert 'stopped by' in node.outputs.stop_reason.value
    assert node.outputs.stop_reason.value.endswith('now')
    assert evaluations() == 0
    conclude = node.outputs.stop_reason.creator
    assert conclude.inputs.spent['requested'] == node.outputs.stop_reason.value


@pytest.mark.slow
def test_stop_in_mid_campaign_launches_nothing_more_and_resume_goes_on(campaign: Any, aiida_profile: Any) -> None:
    from aiida_inversedesign.decisions.conclude import conclude

    builder, _ = campaign(select={'initial': 15}, budget={'evaluations': 18, 'at_once': 1})
    with StopElsewhere(aiida_profile, FINISHED, '--reason', 'queue needed') as stopper:
        first = run_campaign(builder)
    assert stopper.answer['request']['reason'] == 'queue needed', stopper.answer
    assert first.is_finished_ok, first.exit_message
    reason = first.outputs.stop_reason.value
    assert 'running evaluations finished: queue needed' in reason
    made = first.outputs.table.counts['total']
    assert 1 <= made == evaluations() < 15
    # the decision can be made again from what is stored
    inputs = first.outputs.stop_reason.creator.inputs
    again = conclude(budget=inputs.budget, spent=inputs.spent)
    assert again['stop_reason'].value == reason

    assert 'has ended already' in call('stop', str(first.pk)).output
    builder, spec = resume_campaign(first, {'evaluations': made + 2})
    assert spec.budget.evaluations == made + 2
    second = run_campaign(builder)
    assert second.is_finished_ok, second.exit_message
    rows = second.outputs.table.get_rows()
    assert len({row.candidate for row in rows}) == len(rows) == made + 2
    assert evaluations() == made + 2
    assert second.inputs.settings.uuid == first.inputs.settings.uuid


@pytest.mark.slow
def test_stop_that_kills_harvests_what_finished_and_the_killed_may_be_chosen_again(
    campaign: Any, aiida_profile: Any, tmp_path: Path
) -> None:
    import psutil
    from rehearsal import make_python_code

    code = make_python_code(tmp_path, 'inversedesign.table')
    evaluate = {'code': code.full_label, 'delay_seconds': 300.0, 'delay_sigma': 0.0}
    builder, _ = campaign(evaluate=evaluate, budget={'evaluations': 4, 'at_once': 2})
    with StopElsewhere(aiida_profile, WITH_SCHEDULER, '--kill') as stopper:
        first = run_campaign(builder)
    assert stopper.answer['request']['kill'], stopper.answer
    assert first.is_finished, first.process_state
    assert 'running evaluations were killed' in first.outputs.stop_reason.value
    assert first.outputs.table.counts['total'] == 0
    assert [item for item in psutil.process_iter(['cwd']) if (item.info['cwd'] or '').startswith(str(tmp_path))] == []
    builder, _ = resume_campaign(first, {'evaluations': 1})
    assert 'batch' not in builder.interrupted


def test_stop_of_a_campaign_that_no_daemon_has_taken_up_is_kept(campaign: Any) -> None:
    from aiida.orm import load_node

    builder, _ = campaign()
    node = get_manager().get_runner().instantiate_process(builder).node
    answer = json.loads(call('stop', str(node.pk), '--kill', '--format', 'json').output)
    assert answer['request']['kill'] is True
    assert answer['stop_reason'] is None
    assert 'verdi daemon start' in answer['notes'][-1]
    assert load_node(node.pk).base.extras.get('inversedesign_stop')['kill'] is True
    assert 'launches no further evaluations' in call('stop', str(node.pk)).output
    assert 'not a campaign' in call('stop', str(node.inputs.settings.pk)).output


# -- before a launch -------------------------------------------------------------------------------------------------


class Client:
    """A daemon of a number of workers."""

    is_daemon_running = True

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def get_numprocesses(self) -> dict[str, int]:
        return {'numprocesses': self.workers}


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A daemon with workers of four slots each; a broker that has nothing to say."""
    from aiida import manage
    from aiida.engine.daemon import client

    def make(workers: int, **status: Any) -> None:
        monkeypatch.setattr(client, 'get_daemon_client', lambda *_: Client(workers))
        monkeypatch.setattr(manage, 'get_config_option', lambda name: 4)
        broker = namedtuple('Broker', 'probe_service_status')(lambda: {'connected': True, **status})
        monkeypatch.setattr(type(manage.get_manager()), 'get_broker', lambda self: broker)

    return make


def findings(spec: Any, required: bool = True) -> dict[str, Any]:
    from aiida_inversedesign.cli.checks.daemon_check import examine_daemon

    return {item.subject: item for item in examine_daemon(spec, required)}


def test_too_few_slots_are_an_error_with_the_command_that_mends_it(campaign: Any, daemon: Any) -> None:
    _, spec = campaign(budget={'at_once': 7})
    # the campaign, its generation and seven evaluations wait or work
    daemon(2)
    found = findings(spec)
    assert found['slots'].state == 'error'
    assert '7 evaluation(s) at once hold up to 9 process slots' in found['slots'].text
    assert '8 of 8 are free' in found['slots'].text
    assert found['slots'].remedy.startswith('`verdi daemon incr 1`, or `verdi config set daemon.worker_process_slots')
    daemon(3)
    assert findings(spec)['slots'].state == 'ok'


def test_slots_that_others_hold_are_not_free(campaign: Any, daemon: Any) -> None:
    builder, spec = campaign(budget={'at_once': 7})
    runner = get_manager().get_runner()
    others = [runner.instantiate_process(builder) for _ in range(4)]
    assert len(others) == 4
    daemon(3)
    assert '8 of 12 are free' in findings(spec)['slots'].text


def test_a_broker_that_no_worker_listens_to_is_an_error(campaign: Any, daemon: Any) -> None:
    _, spec = campaign()
    daemon(5, pending_tasks=3, task_subscribers=0)
    assert findings(spec)['broker'].remedy.startswith('`verdi daemon restart`')
    daemon(5, pending_tasks=3, task_subscribers=5)
    assert 'broker' not in findings(spec)
    daemon(5, connected=False)
    assert findings(spec)['broker'].state == 'error'


def test_without_a_daemon_a_launch_to_it_is_refused_and_doctor_only_warns(campaign: Any) -> None:
    builder, spec = campaign()
    with pytest.raises(InverseDesignError, match='verdi daemon start'):
        start(builder, spec, daemon=True)
    assert findings(spec, required=False)['daemon'].state == 'warning'


def test_a_package_that_renames_the_daemon_is_named(
    campaign: Any, daemon: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    _, spec = campaign()
    daemon(5)
    assert 'setproctitle' not in findings(spec)
    (tmp_path / 'setproctitle.py').touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert findings(spec)['setproctitle'].remedy.startswith('`pip uninstall setproctitle`')


def test_too_little_disk_space_refuses_a_launch_and_ends_a_campaign(campaign: Any) -> None:
    builder, spec = campaign(evaluate={'free_space_gb': 1e9})
    with pytest.raises(InverseDesignError, match=r'GB free in .*, evaluate.free_space_gb asks for 1e\+09'):
        start(builder, spec, daemon=False)
    node = run_campaign(builder)
    assert node.exit_status == 301
    assert node.outputs.stop_reason.value.startswith('too little disk space: ')


def test_the_disk_of_a_computer_is_asked_through_its_transport(aiida_localhost: Any) -> None:
    from aiida_inversedesign.cli.checks.disk_check import code_labels, space_of
    from aiida_inversedesign.processes.disk_space import space_here

    space = space_of(aiida_localhost)
    assert space is not None
    assert space.free_gb == pytest.approx(space_here(Path(aiida_localhost.get_workdir())).free_gb, rel=0.05)
    assert code_labels({'evaluate': {'pw': 'a@b', 'x': {'code': 'c@d'}}, 'learn': {'code': None}}) == ['a@b', 'c@d']


def test_max_failures_ends_a_campaign(campaign: Any) -> None:
    builder, _ = campaign(evaluate={'fail_fraction': 1.0}, budget={'max_failures': 3}, select={'initial': 2})
    node = run_campaign(builder)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.stop_reason.value == 'too many failures: 4 evaluations failed (budget.max_failures 3)'
