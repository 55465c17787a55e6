"""``benchmark engine``: what a campaign costs beyond its evaluations, through a daemon in a profile of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FOLDER, FORMAT, OUTPUT, emit
from aiida_inversedesign.cli.printing import draw, new_table
from aiida_inversedesign.cli.setup_local import make_profile
from aiida_inversedesign.errors import InverseDesignError

PROFILE = 'benchmark-engine'


@click.command()
@click.option(
    '--evaluations', type=click.IntRange(20, 1100), default=1000, show_default=True, help='That take no time.'
)
@click.option(
    '--already',
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help='Of the evaluations: made up, in the table when the campaign begins.',
)
@click.option('--workers', type=COUNT, default=2, show_default=True, help='Of the daemon.')
@click.option('--at-once', type=COUNT, default=8, show_default=True, help='Evaluations in flight.')
@click.option(
    '--schedule',
    type=click.Choice(['asynchronous', 'generations']),
    default='asynchronous',
    show_default=True,
    help='Of the campaign.',
)
@click.option('--seeds', type=click.IntRange(min=0), default=30, show_default=True, help='Of the simulated gain.')
@click.option(
    '--minutes', type=click.FloatRange(min=1), default=120, show_default=True, help='Then it stops with what it has.'
)
@click.option('--folder', type=FOLDER, help='Of the profile; default: a new one.')
@OUTPUT
@FORMAT
def engine(seeds: int, folder: Path | None, output: Path | None, output_format: str, **asked: Any) -> None:
    """Measure the overhead of a campaign and the gain of the asynchronous schedule.

    A campaign whose evaluations are looked up in a table at once runs through a daemon, in a profile of its own
    (SQLite, ZeroMQ) that is deleted afterwards unless a folder is named. asynchronous_gain is the number of
    evaluations in the same wall time, asynchronous / generations, simulated with log-normal durations (σ = 1).

    \b
    Example:
      aiida-inversedesign benchmark engine --evaluations 100 --seeds 5
    """
    from aiida_inversedesign.benchmarks.search.schedules import gain

    if asked['already'] >= asked['evaluations']:
        raise InverseDesignError(
            f'--already {asked["already"]}: fewer than --evaluations {asked["evaluations"]}, of which they are part'
        )
    if os.environ.get('INVERSEDESIGN_BENCHMARK_HOME') and os.environ.get('AIIDA_PATH'):
        emit(_measured(**asked), 'json', _show)
        return
    with tempfile.TemporaryDirectory(prefix='inversedesign-engine-') as temporary:
        home = (folder or Path(temporary)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        figures = _in_own_home(home, asked)
    if seeds:
        figures['asynchronous_gain'] = gain(range(seeds), asked['at_once'])['evaluations']
    emit(figures, output_format, _show, output)


def _in_own_home(home: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Run the measurement in another interpreter: AiiDA reads where its home is when it is first imported."""
    command = [sys.executable, '-m', 'aiida_inversedesign.cli', 'benchmark', 'engine']
    command += [word for name, value in asked.items() for word in (f'--{name.replace("_", "-")}', str(value))]
    environment = {**os.environ, 'AIIDA_PATH': str(home), 'INVERSEDESIGN_BENCHMARK_HOME': '1'}
    # the daemon is started by `verdi`, which has to be that of this interpreter
    environment['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{environment.get("PATH", "")}'
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise InverseDesignError(f'the campaign could not be measured (see above); its profile was in {home}')
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _measured(evaluations: int, minutes: float, **asked: Any) -> dict[str, Any]:
    make_profile(PROFILE)
    from aiida import load_profile
    from rich.console import Console
    from rich.progress import Progress

    load_profile(PROFILE)
    from aiida_inversedesign.benchmarks.engine.overhead import measure

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task('evaluations', total=evaluations)

        def report(count: int) -> None:
            bar.update(task, completed=count)

        return measure(evaluations, report=report, timeout=60 * minutes, **asked)


def _show(figures: dict[str, Any]) -> None:
    table = new_table('', '', show_header=False)
    table.add_row('evaluations', f'{figures["evaluations"]}, {figures["at_once"]} at once, {figures["schedule"]}')
    table.add_row('daemon', f'{figures["workers"]} workers, {figures["backend"]}')
    for mark, seconds in figures['seconds_per_evaluation'].items():
        processor = figures['cpu_seconds_per_evaluation'][mark]
        text = f'{_seconds(seconds)} per evaluation; of the workers {_seconds(processor)} processor time'
        table.add_row(f'overhead at {mark}', text)
    table.add_row('largest checkpoint', f'{figures["checkpoint_bytes"] / 1000:.1f} kB')
    if figures['storage_bytes'] is not None:
        text = f'{figures["storage_bytes"] / 1000:.0f} kB per evaluation'
        table.add_row('storage', f'{text}, of these the database {figures["database_bytes"] / 1000:.0f} kB')
    table.add_row('largest worker', f'{figures["worker_mb"]} MB')
    if 'asynchronous_gain' in figures:
        table.add_row('asynchronous schedule', f'{figures["asynchronous_gain"]:.2f} × the evaluations of generations')
    draw(table)


def _seconds(value: float | None) -> str:
    return 'not measured' if value is None else f'{value:.2f} s'
