"""A sample of the fuzzing of ``tests/benchmark/fuzz_files.py``: real commands, real limits of time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / 'benchmark' / 'fuzz_files.py'


def fuzz(*arguments: str) -> str:
    variables = {key: value for key, value in os.environ.items() if key != 'AIIDA_PATH'}
    done = subprocess.run(
        [sys.executable, str(FUZZ), *arguments], capture_output=True, text=True, check=False, env=variables
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout


def test_crafted_campaign_files_and_some_structures_are_refused_plainly() -> None:
    output = fuzz('--campaigns', '45', '--structures', '15', '--seed', '1')
    assert '60 files' in output
    assert '0 break a bar' in output


@pytest.mark.slow
def test_hostile_files_are_refused_plainly() -> None:
    assert '0 break a bar' in fuzz('--seed', '2')
