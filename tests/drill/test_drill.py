"""The drill's own judgement, and a small drill on a real daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from launches import Launch, Row, compare, most_at_once, read_launches
from recovery import Action, Strike, by_fault, read_actions, recoveries

DRILL = Path(__file__).with_name('drill.py')


def good() -> tuple[list[Launch], list[Row], dict[str, Any]]:
    """Three evaluations, one of which failed on purpose."""
    launches = [Launch(name, f'/{name}', start, start + 2, name == 'c') for start, name in enumerate('abc')]
    rows = [Row(f'candidate-{name}', name, name != 'c') for name in 'abc']
    return launches, rows, {'evaluations': {'total': 3, 'completed': 2, 'failed': 1}}


def test_a_record_that_agrees() -> None:
    figures = compare(*good(), budget=3, at_once=2)
    assert figures['problems'] == []
    assert (figures['launches'], figures['lost'], figures['twice'], figures['most_at_once']) == (3, 0, 0, 2)
    assert (figures['over_budget'], figures['audit']) == (0, 'equal')


def test_every_difference_is_found() -> None:
    launches, rows, audit = good()
    again = Launch('a', '/again', 9, 10, False)
    assert 'launched 2 times' in compare([*launches, again], rows, audit, 4, 2)['problems'][0]
    assert compare([*launches, again], rows, audit, 4, 2)['twice'] == 1
    assert compare(launches, rows[1:], audit, 3, 2)['lost'] == 2
    assert any('not in the table' in text for text in compare(launches, rows[1:], audit, 3, 2)['problems'])
    assert any('the budget allows 2' in text for text in compare(launches, rows, audit, 2, 2)['problems'])
    assert compare(launches, rows, audit, 2, 2)['over_budget'] == 1
    assert any('ran at once' in text for text in compare(launches, rows, audit, 3, 1)['problems'])
    wrong = [Row('candidate-a', 'a', False), *rows[1:]]
    assert any(
        'failed, but its program ended well' in text for text in compare(launches, wrong, audit, 3, 2)['problems']
    )
    wrong = [*rows[:2], Row('candidate-c', 'c', True)]
    assert any('did not end well' in text for text in compare(launches, wrong, audit, 3, 2)['problems'])
    audit['evaluations']['failed'] = 0
    assert any(text.startswith('audit: failed 0') for text in compare(launches, rows, audit, 3, 2)['problems'])
    assert compare(launches, rows, audit, 3, 2)['audit'] == 'differs'


def test_a_program_that_was_cut_down_may_be_launched_again_and_has_to_be() -> None:
    launches, rows, audit = good()
    cut = Launch('a', '/cut', -3, None, False)
    figures = compare([cut, *launches], rows, audit, 3, 2)
    assert figures['problems'] == []
    assert (figures['launches'], figures['cut_short'], figures['evaluations'], figures['twice']) == (4, 1, 3, 0)
    # not after one that came to its end
    late = Launch('a', '/late', 9, None, False)
    assert compare([*launches, late], rows, audit, 3, 2)['twice'] == 1
    # and it is lost if nobody does
    never = [replace(launches[0], end=None), *launches[1:]]
    failed = [replace(rows[0], completed=False), *rows[1:]]
    audit = {'evaluations': {'total': 3, 'completed': 1, 'failed': 2}}
    assert compare(never, failed, audit, 3, 2)['lost'] == 1
    assert 'never came to its end' in compare(never, failed, audit, 3, 2)['problems'][0]


def test_an_evaluation_that_was_never_made_is_lost() -> None:
    assert compare(*good(), budget=4, at_once=2)['lost'] == 1


def test_the_record_is_read_as_the_job_writes_it(tmp_path: Path) -> None:
    from aiida_inversedesign.engines import table
    from aiida_inversedesign.processes import guard

    script = Path(table.__file__).with_name('wait.py')
    record = tmp_path / 'launches.jsonl'
    for name, fail in (('a', False), ('b', True)):
        (tmp_path / name).mkdir()
        job = {'crystal': name, 'seconds': 0.0, 'fail': fail}
        (tmp_path / name / 'input.json').write_text(json.dumps(job))
        subprocess.run(
            [sys.executable, script],
            cwd=tmp_path / name,
            check=True,
            env={'INVERSEDESIGN_LAUNCHES': str(record), 'PYTHONPATH': str(Path(guard.__file__).parent)},
        )
    first, second = read_launches(record)
    assert (first.crystal, first.failed, second.crystal, second.failed) == ('a', False, 'b', True)
    assert first.end is not None
    assert most_at_once([first, second]) == 1


def test_what_came_after_each_fault() -> None:
    launches = [Launch('a', '/a', 0, 12, False), Launch('b', '/b', 5, None, True), Launch('c', '/c', 30, 31, False)]
    strikes = [Strike(10, 'kill', '1, 2'), Strike(20, 'full', 'disk'), Strike(40, 'kill', '3')]
    actions = [
        Action(11, 'restart', 'gone', 'started'),
        Action(12, 'play', 'paused', 'told'),
        # after the second fault, before the next launch: it belongs to both
        Action(25, 'restart', 'gone', 'started'),
        Action(50, 'wait', '', ''),
    ]
    rows = recoveries(strikes, launches, actions)
    assert [row['running'] for row in rows] == [2, 1, 1]
    assert [row['back_after'] for row in rows] == [20, 10, None]
    assert [row['actions'] for row in rows] == [['restart', 'play', 'restart'], ['restart'], ['wait']]
    full, kill = by_fault(rows)
    assert (full['times'], full['by']) == (1, 'daemon restarted (1)')
    assert (kill['times'], kill['running'], kill['most_back_s']) == (2, 3, 20)
    assert kill['by'] == 'daemon restarted (1), paused jobs played (1), waited (1)'


def test_what_tend_did_is_read_among_other_lines(tmp_path: Path) -> None:
    file = tmp_path / 'tend.log'
    assert read_actions(file) == []
    file.write_text('Warning: x\n{"time": 3.5, "action": "play", "reason": "r", "done": "d"}\n')
    assert read_actions(file) == [Action(3.5, 'play', 'r', 'd')]


@pytest.mark.daemon
@pytest.mark.slow
def test_nothing_is_lost_in_a_small_drill() -> None:
    command = [sys.executable, str(DRILL), '--settings', 'sqlite+zeromq', '--faults', '5', '--evaluations', '16']
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=DRILL.parent)
    if 'mount' in done.stderr:
        pytest.skip('needs the right to mount a small disk')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.daemon
@pytest.mark.slow
@pytest.mark.parametrize('schedule', ['generations', 'asynchronous'])
def test_nothing_that_a_laboratory_tells_is_lost(schedule: str) -> None:
    command = [sys.executable, str(DRILL.with_name('laboratory.py')), '--candidates', '12', '--batch', '4']
    command += ['--kills', '2', '--schedule', schedule, '--patience', '900']
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=DRILL.parent)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
