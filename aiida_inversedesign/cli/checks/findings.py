"""Findings: what is well and what is wrong, each with how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import click

from aiida_inversedesign.cli.printing import draw, plain_table
from aiida_inversedesign.errors import InverseDesignError

CONNECT = click.option('--connect', is_flag=True, help='Try codes on other computers as well, over their transports.')

#: What a finding means for the campaign.
State = Literal['ok', 'warning', 'error']


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    :param remedy: what to do, a command where there is one.
    """

    subject: str
    state: State
    text: str
    remedy: str = ''


class NotReadyError(InverseDesignError):
    """A campaign that cannot run now, with every reason and its remedy."""

    def __init__(self, problems: list[Finding], what: str = 'the campaign was not launched') -> None:
        self.problems = problems
        lines = [f'  {item.subject}: {item.text}' + (f'; {item.remedy}' if item.remedy else '') for item in problems]
        super().__init__('\n'.join([f'{what}:', *lines]))


def refuse_errors(findings: Iterable[Finding], what: str = 'the campaign was not launched') -> None:
    """Go on only if nothing is an error.

    :param what: follows from errors.
    :raises NotReadyError: with every error among the findings.
    """
    if problems := [item for item in findings if item.state == 'error']:
        raise NotReadyError(problems, what)


def show_findings(findings: list[dict[str, str]]) -> None:
    """Print findings for people."""
    from rich.markup import escape
    from rich.text import Text

    colours = {'ok': 'green', 'warning': 'yellow', 'error': 'red'}
    table = plain_table('', 'what')
    for name in ('finding', 'how to fix it'):
        # a command that is cut at the edge of the terminal cannot be copied
        table.add_column(name, overflow='fold')
    for item in findings:
        state = Text(item['state'], style=colours[item['state']])
        table.add_row(state, item['subject'], escape(item['text']), escape(item['remedy']))
    draw(table)
