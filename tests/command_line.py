"""The command line as a user calls it."""

from __future__ import annotations

from click.testing import CliRunner, Result

from aiida_inversedesign.cli import cli


def call(*arguments: object) -> Result:
    """What a command answers; an error that it does not expect is raised."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
