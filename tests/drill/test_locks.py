"""A campaign in the foreground while its database is locked or restarted; the full drill is a script of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
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


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_postgresql_is_away_leaves_no_job_and_resume_goes_on(number: signal.Signals) -> None:
    import tempfile

    from campaign import Setting, campaign_text, fill_profile, make_profile
    from locks import COMMAND
    from services import Postgres

    def jobs(folder: Path) -> list[psutil.Process]:
        return [item for item in psutil.process_iter(['cwd']) if (item.info['cwd'] or '').startswith(str(folder))]

    # readable by the user of PostgreSQL
    with tempfile.TemporaryDirectory(prefix='locks-') as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        folder.chmod(0o755)
        home, scratch = folder / 'aiida', folder / 'scratch'
        patch.setenv('AIIDA_PATH', str(home))
        (home / '.aiida').mkdir(parents=True)
        server, setting = Postgres(folder / 'pg'), Setting(storage='postgres')
        try:
            make_profile(setting, server.port, 0, home)
            fill_profile(setting, scratch, folder / 'launches.jsonl')
            (folder / 'drill.yaml').write_text(campaign_text(setting, 6, 2, 60.0, 1))
            command = [*COMMAND, 'launch', str(folder / 'drill.yaml')]
            running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            while not (folder / 'launches.jsonl').exists():
                assert running.poll() is None
                time.sleep(0.2)
            time.sleep(5)
            assert jobs(scratch)
            server.kill()
            time.sleep(4)
            status = subprocess.run([*COMMAND, 'status'], capture_output=True, text=True, check=False)
            assert 'does not answer' in status.stderr
            assert 'Traceback' not in status.stderr
            began = time.monotonic()
            os.kill(running.pid, number)
            said, _ = running.communicate(timeout=30)
            assert time.monotonic() - began < 10
            assert 'Traceback' not in said, said
            assert jobs(scratch) == []
            server.start()
            pk = said.partition('resume ')[2].split()[0]
            (folder / 'again.txt').write_text(said)
            listed = subprocess.run(
                [*COMMAND, 'status', pk, '--format', 'json'], capture_output=True, text=True, check=True
            )
            assert json.loads(listed.stdout)['cut_off']
        finally:
            server.stop()
