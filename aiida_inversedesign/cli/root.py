"""The root command: finds each command in its file, and turns errors for the person into plain messages."""

from __future__ import annotations

import importlib
from typing import Any

import click

from aiida_inversedesign import __version__
from aiida_inversedesign.errors import InverseDesignError

#: Where each command is, and what it does, so that the help needs no imports.
COMMANDS: dict[str, tuple[str, str]] = {
    'demo': ('demo', 'Run a real campaign on this machine, in a profile of its own.'),
    'examples': ('examples', 'List or copy the campaign files that come with the package.'),
    'doctor': ('checks.doctor', 'Check profile, daemon, codes, pseudopotentials, library and disk.'),
    'schema': ('checks.check', 'Print the JSON schema of the campaign file.'),
    'check': ('checks.check', 'Check a campaign file and print its plan; launch nothing.'),
    'launch': ('launch', 'Launch a campaign, here or through the daemon.'),
    'resume': ('launch', 'Continue a campaign from its last table.'),
    'stop': ('control.stop', 'End a campaign cleanly: finish or kill what runs.'),
    'ask': ('lab.ask', 'List what a campaign waits for: candidates to be measured.'),
    'tell': ('lab.tell', 'Record what was measured.'),
    'status': ('control.status', 'Show where a campaign stands.'),
    'tend': ('control.tend', 'Watch the daemon of long campaigns and repair it.'),
    'calculators': ('calculators', 'Set up ASE calculators such as MACE with a code.'),
    'clean': ('control.clean', 'Remove the folders of ended evaluations on their computers.'),
    'audit': ('audit', 'Compute the figures of a campaign from its provenance.'),
    'compare': ('compare', 'Compare campaigns: hits, costs, acceleration, each and pooled.'),
    'paper': ('paper', 'Write tables, figures, crystals, methods and archive of a campaign into a folder.'),
    'verify': ('verify', 'Re-run every decision of a campaign and compare.'),
    'explain': ('explain', 'Say what a campaign has learned: importances, reasons of choices, rules.'),
    'report': ('report', 'Write a page of a campaign: answer, pictures, plots and table.'),
    'library': ('library.commands', 'Import, list and show template libraries.'),
    'cspml': ('cspml', 'Train the proposal model and predict crystals.'),
    'benchmark': ('benchmark.commands', 'Repeat the comparisons of the README.'),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a campaign needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command ``cmd_name``, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f'aiida_inversedesign.cli.{COMMANDS[cmd_name][0]}')
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith('-'):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f' Did you mean {near[0]!r}?' if near else ''
            ctx.fail(f'No such command {args[0]!r}.{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section('Commands'):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error for the person ends it with a message and exit code 1, not a traceback."""
        try:
            return super().invoke(ctx)
        except InverseDesignError as error:
            raise click.ClickException(str(error)) from error
        except Exception as error:
            from aiida_inversedesign.cli.common import database_problem

            if sentence := database_problem(error):
                raise click.ClickException(sentence) from error
            raise


@click.group(
    'inversedesign',
    cls=LazyGroup,
    context_settings={'help_option_names': ['-h', '--help'], 'auto_envvar_prefix': 'INVERSEDESIGN'},
)
@click.option('-p', '--profile', help='AiiDA profile; default: the default profile.')
@click.version_option(__version__, prog_name='aiida-inversedesign')
@click.pass_context
def cli(ctx: click.Context, profile: str | None) -> None:
    """Closed-loop inverse design of materials, recorded in AiiDA's provenance graph.

    \b
    First steps:
      aiida-inversedesign demo                   # a real campaign in 15 minutes
      aiida-inversedesign examples --copy .      # campaign files to start from
      aiida-inversedesign check campaign.yaml    # what a campaign file would do
      aiida-inversedesign launch campaign.yaml   # do it
    """
    ctx.meta['inversedesign.profile'] = profile
