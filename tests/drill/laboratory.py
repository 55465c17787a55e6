"""Laboratory drill: a campaign asks for candidates and is told in random order, late, twice and wrongly while its
workers and daemon are killed.

What is told is kept outside AiiDA as well. At the end each candidate must have one row with what counts of it: nothing
lost, nothing double, nothing of what was refused; audit and `verify` must agree. Exit code 1 if they do not.

    python tests/drill/laboratory.py                        200 candidates, 8 kills
    python tests/drill/laboratory.py --candidates 24 --kills 3 --schedule asynchronous
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from campaign import COMMAND, Setting, make_profile, verdi
from faults import _kill, daemon_processes
from services import run

ROLES = ('start-circus', 'worker', 'broker', 'statistics')

FILE = """\
name: laboratory
seed: {seed}
goal: {{objectives: [{{property: strength, maximize: true}}], constraints: [{{property: hardness, min: 0}}]}}
space: {{kind: parameters, variables: {{speed: {{min: 0, max: 10}}, heat: {{min: 0, max: 1}}}}, samples: {samples}}}
select: {{initial: {batch}, batch: {batch}, schedule: {schedule}}}
evaluate: {{engine: external, units: {{strength: MPa, hardness: HV}}, free_space_gb: 0}}
budget: {{evaluations: {candidates}}}
"""


@dataclass
class Truth:
    """What counts of a candidate, kept by the laboratory itself."""

    strength: list[float] = field(default_factory=list)
    hardness: list[float] = field(default_factory=list)
    failed: bool = False

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return self.failed or bool(self.strength and self.hardness)


class Laboratory:
    """Tells at random; every node that it makes is counted."""

    def __init__(self, campaign: Any, seed: int) -> None:
        from aiida_inversedesign.engines.external.questions import Questions

        self.questions, self.campaign = Questions, campaign
        self.draw = random.Random(seed)
        self.truth: dict[str, Truth] = {}
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def tell(self, questions: Any, name: str, *words: str, kind: Any = 'answer', failed: str = '') -> None:
        """Tell something that has to be recorded, and the same again, which has to be known."""
        from aiida_inversedesign.engines.external.reading import Answered, answer_of_words
        from aiida_inversedesign.engines.external.recording import record

        answered = Answered(name, answer_of_words(words, questions.units, kind, failed))
        for expected in ('recorded', 'known')[: 1 + (kind != 'replicate' and self.draw.random() < 0.2)]:
            outcome = record(questions, answered)
            self.counts[outcome] += 1
            if outcome != expected:
                self.problems.append(f'{kind} to {name} was {outcome}, not {expected}')

    def tell_wrongly(self, questions: Any, name: str) -> None:
        """Tell something that has to be refused."""
        from aiida_inversedesign.engines.external.reading import AnswerError

        wrong = self.draw.choice(['strength=3 GPa', 'strength=3,5', 'strenght=3', 'hardness=nan'])
        for target, word in ((name, wrong), ('g009_c9999', 'strength=3')):
            try:
                self.tell(questions, target, word)
            except AnswerError:
                self.counts['refused'] += 1
            else:
                self.problems.append(f'{word} was recorded of {target}')

    def work(self) -> None:
        """Look what is open and tell something of some of it, in random order."""
        questions = self.questions(self.campaign)
        found = [item['candidate'] for item in questions.open()]
        self.draw.shuffle(found)
        # one that is left open keeps the campaign from going on, so that what comes late is taken note of
        for name in found[: max(1, len(found) // 2)]:
            truth = self.truth.setdefault(name, Truth())
            if len(found) > 1 and self.draw.random() < 0.3:
                self.come_late(questions)
            if self.draw.random() < 0.2:
                self.tell_wrongly(questions, name)
            self.answer(questions, name, truth)

    def answer(self, questions: Any, name: str, truth: Truth) -> None:
        """Both properties, one of them, or that it failed."""
        if not truth.strength and not truth.hardness and self.draw.random() < 0.1:
            self.tell(questions, name, failed='broke')
            truth.failed = True
            return
        parts = [part for part in ('strength', 'hardness') if not getattr(truth, part)]
        if len(parts) == 2 and self.draw.random() < 0.3:
            parts = [self.draw.choice(parts)]
        values = {part: round(self.draw.uniform(1, 100), 3) for part in parts}
        self.tell(questions, name, *(f'{part}={value} ± 0.5' for part, value in values.items()))
        for part, value in values.items():
            getattr(truth, part).append(value)

    def come_late(self, questions: Any) -> None:
        """Correct or repeat what belongs to another candidate, whose evaluation may have ended long ago."""
        done = sorted(name for name, truth in self.truth.items() if truth.done and name in questions.asked)
        if not done:
            return
        name = self.draw.choice(done)
        truth, value = self.truth[name], round(self.draw.uniform(1, 100), 3)
        if truth.failed:
            self.tell(questions, name, f'strength={value}', 'hardness=1', kind='correction')
            self.truth[name] = Truth([value], [1.0])
        elif self.draw.random() < 0.5:
            self.tell(questions, name, f'strength={value}', kind='replicate')
            truth.strength.append(value)
        else:
            self.tell(questions, name, f'strength={value}', kind='correction')
            truth.strength = [value]
        self.counts['late'] += 1


def strike(draw: random.Random, home: Path) -> str:
    """Kill a worker, or the daemon with all its processes; in words."""
    if draw.random() < 0.6:
        return f'a worker ({_kill(daemon_processes("worker", home)[:1])})'
    every = [process for role in ROLES for process in daemon_processes(role, home)]
    return f'the daemon with all its processes ({_kill(every)})'


def drill(folder: Path, candidates: int, batch: int, kills: int, schedule: str, seed: int, patience: float) -> Any:
    """Run the campaign and compare."""
    home = folder / 'aiida'
    home.mkdir()
    os.environ['AIIDA_PATH'] = str(home)
    make_profile(Setting(), 0, 0, home)
    file = folder / 'laboratory.yaml'
    file.write_text(
        FILE.format(seed=seed, samples=2 * candidates, batch=batch, schedule=schedule, candidates=candidates)
    )
    tend = None
    try:
        verdi('-p', 'drill', 'daemon', 'start', '2')
        said = run([COMMAND, '-p', 'drill', 'launch', str(file), '--daemon']).stdout
        pk = int(said.split('campaign ')[1].split(':')[0])
        with (folder / 'tend.log').open('w') as output:
            command = [COMMAND, '-p', 'drill', 'tend', '--interval', '2', '--grace', '60', '--workers', '2']
            tend = subprocess.Popen(command, stdout=output, stderr=output)
        laboratory, seconds, struck = _suffer(pk, home, candidates, kills, seed, patience)
        tend.terminate()
        tend.wait(60)
        return {**_judge(pk, laboratory, candidates), 'kills': struck, 'seconds': round(seconds)}
    finally:
        if tend is not None and tend.poll() is None:
            tend.kill()
        with suppress(RuntimeError):
            verdi('-p', 'drill', 'daemon', 'stop')
        for process in [process for role in ROLES for process in daemon_processes(role, home)]:
            with suppress(psutil.Error):
                process.kill()


def _suffer(pk: int, home: Path, candidates: int, kills: int, seed: int, patience: float) -> tuple[Any, float, int]:
    from aiida import load_profile, orm

    from aiida_inversedesign.processes.timed_wait import end_read_transaction

    load_profile('drill')
    node = orm.load_node(pk)
    laboratory, draw = Laboratory(node, seed), random.Random(seed + 1)
    at = sorted(draw.uniform(0, 0.9 * candidates) for _ in range(kills))
    start, struck = time.monotonic(), 0
    while not node.is_terminated:
        if time.monotonic() - start > patience:
            laboratory.problems.append(f'not ended after {patience:.0f} s')
            break
        with suppress(IndexError):
            if len(laboratory.truth) >= at[struck]:
                print(f'  {time.monotonic() - start:6.0f} s  kill -9 {strike(draw, home)}', flush=True)
                struck += 1
        laboratory.work()
        time.sleep(draw.uniform(0, 2))
        end_read_transaction()
    return laboratory, time.monotonic() - start, struck


def _judge(pk: int, laboratory: Laboratory, candidates: int) -> dict[str, Any]:
    """Compare what was told with the table, the audit and `verify`."""
    from aiida import orm

    from aiida_inversedesign.nodes.answer_data import AnswerData

    problems, node = list(laboratory.problems), orm.load_node(pk)
    rows = node.outputs.table.get_rows() if 'table' in node.outputs else []
    found, truth = Counter(row.candidate for row in rows), laboratory.truth
    lost = [name for name in truth if not found[name]]
    twice = [name for name, number in found.items() if number > 1 or name not in truth]
    wrong = []
    for row in rows:
        answered = truth.get(row.candidate, Truth())
        values = (
            {}
            if answered.failed
            else {'strength': statistics.fmean(answered.strength or [0]), 'hardness': answered.hardness[0]}
        )
        same = row.properties.keys() == values.keys() and all(
            abs(row.properties[name] - value) < 1e-9 for name, value in values.items()
        )
        if not same or (row.status == 'failed') != answered.failed:
            wrong.append(f'{row.candidate}: told {answered}, the row has {row.status} {row.properties}')
    nodes = orm.QueryBuilder().append(AnswerData).count()
    if nodes != laboratory.counts['recorded']:
        problems.append(f'{laboratory.counts["recorded"]} answers were recorded, {nodes} nodes are there')
    problems += [f'lost: {lost}'] * bool(lost) + [f'double: {twice}'] * bool(twice) + wrong
    problems += [f'{len(rows)} rows, the budget allows {candidates}'] * (len(rows) != candidates)
    counts = json.loads(run([COMMAND, '-p', 'drill', 'audit', str(pk), '--format', 'json']).stdout)['evaluations']
    failed = sum(item.failed for item in truth.values())
    audited = (counts['completed'], counts['failed'])
    if audited != (len(truth) - failed, failed):
        problems.append(f'audit: {audited}, told were {(len(truth) - failed, failed)}')
    checked = subprocess.run([COMMAND, '-p', 'drill', 'verify', str(pk)], capture_output=True, text=True, check=False)
    if checked.returncode:
        problems.append(f'verify: {checked.stdout[-2000:]}{checked.stderr[-1000:]}')
    return {
        'candidates': len(truth), 'failed': failed, **laboratory.counts, 'lost': len(lost), 'double': len(twice),
        'wrong': len(wrong), 'audit': 'equal' if not any(item.startswith('audit') for item in problems) else 'differs',
        'verify': 'findings' if checked.returncode else 'clean', 'problems': problems,
    }  # fmt: skip


def main() -> int:
    """Run the drill and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--candidates', type=int, default=200)
    parser.add_argument('--batch', type=int, default=40)
    parser.add_argument('--kills', type=int, default=8)
    parser.add_argument('--schedule', choices=('generations', 'asynchronous'), default='generations')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--patience', type=float, default=3600)
    parser.add_argument('--keep', action='store_true', help='leave the folder for a look at the logs')
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix='lab', dir='/tmp'))
    print(f'{options.candidates} candidates, {options.kills} kills, {options.schedule}, in {folder}', flush=True)
    result = drill(
        folder, options.candidates, options.batch, options.kills, options.schedule, options.seed, options.patience
    )
    for problem in result['problems']:
        print(f'    {problem}')
    print(', '.join(f'{name} {value}' for name, value in result.items() if name != 'problems'))
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bool(result['problems']))


if __name__ == '__main__':
    sys.exit(main())
