"""The same campaign over other services: PostgreSQL and RabbitMQ instead of SQLite and AiiDA's own broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRILL = Path(__file__).with_name('drill.py')
SERVERS = ('/usr/lib/rabbitmq/lib', '/usr/lib/postgresql')


@pytest.mark.daemon
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_campaign_over_rabbitmq_and_postgresql_decides_as_one_over_sqlite_and_zeromq(tmp_path: Path) -> None:
    missing = [folder for folder in SERVERS if not Path(folder).is_dir()]
    if missing or os.geteuid() != 0:
        pytest.skip(f'needs root and {", ".join(missing) or "nothing else"}')
    file = tmp_path / 'results.json'
    # one at a time in each batch of two: the surrogate decides from the second batch on
    command = [
        *(sys.executable, str(DRILL), '--settings', 'sqlite+zeromq,postgres+rabbitmq', '--faults', '0'),
        *('--evaluations', '6', '--at-once', '1', '--seconds', '0.5', '--patience', '400', '--json', str(file)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=DRILL.parent)
    if 'mount' in done.stderr:
        pytest.skip('needs the right to mount a small disk')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    own, services = json.loads(file.read_text())
    assert own['setting'].startswith('sqlite, zeromq')
    assert services['setting'].startswith('postgres, rabbitmq')
    assert len(own['decided']) == own['launches'] == services['launches'] == 6
    assert {row[3] for row in own['decided']} >= {'initial', 'acquisition'}
    assert services['decided'] == own['decided']
