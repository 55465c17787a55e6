"""The same campaign over other services: PostgreSQL and RabbitMQ instead of SQLite and AiiDA's own broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from services import RabbitMQ

from aiida_inversedesign.cli.control.broker_watch import BrokerWatch

DRILL = Path(__file__).with_name('drill.py')
RABBITMQ, POSTGRESQL = '/usr/lib/rabbitmq/lib', '/usr/lib/postgresql'


def skip_without(*folders: str) -> None:
    """Servers that run as users of their own need root to start them."""
    missing = [folder for folder in folders if not Path(folder).is_dir()]
    if missing or os.geteuid() != 0:
        pytest.skip(f'needs root and {", ".join(missing) or "nothing else"}')


@pytest.mark.daemon
@pytest.mark.slow
def test_it_is_seen_at_once_that_rabbitmq_is_gone() -> None:
    skip_without(RABBITMQ)
    # short: not below the folder of the test, whose parents only root may enter
    with tempfile.TemporaryDirectory(prefix='drill', dir='/tmp') as folder:
        Path(folder).chmod(0o755)
        server = RabbitMQ(Path(folder) / 'mq')
        try:
            watch = BrokerWatch(f'amqp://guest:guest@127.0.0.1:{server.port}/')
            assert watch.answers
            assert watch.lost is None
            killed = time.time()
            server.kill()
            for _ in range(100):
                watch.wait(0.1)
                if not watch.answers:
                    break
            assert watch.lost is not None
            assert 0 <= watch.lost - killed < 5
            server.start()
            for _ in range(100):
                watch.wait(0.2)
                if watch.answers:
                    break
            assert watch.answers
            assert watch.lost - killed < 5
        finally:
            server.stop()


@pytest.mark.daemon
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_campaign_over_rabbitmq_and_postgresql_decides_as_one_over_sqlite_and_zeromq(tmp_path: Path) -> None:
    skip_without(RABBITMQ, POSTGRESQL)
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
