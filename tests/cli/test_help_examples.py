"""The help of every command has examples, and they are understood as they are printed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from aiida_inversedesign.cli import cli

PROGRAM = 'aiida-inversedesign'


def commands(command: click.Command, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below one, with its path."""
    yield ' '.join(names), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, *names, name)


COMMANDS = dict(commands(cli, PROGRAM))


def examples(command: click.Command) -> list[str]:
    """The lines of the examples; one that ends with a backslash goes on in the next."""
    text = (command.help or '').replace('\\\n', ' ')
    return [line.strip() for line in text.splitlines() if line.strip().startswith(f'{PROGRAM} ')]


@pytest.mark.parametrize('name', COMMANDS)
def test_every_help_has_examples_that_are_understood(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsing alone, callbacks and types included; nothing is run."""
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[name]
    assert re.search(r'\x08\n\s*(Examples?|First steps):\n', command.help or '')
    assert examples(command)
    for line in examples(command):
        # a comment stands three or more blanks behind the command, a redirection behind >
        words = shlex.split(re.split(r' {3,}| > ', line)[0])
        for word in words:
            # files that have to be there
            if re.search(r'\.(jsonl\.gz|jsonl|csv|csv\.gz|yaml|aiida|parquet)$', word):
                (tmp_path / word).parent.mkdir(exist_ok=True)
                (tmp_path / word).touch()
        found, rest = cli, words[1:]
        context = click.Context(cli, info_name=PROGRAM)
        while True:
            context = found.make_context(context.info_name or '', list(rest), parent=context)
            if not isinstance(found, click.Group) or not (context._protected_args or context.args):
                break
            inner_name, inner, rest = found.resolve_command(context, [*context._protected_args, *context.args])
            assert inner is not None
            context.info_name, found = inner_name, inner
        assert line.startswith(name) or name == PROGRAM, line
