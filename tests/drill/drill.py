"""Fault drill: a campaign on a real daemon while its workers, daemon, broker, database, scheduler and disk are killed.

Each campaign has 2 workers and evaluations of random duration, 15 % of which fail. `aiida-inversedesign tend` runs
beside it, as a user would let it. At the end the record that the table engine keeps outside AiiDA is compared with the
table and the audit, and `verify` runs. Exit code 1 if anything was lost, launched twice, over budget or different.

    python tests/drill/drill.py                                      30 faults, three configurations (root needed)
    python tests/drill/drill.py --faults 12 --settings sqlite+zeromq
    python tests/drill/drill.py --faults 32 --evaluations 48 --settings postgres+zeromq+slurm
    python tests/drill/drill.py --faults 12 --settings postgres+zeromq --broker rabbitmq
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from campaign import COMMAND, ROWS, Setting, campaign_text, fill_profile, make_profile, verdi
from faults import Fault, daemon_processes, faults_of
from launches import Row, compare, read_launches
from recovery import Strike, by_fault, read_actions, recoveries
from services import Postgres, RabbitMQ, Slurm, SmallDisk, run

SETTINGS = 'sqlite+zeromq+direct,postgres+zeromq+slurm,postgres+rabbitmq+direct'

#: Seconds between two looks of the administrator at the nodes of Slurm.
ADMINISTRATION = 15.0


@dataclass
class Drill:
    """One campaign and its faults.

    :param faults: how many.
    :param seconds: median duration of an evaluation.
    :param seed: of the campaign, and with ``number`` of the faults.
    :param patience: seconds after which the campaign counts as stalled.
    """

    setting: Setting
    folder: Path
    evaluations: int
    at_once: int
    faults: int
    seconds: float
    seed: int
    number: int = 0
    patience: float = 3600.0
    log: list[Strike] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.record = self.folder / 'launches.jsonl'
        self.home = self.folder / 'aiida'
        self.postgres: Postgres | None = None
        self.rabbitmq: RabbitMQ | None = None
        self.slurm: Slurm | None = None
        self.pending: list[tuple[float, Fault]] = []

    def run(self) -> dict[str, Any]:
        """Set everything up, run the campaign through its faults, compare, and take everything down."""
        os.environ['AIIDA_PATH'] = str(self.home)
        self.home.mkdir(parents=True)
        disk = SmallDisk(self.folder / 'scratch')
        tend: subprocess.Popen[bytes] | None = None
        try:
            self.postgres = Postgres(self.folder / 'pg') if self.setting.storage == 'postgres' else None
            self.rabbitmq = RabbitMQ(self.folder / 'mq') if self.setting.broker == 'rabbitmq' else None
            self.slurm = Slurm(self.folder / 'slurm') if self.setting.scheduler == 'slurm' else None
            make_profile(
                self.setting,
                self.postgres.port if self.postgres else 0,
                self.rabbitmq.port if self.rabbitmq else 0,
                self.home,
            )
            fill_profile(self.setting, disk.folder, self.record)
            file = self.folder / 'drill.yaml'
            file.write_text(campaign_text(self.setting, self.evaluations, self.at_once, self.seconds, self.seed))
            verdi('-p', 'drill', 'daemon', 'start', '2')
            said = run([COMMAND, '-p', 'drill', 'launch', str(file), '--daemon']).stdout
            campaign = int(said.split('campaign ')[1].split(':')[0])
            with (self.folder / 'tend.log').open('w') as output:
                tend = subprocess.Popen(
                    [COMMAND, '-p', 'drill', 'tend', '--interval', '2', '--grace', '60', '--workers', '2',
                     '--format', 'json'],
                    stdout=output, stderr=output,
                )  # fmt: skip
            start = time.monotonic()
            ended = self._suffer(campaign, faults_of(
                self.setting, self.home, disk, self.postgres, self.rabbitmq, self.slurm
            ))  # fmt: skip
            elapsed = time.monotonic() - start
            for _, fault in self.pending:
                fault.mend and fault.mend()
            # not SIGINT, which is ignored below a shell's background job
            tend.terminate()
            tend.wait(60)
            after = recoveries(self.log, read_launches(self.record), read_actions(self.folder / 'tend.log'))
            return {**self._judge(campaign, ended), 'seconds': round(elapsed), 'strikes': after}
        finally:
            if tend is not None and tend.poll() is None:
                tend.kill()
            with suppress(RuntimeError):
                verdi('-p', 'drill', 'daemon', 'stop')
            roles = ('start-circus', 'worker', 'broker', 'statistics')
            left = [process for role in roles for process in daemon_processes(role, self.home)]
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            for service in (self.slurm, self.rabbitmq, self.postgres, disk):
                if service is not None:
                    service.stop()

    def _suffer(self, campaign: int, kinds: list[Fault]) -> bool:
        """Strike at random moments spread over the campaign, until it has ended; False if it never did."""
        draw = random.Random(self.seed + self.number)
        # every kind as often as any other, in random order
        queue = [kinds[index % len(kinds)] for index in range(self.faults)]
        draw.shuffle(queue)
        # a fault belongs to a number of launches, and follows it after a random pause
        at = sorted(draw.uniform(0, 0.95 * self.evaluations) for _ in queue)
        start = administered = time.monotonic()
        while not self._has_ended(campaign):
            now = time.monotonic()
            if now - start > self.patience:
                return False
            for moment, fault in list(self.pending):
                if now >= moment:
                    fault.mend and fault.mend()
                    self.pending.remove((moment, fault))
            if self.slurm is not None and not self.pending and now - administered > ADMINISTRATION:
                administered = now
                if reason := self.slurm.resume():
                    print(f'  {now - start:6.0f} s  the node is told to go on ({reason})', flush=True)
            # one fault at a time: the next strikes when what the last one took away is there again
            if queue and not self.pending and len(read_launches(self.record)) >= at[0]:
                time.sleep(draw.uniform(0, 3))
                fault = queue[0]
                if hit := fault.strike():
                    self.log.append(Strike(time.time(), fault.name, hit))
                    print(f'  {time.monotonic() - start:6.0f} s  {fault.name} ({hit})', flush=True)
                    queue.pop(0)
                    at.pop(0)
                    if fault.mend is not None:
                        self.pending.append((time.monotonic() + fault.seconds, fault))
            time.sleep(1)
        return True

    def _has_ended(self, campaign: int) -> bool:
        """Asked of the database itself: AiiDA in this process would share the fate of the services."""
        states = "('finished', 'excepted', 'killed')"
        if self.postgres is not None:
            with suppress(RuntimeError):
                query = f"SELECT attributes->>'process_state' IN {states} FROM db_dbnode WHERE id = {campaign}"
                return self.postgres.sql(query, 'drill') == 't'
            return False
        file = next(self.home.rglob('database.sqlite'))
        query = f"SELECT json_extract(attributes, '$.process_state') IN {states} FROM db_dbnode WHERE id = {campaign}"
        with suppress(sqlite3.Error), sqlite3.connect(f'file:{file}?mode=ro', uri=True) as database:
            return bool(database.execute(query).fetchone()[0])
        return False

    def _judge(self, campaign: int, ended: bool) -> dict[str, Any]:
        if not ended:
            listing = verdi('-p', 'drill', 'process', 'list')
            return {'problems': [f'not ended after {self.patience:.0f} s:\n{listing}']}
        outcome = json.loads(run([sys.executable, '-c', ROWS, str(campaign)]).stdout)
        audit = json.loads(run([COMMAND, '-p', 'drill', 'audit', str(campaign), '--format', 'json']).stdout)
        rows = [Row(**row) for row in outcome['rows']]
        figures = compare(read_launches(self.record), rows, audit, self.evaluations, self.at_once)
        checked = subprocess.run(
            [COMMAND, '-p', 'drill', 'verify', str(campaign), '--format', 'json'],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        report = json.loads(checked.stdout) if checked.stdout.startswith('{') else {}
        figures['verify'] = 'clean' if checked.returncode == 0 else 'findings'
        figures['decisions'] = report.get('decisions')
        figures['decided'] = outcome['decided']
        if checked.returncode:
            said = [*report.get('different', []), *report.get('findings', [])] or checked.stderr[-1000:]
            figures['problems'].append(f'verify: {said}')
        if outcome['exit'] != 0:
            figures['problems'].append(
                f'the campaign ended {outcome["state"]}, {outcome["exit"]}: {outcome["message"]}'
            )
        return figures


def main() -> int:
    """Run the drills and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--settings', default=SETTINGS, help='configurations, separated by commas')
    parser.add_argument('--broker', choices=('zeromq', 'rabbitmq'), help='instead of that of each configuration')
    parser.add_argument('--faults', type=int, default=30, help='in all')
    parser.add_argument('--evaluations', type=int, default=40)
    parser.add_argument('--at-once', type=int, default=4)
    parser.add_argument('--seconds', type=float, default=3.0, help='median duration of an evaluation')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--patience', type=float, default=3600, help='seconds after which a campaign counts as stalled')
    parser.add_argument('--keep', action='store_true', help='leave the folders for a look at the logs')
    parser.add_argument('--json', type=Path, help='write the results to this file')
    options = parser.parse_args()
    # what was started is ended then, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    settings = [Setting.parse(text) for text in options.settings.split(',')]
    if options.broker:
        settings = [replace(setting, broker=options.broker) for setting in settings]
    results = []
    for number, setting in enumerate(settings):
        # short: the path of a socket may not have more than some 100 characters
        folder = Path(tempfile.mkdtemp(prefix='drill', dir='/tmp'))
        folder.chmod(0o755)
        share = options.faults // len(settings) + (number < options.faults % len(settings))
        print(f'{setting}: {options.evaluations} evaluations, {share} faults, in {folder}', flush=True)
        drill = Drill(
            setting, folder, options.evaluations, options.at_once, share, options.seconds, options.seed, number,
            options.patience,
        )  # fmt: skip
        result = drill.run()
        results.append({'setting': str(setting), 'faults': len(drill.log), **result})
        for problem in result['problems']:
            print(f'    {problem}')
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    _show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return int(any(result['problems'] for result in results))


def _show(results: list[dict[str, Any]]) -> None:
    lines = by_fault(row for result in results for row in result['strikes'])
    print(f'\n{"fault":44}{"times":>6}{"running":>9}{"next launch after":>20}   went on by')
    for line in lines:
        wait = '–' if line['median_back_s'] is None else f'{line["median_back_s"]} s (most {line["most_back_s"]})'
        print(f'{line["fault"]:44}{line["times"]:6}{line["running"]:9}{wait:>20}   {line["by"]}')
    columns = (
        *(
            'faults',
            'launches',
            'cut_short',
            'evaluations',
            'completed',
            'lost',
            'twice',
            'over_budget',
            'most_at_once',
        ),
        *('audit', 'verify', 'seconds', 'problems'),
    )
    print(f'\n{"campaign":46}' + ''.join(f'{name:>{len(name) + 2}}' for name in columns))
    for result in results:
        figures = {**result, 'problems': len(result['problems'])}
        cells = ''.join(f'{figures.get(name, "–")!s:>{len(name) + 2}}' for name in columns)
        print(f'{result["setting"]:46}{cells}')


if __name__ == '__main__':
    sys.exit(main())
