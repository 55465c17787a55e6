"""The live view of ``status --watch``: the same data again and again, until the campaign ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

#: At most this share of the time is spent asking the database.
LOAD = 0.2

#: What differs from look to look though nothing has happened.
_PASSING = ('time_left', 'running')


def watch(node: WorkChainNode, interval: float, output_format: str) -> bool:
    """Show a campaign until it ends.

    :param interval: seconds between two looks; more where the queries themselves take long.
    :return: whether it has ended; False if Ctrl-C came first.
    """
    from aiida_inversedesign.cli.control.status_view import console, view

    out = console()
    try:
        if output_format == 'json':
            _lines(node, interval, lambda data: click.echo(json.dumps(data, ensure_ascii=False, allow_nan=False)))
        elif out.is_terminal:
            _live(node, interval, out)
        else:
            _lines(node, interval, lambda data: out.print(view(data), ''))
    except KeyboardInterrupt:
        return False
    return True


def _looks(node: WorkChainNode, interval: float) -> Iterator[tuple[dict[str, Any], float]]:
    """The campaign's state and the time until the next look, until it has ended; meanwhile its database may be away."""
    from aiida_inversedesign.audit.status import describe
    from aiida_inversedesign.cli.common import database_problem

    shown = ''
    while True:
        started = time.monotonic()
        try:
            data = describe(node)
        except Exception as error:
            sentence = database_problem(error)
            if not sentence:
                raise
            if sentence != shown:
                click.echo(sentence, err=True)
            shown = sentence
            with suppress(Exception):
                node.backend.get_session().rollback()
            time.sleep(interval)
            continue
        shown = ''
        yield data, max(interval, (time.monotonic() - started) / LOAD)
        if data['ended']:
            return


def _lines(node: WorkChainNode, interval: float, show: Any) -> None:
    """One frame for each change."""
    before = None
    for data, pause in _looks(node, interval):
        events = {name: value for name, value in data.items() if name not in _PASSING}
        now = (events, [(item['pk'], item['state']) for item in data['running']])
        if now != before:
            show(data)
        before = now
        if not data['ended']:
            time.sleep(pause)


def _live(node: WorkChainNode, interval: float, console: Any) -> None:
    """One view that renews itself; between two looks its clocks go on."""
    from rich.live import Live

    from aiida_inversedesign.cli.control.status_view import view

    # the last view stays on the screen, whatever ends it
    with Live(console=console, auto_refresh=False) as live:
        for data, pause in _looks(node, interval):
            seen = time.monotonic()
            lines = max((console.height - 12) // 3, 2)
            while (later := time.monotonic() - seen) < pause:
                live.update(view(data, lines, later), refresh=True)
                if data['ended']:
                    break
                time.sleep(min(1.0, pause - later))
