"""``status --watch``: on a campaign that another process runs, in a pipe and in a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import call

from aiida_inversedesign.audit.status import best_so_far, time_left
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.cli.control.status_view import sparkline, view
from aiida_inversedesign.report.words import duration

START = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def command(*arguments: str) -> list[str]:
    from aiida.manage import get_manager

    return [sys.executable, '-m', 'aiida_inversedesign.cli', '-p', get_manager().get_profile().name, *arguments]


@pytest.fixture
def by_hand(campaign: Any) -> Any:
    """A campaign that waits for its second of two evaluations, and that nobody runs."""
    from aiida.common.links import LinkType
    from aiida.orm import Dict, WorkChainNode

    _, spec = campaign(budget={'evaluations': 4, 'hits': 1})

    def work(process_type: str, state: str, parent: Any = None, label: str = '', **inputs: Any) -> Any:
        node = WorkChainNode(process_type=f'aiida.workflows:inversedesign.{process_type}')
        node.set_process_state(state)
        if parent is not None:
            node.base.links.add_incoming(parent, LinkType.CALL_WORK, label)
        for name, value in inputs.items():
            node.base.links.add_incoming(value, LinkType.INPUT_WORK, name)
        return node.store()

    settings, budget = Dict(spec.settings()).store(), Dict(spec.budget.model_dump(mode='json')).store()
    root = work('campaign', 'waiting', settings=settings, budget=budget)
    generation = work('generation', 'waiting', root, 'generation_001')
    for number, formula, value in ((1, 'Ni', 275.0), (2, 'Cu', None)):
        node = WorkChainNode(process_type='aiida.workflows:inversedesign.evaluate.table', label=f'g001_c1 {formula}')
        node.set_process_state('waiting' if value is None else 'finished')
        if value is not None:
            node.set_exit_status(0)
        node.base.links.add_incoming(generation, LinkType.CALL_WORK, f'g001_c000{number}')
        node.store()
        if value is not None:
            result = Dict({'stiffness': {'value': value, 'unit': 'GPa'}}).store()
            result.base.links.add_incoming(node, LinkType.RETURN, 'properties')
    return root


def test_a_running_campaign_is_seen_before_its_harvest(by_hand: Any) -> None:
    data = json.loads(call('status', str(by_hand.pk), '--format', 'json').output)
    assert data['used']['evaluations'] == {'value': 2, 'limit': 4}
    assert data['used']['hits'] == {'value': 1, 'limit': 1}
    # no job ran: nothing was used, which is not the same as nothing recorded
    assert data['used']['core_hours']['value'] == 0.0
    assert (data['completed'], data['failed']) == (1, 0)
    assert data['best'] == {'candidate': 'g001_c0001', 'key': 'Ni', 'properties': {'stiffness': 275.0}, 'hit': True}
    assert data['hits'] == [{'candidate': 'g001_c0001', 'key': 'Ni', 'properties': {'stiffness': 275.0}, 'copies': 0}]
    assert [item['candidate'] for item in data['running']] == ['g001_c0002']
    assert data['time_left']['seconds'] is None
    assert 'only 1' in data['time_left']['reason']


def test_each_change_of_a_real_campaign_is_printed_once_until_it_ends(campaign: Any, tmp_path: Path) -> None:
    from aiida_inversedesign.graph.campaigns import list_campaigns

    _, spec = campaign(select={'batch': 3}, evaluate={'fail_fraction': 0.2}, budget={'evaluations': 10})
    file = tmp_path / 'campaign.yaml'
    file.write_text(yaml.safe_dump(spec.model_dump(mode='json', exclude_none=True)))
    with subprocess.Popen(command('launch', str(file)), stdout=subprocess.DEVNULL) as launched:
        deadline = time.monotonic() + 300
        while not (found := list_campaigns()) and time.monotonic() < deadline:
            time.sleep(0.1)
        pk = str(found[0]['pk'])
        result = call('status', pk, '--watch', '--interval', '0.1', '--format', 'json')
        assert launched.wait(300) == 0
    assert result.exit_code == 0, result.output
    frames = [json.loads(line) for line in result.output.splitlines()]
    # at least one while it ran, and the end; on a busy machine few changes are seen one by one
    assert len(frames) >= 2
    numbers = [frame['used']['evaluations']['value'] for frame in frames]
    assert numbers == sorted(numbers)
    assert any(frame['running'] for frame in frames)
    assert [frame['ended'] for frame in frames] == [False] * (len(frames) - 1) + [True]
    last = frames[-1]
    assert last['stop_reason'] == 'budget used up: 10 of 10 evaluations'
    assert last['completed'] + last['failed'] == 10
    assert last['running'] == []
    assert all('failed on purpose' in item['reason'] for item in last['failures'])
    # the audit counts the same, and the text says it
    report = json.loads(call('audit', pk, '--format', 'json').output)
    assert report['evaluations']['hits'] == last['used']['hits']['value'] == len(last['hits'])
    assert report['evaluations']['failed'] == last['failed'] == len(last['failures'])
    assert report['best'][0]['candidate'] == last['best']['candidate']
    steps = {step['evaluation']: step['best'] for step in report['progress']}
    assert all(steps[number] == value for number, value in last['best_so_far'])
    text = call('status', pk, '--watch').output
    assert text.count(f'campaign {pk} rehearsal: finished') == 1
    assert '\x1b' not in text


def in_terminal(arguments: list[str], until: str, interrupt: bool) -> tuple[str, int]:
    """What a command shows in a terminal, and its exit code; Ctrl-C once ``until`` is seen."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        arguments,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, 'TERM': 'xterm', 'COLUMNS': '100'},
        # tests in the background of a shell ignore Ctrl-C, and what they start would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        os.close(slave)
        shown, sent, deadline = b'', False, time.monotonic() + 90
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    shown += os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
            if interrupt and not sent and shown.decode(errors='ignore').count(until) >= 2:
                process.send_signal(signal.SIGINT)
                sent = True
        os.close(master)
        code = process.wait(30)
    return shown.decode(errors='ignore'), code


def test_in_a_terminal_ctrl_c_leaves_the_last_view(by_hand: Any) -> None:
    shown, code = in_terminal(
        command('status', str(by_hand.pk), '--watch', '--interval', '0.2'), 'best so far', interrupt=True
    )
    assert code == 130, shown
    assert 'Traceback' not in shown
    # the view is written over itself, and the last one is not cleared
    assert '\x1b[1A' in shown
    assert 'g001_c0002' in shown or 'Cu' in shown
    assert 'the campaign continues' in shown[shown.rindex('best so far') :]


def test_watching_needs_a_campaign() -> None:
    result = call('status', '--watch')
    assert result.exit_code == 1
    assert '--watch needs a campaign' in result.output


@pytest.mark.parametrize(
    ('ends', 'left', 'now', 'seconds', 'until'),
    [
        # five evaluations in 50 s, 10 are left
        ([10, 20, 30, 40, 50], {'evaluations': 10}, 50, 100, 'evaluations'),
        # the budget that is used up first
        ([10, 20, 30, 40, 50], {'evaluations': 10, 'dft_calculations': 30}, 50, 50, 'dft_calculations'),
        ([10, 20, 30, 40, 50], {'evaluations': 0}, 50, 0, 'evaluations'),
    ],
)
def test_time_left(ends: list[float], left: dict[str, float], now: float, seconds: float, until: str) -> None:
    spent = {'evaluations': len(ends), 'dft_calculations': 30, 'core_hours': 0.0}
    found = time_left(START, [after(end) for end in ends], spent, left, after(now))
    assert found['seconds'] == pytest.approx(seconds)
    assert found['until'] == until


@pytest.mark.parametrize(
    ('ends', 'left', 'now', 'reason'),
    [
        ([10, 20], {'evaluations': 10}, 30, 'only 2'),
        ([10, 20, 30, 40, 50], {'evaluations': 10}, 50 + 31, 'the longest gap so far'),
        ([10, 20, 30, 40, 50], {'core_hours': 10}, 50, 'no budget is limited'),
    ],
)
def test_time_left_is_not_known(ends: list[float], left: dict[str, float], now: float, reason: str) -> None:
    spent = {'evaluations': len(ends), 'dft_calculations': 0, 'core_hours': 0.0}
    found = time_left(START, [after(end) for end in ends], spent, left, after(now))
    assert found['seconds'] is None
    assert reason in found['reason']


def test_best_so_far_of_a_target_with_a_constraint() -> None:
    goal = Goal.model_validate(
        {
            'objectives': [{'property': 'lattice_constant', 'target': 5.0, 'tolerance': 0.1}],
            'constraints': [{'property': 'band_gap', 'min': 1.0}],
        }
    )
    values = [(6.0, 2.0), (5.0, 0.5), (5.5, 1.0), None, (4.8, 3.0), (4.7, 3.0)]
    evaluations = [
        {
            'candidate': str(number),
            'properties': {} if pair is None else {'lattice_constant': pair[0], 'band_gap': pair[1]},
        }
        for number, pair in enumerate(values)
    ]
    assert best_so_far(evaluations, goal) == [[1, 6.0], [3, 5.5], [5, 4.8]]


def test_curve_and_durations() -> None:
    assert sparkline([]) == ''
    assert sparkline([1.0, 1.0]) == '▄▄'
    assert sparkline([0.0, 3.5, 7.0]) == '▁▅█'
    long = sparkline([float(number) for number in range(1000)])
    assert len(long) == 60
    assert (long[0], long[-1]) == ('▁', '█')
    assert [duration(seconds) for seconds in (5, 600, 7200, 3 * 86400)] == ['5 s', '10 min', '2.0 h', '3.0 days']


def test_the_view_keeps_to_a_small_screen(by_hand: Any) -> None:
    from rich.console import Console

    from aiida_inversedesign.audit.status import describe

    data = describe(by_hand)
    data['stopped'] = 7
    data['failures'] = [{'candidate': f'c{number}', 'key': 'X', 'reason': '[it] broke'} for number in range(50)]
    console = Console(width=100)
    with console.capture() as capture:
        console.print(view(data, lines=3))
    text = capture.get()
    assert 'c49' in text
    assert 'c46' not in text
    assert 'stopped            7' in text
    assert 'failed: 47 earlier' in text
    assert '[it] broke' in text
