"""Drill of a campaign in the foreground while its database is locked (SQLite) or restarted (PostgreSQL).

Afterwards the record that the table engine keeps outside AiiDA is compared with the table and the audit. Exit code 1 if
anything was lost, launched twice or different, or the campaign did not end by itself.

    python tests/drill/locks.py                                     10 locks of 30 s, 40 evaluations
    python tests/drill/locks.py --storage postgres --seconds 5      10 restarts, the server away for 5 s each
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from campaign import ROWS, Setting, campaign_text, fill_profile, make_profile
from launches import Row, compare, read_launches
from services import Postgres, run

COMMAND = [sys.executable, '-m', 'aiida_inversedesign.cli', '-p', 'drill']
#: Ways of locking SQLite: no other program may write, or read, or end a change.
KINDS = ('BEGIN IMMEDIATE', 'BEGIN EXCLUSIVE', 'BEGIN; SELECT count(*) FROM db_dbnode')


def lock_sqlite(path: Path, kind: str, seconds: float) -> None:
    """Hold a lock, as a backup does."""
    database = sqlite3.connect(path, isolation_level=None, timeout=120)
    try:
        for statement in kind.split(';'):
            database.execute(statement).fetchone()
        time.sleep(seconds)
        database.execute('ROLLBACK')
    finally:
        database.close()


def restart_postgres(server: Postgres, seconds: float) -> None:
    """Kill the server and start it again after some time."""
    server.kill()
    time.sleep(seconds)
    server.start()


def drill(
    folder: Path, storage: str, times: int, seconds: float, evaluations: int, schedule: str, seed: int = 1
) -> dict[str, Any]:
    """Run the campaign through its locks, and compare."""
    setting = Setting(storage=storage, schedule=schedule)
    home, record, log = folder / 'aiida', folder / 'launches.jsonl', folder / 'launch.log'
    os.environ['AIIDA_PATH'] = str(home)
    (home / '.aiida').mkdir(parents=True)
    server = Postgres(folder / 'pg') if storage == 'postgres' else None
    chance = random.Random(seed)
    strikes: list[str] = []
    try:
        make_profile(setting, server.port if server else 0, 0, home)
        fill_profile(setting, folder / 'scratch', record)
        (folder / 'drill.yaml').write_text(campaign_text(setting, evaluations, 2, 4.0, seed))
        with log.open('w') as output:
            campaign = subprocess.Popen(
                [*COMMAND, 'launch', str(folder / 'drill.yaml')], stdout=output, stderr=subprocess.STDOUT
            )
            while campaign.poll() is None and not record.exists():
                time.sleep(0.2)
            started = time.monotonic()
            while campaign.poll() is None and len(strikes) < times:
                time.sleep(chance.uniform(2.0, 8.0))
                kind = KINDS[len(strikes) % len(KINDS)]
                strike: Callable[[], None] = (
                    (lambda: restart_postgres(server, seconds))
                    if server
                    else (lambda kind=kind: lock_sqlite(home / 'storage' / 'database.sqlite', kind, seconds))
                )
                if campaign.poll() is None:
                    strikes.append(kind if server is None else 'kill -9 and start')
                    strike()
            with suppress(subprocess.TimeoutExpired):
                campaign.wait(1200)
        ended = campaign.poll()
        if ended is None:
            campaign.kill()
        listed = json.loads(run([*COMMAND, 'status', '--format', 'json']).stdout)
        pk = str(listed[0]['pk'])
        found = json.loads(run([sys.executable, '-c', ROWS, pk]).stdout.splitlines()[-1])
        audit = json.loads(run([*COMMAND, 'audit', pk, '--format', 'json', '--structures', 'none']).stdout)
        rows = [Row(**row) for row in found['rows']]
        figures = compare(read_launches(record), rows, audit, evaluations, 2)
        said = log.read_text()
        return figures | {
            'storage': storage, 'strikes': len(strikes), 'exit': ended, 'reason': found['reason'],
            'elapsed': round(time.monotonic() - started), 'tracebacks': said.count('Traceback'),
            'waited': len(re.findall('is locked or away', said)), 'answered': len(re.findall('answers again', said)),
        }  # fmt: skip
    finally:
        if server is not None:
            server.stop()


def is_good(figures: dict[str, Any]) -> bool:
    """Whether nothing was lost or launched twice, and the campaign ended by itself."""
    return not figures['problems'] and figures['exit'] == 0 and not figures['tracebacks']


def main() -> None:
    """Run one drill and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--storage', choices=['sqlite', 'postgres'], default='sqlite')
    parser.add_argument('--times', type=int, default=10)
    parser.add_argument('--seconds', type=float, default=30.0)
    parser.add_argument('--evaluations', type=int, default=40)
    parser.add_argument('--schedule', choices=['generations', 'asynchronous'], default='generations')
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    # readable by the user of PostgreSQL
    with tempfile.TemporaryDirectory(prefix='locks-') as name:
        Path(name).chmod(0o755)
        figures = drill(Path(name), **vars(options))
        if not is_good(figures):
            print((Path(name) / 'launch.log').read_text()[-5000:])
    print(json.dumps(figures, indent=2))
    raise SystemExit(not is_good(figures))


if __name__ == '__main__':
    main()
