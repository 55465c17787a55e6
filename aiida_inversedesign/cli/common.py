"""What several commands need: the profile, the output format, nodes by identifier."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode


class SentenceGroup(click.Group):
    """A group whose help shows the first sentence of each command whole, where click would cut it."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands."""
        with formatter.section('Commands'):
            formatter.write_dl([(name, self.commands[name].get_short_help_str(1000)) for name in self.commands])


#: A file that is there, one to be written, and a folder to be written.
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
NEW_FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
#: A number of things.
COUNT = click.IntRange(min=1)

OUTPUT = click.option('--output', type=NEW_FILE, help='Write the JSON to this file too.')
FORMAT = click.option(
    '--format',
    'output_format',
    type=click.Choice(['table', 'json']),
    default='table',
    show_default=True,
    help='How to print the result.',
)

#: For commands whose figures compare crystals, which takes minutes where there are many.
STRUCTURES = click.option(
    '--structures',
    type=click.Choice(['auto', 'none', 'evaluated', 'all']),
    default='auto',
    show_default=True,
    help='Whose crystals are compared with each other and the library; auto: those evaluated, if at most 64.',
)


EXCLUDE_FORMULAS = click.option(
    '--exclude-formulas',
    multiple=True,
    metavar='FORMULA',
    help='Leave out a formula; may be repeated. @FILE: those in a file, separated by blanks, commas or line ends; '
    '# begins a comment.',
)


def formulas_to_exclude(texts: Iterable[str]) -> list[str]:
    """Reduced formulas of ``--exclude-formulas``, sorted.

    :raises InverseDesignError: if a text is not a formula, or a file cannot be read.
    """
    from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula

    named: list[str] = []
    for text in texts:
        if not text.startswith('@'):
            named.append(text)
            continue
        try:
            lines = Path(text[1:]).read_text(encoding='utf-8-sig').splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InverseDesignError(f'--exclude-formulas: {text[1:]} cannot be read ({error})') from error
        named += [word for line in lines for word in line.split('#')[0].replace(',', ' ').split()]
    return sorted({reduced_formula(parse_formula(text)) for text in named})


def load_profile() -> None:
    """Load the profile that was asked for, or the default one, unless one is loaded already.

    :raises InverseDesignError: if there is none of that name, or none at all.
    """
    from aiida import load_profile as load
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager

    name = click.get_current_context().find_root().meta.get('inversedesign.profile')
    if get_manager().get_profile() is not None and name is None:
        load()
        return
    try:
        load(name)
    except AiidaException as error:
        raise InverseDesignError(
            f'no AiiDA profile could be loaded ({error}): make one with `verdi presto`, or name one with --profile'
        ) from error


def load_campaign(identifier: str) -> WorkChainNode:
    """The campaign with this PK or UUID.

    :raises InverseDesignError: if there is no such node, or it is not a campaign.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        node = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise InverseDesignError(f'there is no campaign {identifier}: `status` without a PK lists them') from error
    if node.process_type != 'aiida.workflows:inversedesign.campaign':
        raise InverseDesignError(f'node {identifier} is a {node.node_type.split(".")[-2]}, not a campaign')
    return node


def _leave_no_configuration(context: click.Context, _: click.Parameter, archive: Path | None) -> Path | None:
    """Give AiiDA a temporary configuration folder: it makes one when it is imported, and an archive needs none."""
    if archive is not None and 'aiida' not in sys.modules:
        folder = tempfile.TemporaryDirectory(prefix='inversedesign-')
        # AiiDA warns of a folder that it has to make
        (Path(folder.name) / '.aiida').mkdir()
        # processes that this one starts read it as well
        os.environ['AIIDA_PATH'] = folder.name
        context.find_root().call_on_close(folder.cleanup)
    return archive


ARCHIVE = click.option(
    '--archive',
    callback=_leave_no_configuration,
    type=NEW_FILE,
    metavar='FILE.aiida',
    help='Read an exported archive instead of the profile; none is needed then.',
)


def campaign_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take ``CAMPAIGN`` (PK or UUID) or ``--archive FILE.aiida``: parameters ``campaign``, ``archive``.

    The command opens what was named with :func:`opened_campaign`.
    """
    return click.argument('campaign', required=False, metavar='[PK|UUID]')(ARCHIVE(function))


@contextmanager
def opened_campaign(campaign: str | None, archive: Path | None) -> Iterator[WorkChainNode]:
    """The campaign that was named, in the profile or in an archive; it is read inside the context.

    An archive with one campaign needs no name; those that a campaign resumed do not count.

    :raises InverseDesignError: if nothing was named, there is no such campaign, or the archive cannot be read.
    """
    if archive is None:
        if campaign is None:
            raise InverseDesignError('name a campaign (`aiida-inversedesign status` lists them), or --archive FILE')
        load_profile()
        yield load_campaign(campaign)
        return
    from aiida_inversedesign.audit.archive import only_campaign, open_archive

    with open_archive(archive):
        yield only_campaign(campaign, f'the archive {archive}')


def as_json(data: Any) -> str:
    """Plain data as JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)


def write_json(data: Any, path: Path) -> None:
    """Write plain data as JSON."""
    path.write_text(as_json(data) + '\n', encoding='utf-8')


def emit(data: Any, output_format: str, show: Callable[[Any], None], output: Path | None = None) -> None:
    """Print ``data`` as JSON, or let ``show`` draw it; with ``output``, write the JSON to that file too."""
    if output is not None:
        write_json(data, output)
    if output_format == 'json':
        click.echo(as_json(data))
    else:
        show(data)


def database_problem(error: BaseException) -> str:
    """What is wrong with the database of the profile, in a sentence; empty if the error is another."""
    name, module = type(error).__name__, type(error).__module__.partition('.')[0]
    if name not in ('OperationalError', 'UnreachableStorage') or module not in (
        'sqlalchemy',
        'sqlite3',
        'psycopg',
        'aiida',
    ):
        return ''
    from aiida.manage import get_manager

    found = get_manager().get_profile()
    profile = f' of the profile {found.name!r}' if found is not None else ''
    text = ' '.join(str(getattr(error, 'orig', None) or error).split())
    if 'is locked' in text:
        return f'the database{profile} is locked by another program, such as a backup: try again when that has ended'
    return f'the database{profile} does not answer ({text[:200]}): start it, or try again when it is back'
