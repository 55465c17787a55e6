"""A campaign in the foreground while its database is locked or restarted; the full drill is a script of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOCKS = Path(__file__).with_name('locks.py')


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    'options',
    [
        pytest.param(('--times', '10', '--seconds', '30', '--evaluations', '40'), id='sqlite'),
        pytest.param(
            ('--times', '6', '--seconds', '5', '--evaluations', '16', '--storage', 'postgres'),
            id='postgres', marks=pytest.mark.postgres,
        ),
    ],
)  # fmt: skip
def test_a_campaign_outlives_locks_and_restarts_of_its_database(options: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, str(LOCKS), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    figures = json.loads(done.stdout)
    assert (figures['lost'], figures['twice'], figures['problems']) == (0, 0, [])
