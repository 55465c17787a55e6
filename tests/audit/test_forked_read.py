"""Queries in a process of their own: what they find, and what becomes of them when that process ends early."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Run by an interpreter without threads of its own, as the command line is.
SCRIPT = """
import json, os, signal, threading
from aiida import load_profile, orm
load_profile({profile!r})
from aiida_inversedesign.graph.forked_read import read_in_fork

own = os.getpid()

def count(kind, backend):
    return os.getpid(), orm.QueryBuilder(backend=backend).append(kind, filters={{'label': 'read apart'}}).count()

def killed(backend):
    if os.getpid() != own:
        os.kill(os.getpid(), signal.SIGKILL)
    return count(orm.Int, backend)

def broken(backend):
    raise ValueError('nothing can be read')

before = count(orm.Int, None)
waits = [read_in_fork(count, orm.Int) for _ in range(3)]
meanwhile = count(orm.Int, None)
found = [wait() for wait in waits]
after_kill = read_in_fork(killed)()
try:
    read_in_fork(broken)()
    error = ''
except ValueError as raised:
    error = str(raised)
stop = threading.Event()
other = threading.Thread(target=stop.wait)
other.start()
with_threads = read_in_fork(count, orm.Int)()
stop.set()
print(json.dumps({{'own': own, 'before': before, 'meanwhile': meanwhile, 'found': found, 'after_kill': after_kill,
                  'error': error, 'with_threads': with_threads, 'after': count(orm.Int, None)}}))
"""


@pytest.fixture(scope='module')
def result(aiida_profile, aiida_config) -> dict:
    from aiida import orm

    for value in (1, 2):
        orm.Int(value, label='read apart').store()
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT.format(profile=aiida_profile.name)],
        env={**os.environ, 'AIIDA_PATH': str(Path(aiida_config.dirpath).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_finds_the_same_beside_the_first_process(result):
    assert result['before'] == result['meanwhile'] == result['after'] == [result['own'], 2]
    assert [number for _, number in result['found']] == [2, 2, 2]
    processes = {process for process, _ in result['found']}
    if sys.platform.startswith('linux'):
        assert len(processes) == 3
        assert result['own'] not in processes


def test_what_a_killed_process_should_have_read_is_read(result):
    assert result['after_kill'] == [result['own'], 2]


def test_the_error_is_raised_where_the_rows_are_wanted(result):
    assert result['error'] == 'nothing can be read'


def test_no_process_is_forked_beside_threads(result):
    assert result['with_threads'] == [result['own'], 2]
