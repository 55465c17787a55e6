"""``tell``: record what was measured, by a command, from a file, or from a folder that a robot fills."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.cli.common import FOLDER, FORMAT, NEW_FILE, emit, load_campaign, load_profile
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode


@click.command()
@click.argument('campaign')
@click.argument('candidate', required=False)
@click.argument('values', nargs=-1, metavar='[property=value [± error] [unit]]…')
@click.option('--failed', default='', metavar='REASON', help='It could not be measured, and why.')
@click.option('--file', 'sheet', type=NEW_FILE, help='Read the answers of a CSV file.')
@click.option('--attach', multiple=True, type=click.Path(path_type=Path), help='Raw data; may be given several times.')
@click.option('--replicate', is_flag=True, help='A further measurement: replicates are averaged.')
@click.option('--correct', is_flag=True, help='Replaces the earlier answer, which stays visible.')
@click.option('--instrument', default='', help='What it was measured with.')
@click.option('--by', default='', help="Who measured it; default: the profile's user.")
@click.option('--note', default='', help='Anything else that a reader should know.')
@click.option('--watch', type=FOLDER, help='Take every CSV file put into a folder.')
@click.option(
    '--interval', type=click.FloatRange(min=0.1, max=86400), default=5.0, show_default=True, metavar='SECONDS',
    help='With --watch: seconds between two looks.',
)  # fmt: skip
@FORMAT
def tell(
    campaign: str,
    candidate: str | None,
    values: tuple[str, ...],
    failed: str,
    sheet: Path | None,
    attach: tuple[Path, ...],
    replicate: bool,
    correct: bool,
    instrument: str,
    by: str,
    note: str,
    watch: Path | None,
    interval: float,
    output_format: str,
) -> None:
    """Record what was measured of a candidate of a campaign (PK or UUID).

    The campaign takes it up within a minute. An answer may be given in parts. A file that has
    been read may be read again: rows that are known are left alone.

    \b
    Examples:
      aiida-inversedesign tell 1234 g001_c0003 'strength=45.2 ± 0.4 MPa' --attach curve.csv
      aiida-inversedesign tell 1234 g001_c0004 --failed "the sample broke when it was mounted"
      aiida-inversedesign tell 1234 g001_c0003 strength=44.9 --correct --note "wrong cross section"
      aiida-inversedesign tell 1234 --file results.csv
      aiida-inversedesign tell 1234 --watch /data/robot
    """
    ways = [way for way, given in (('a candidate', candidate), ('--file', sheet), ('--watch', watch)) if given]
    if len(ways) != 1:
        raise InverseDesignError(
            'name a candidate and what was measured, or --file FILE, or --watch DIR'
            + (f'; given are {" and ".join(ways)}' if ways else '')
        )
    if replicate and correct:
        raise InverseDesignError('--replicate is a further measurement, --correct replaces one: give one of them')
    if candidate is None and (values or failed or attach):
        raise InverseDesignError('values, --failed and --attach need a candidate; a file has columns for them')
    load_profile()
    from aiida_inversedesign.engines.external.questions import Questions
    from aiida_inversedesign.engines.external.reading import Answered, answer_of_words
    from aiida_inversedesign.engines.external.recording import attached, record, record_file

    node = load_campaign(campaign)
    questions = Questions(node)
    _refuse_if_ended(node)
    kind: Any = 'replicate' if replicate else 'correction' if correct else 'answer'
    about = {name: text for name, text in (('instrument', instrument), ('by', by), ('note', note)) if text}
    if watch is not None:
        from aiida_inversedesign.cli.lab.folder import watch_folder

        watch_folder(node, watch, kind, about, interval)
        return
    if sheet is not None:
        found = record_file(questions, sheet, kind, about)
    else:
        answer = answer_of_words(values, questions.units, kind, failed, **about)
        outcome = record(questions, Answered(str(candidate), answer), attached(attach))
        found = {'recorded': [], 'known': [], 'problems': [], outcome: [candidate]}
    left = [item['candidate'] for item in Questions(node).open()]
    data = {'schema': 'inversedesign/1', 'pk': node.pk, **found, 'open': left}
    emit(data, output_format, show)
    if found['problems']:
        click.get_current_context().exit(1)


def _refuse_if_ended(node: WorkChainNode) -> None:
    from aiida_inversedesign.engines.external.recording import refuse_if_ended
    from aiida_inversedesign.workchains.resume import resumed_as

    refuse_if_ended(node, resumed_as(node) if node.is_terminated else None)


def show(data: dict[str, Any]) -> None:
    """What was recorded, what not and why, and what is open."""
    for problem in data['problems']:
        click.echo(f'not recorded: {problem}', err=True)
    if data['recorded']:
        click.echo(f'recorded: {", ".join(data["recorded"])}')
    if data['known']:
        click.echo(f'recorded before, nothing changed: {", ".join(data["known"])}')
    if not data['recorded'] and not data['known'] and not data['problems']:
        click.echo('no row has an answer yet')
    click.echo(f'open: {", ".join(data["open"]) or "nothing"}')
