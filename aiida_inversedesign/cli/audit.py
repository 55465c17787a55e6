"""``audit``: the figures of a campaign, computed from its provenance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.audit.metrics import transfer_in_words
from aiida_inversedesign.cli.common import ARCHIVE, FORMAT, NEW_FILE, STRUCTURES, emit, load_profile, opened_campaign
from aiida_inversedesign.cli.compare import GROUP, members, show_compared, write_plot
from aiida_inversedesign.cli.printing import draw, fold_to_screen, new_table, say
from aiida_inversedesign.errors import InverseDesignError


@click.command()
@click.argument('campaigns', nargs=-1, metavar='[PK|UUID]...')
@GROUP
@ARCHIVE
@STRUCTURES
@click.option('--verify', is_flag=True, help='Re-run every decision, for the share that is reproduced; slow.')
@click.option('--plot', type=NEW_FILE, help='Write best-so-far as PNG.')
@FORMAT
def audit(
    campaigns: tuple[str, ...],
    group: str | None,
    archive: Path | None,
    structures: Any,
    verify: bool,
    plot: Path | None,
    output_format: str,
) -> None:
    """Compute every figure of one campaign (PK or UUID), or of several, from provenance alone; read only.

    \b
    Examples:
      aiida-inversedesign audit 1234 --plot best.png
      aiida-inversedesign audit 1234 1250 1302
      aiida-inversedesign audit --group "seeds 0-4 of rehearsal"
      aiida-inversedesign audit 1234 --structures all --verify
      aiida-inversedesign audit --archive campaign.aiida --format json
    """
    if group is not None:
        if archive is not None:
            raise InverseDesignError('--group is for campaigns of the profile: leave out --archive or --group')
        load_profile()
        campaigns = tuple(dict.fromkeys([*campaigns, *members(group)]))
    if archive is None and not campaigns:
        raise InverseDesignError('name a campaign (`aiida-inversedesign status` lists them), or --archive FILE')
    reports = []
    for name in campaigns or (None,):
        with opened_campaign(name, archive) as node:
            reports.append(report_of(node, structures, verify))
    if group is None:
        emit(reports[0] if len(reports) == 1 else reports, output_format, show_reports)
    else:
        from aiida_inversedesign.audit.pooled import compared

        found = compared(reports)
        data = {'schema': found['schema'], 'group': group, 'pooled': found['pooled'], 'campaigns': reports}
        emit(data, output_format, lambda _: show_compared(found))
    if plot is not None:
        from aiida_inversedesign.audit.plot import plot_best_so_far

        write_plot(plot_best_so_far, reports[0], plot)


def report_of(campaign: Any, structures: Any = 'auto', verify: bool = False) -> dict[str, Any]:
    """The audit of one campaign (node, PK or UUID) as plain data.

    :param verify: whether every decision is taken again first.
    """
    from aiida_inversedesign.audit.audit import audit as compute

    verified = None
    if verify:
        from aiida_inversedesign.verify import verify as take_again

        verified = take_again(campaign)
    return compute(campaign, structures, verified)


def show_reports(reports: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print one audit, or several side by side."""
    columns = reports if isinstance(reports, list) else [reports]
    table = new_table(
        'figure', *(f'{report["campaign"]["name"]} ({report["campaign"]["uuid"][:8]})' for report in columns)
    )
    for title, describe in _ROWS:
        cells = [describe(report) for report in columns]
        # what no campaign has, such as starting data, has no row
        if set(cells) != {'–'}:
            table.add_row(title, *cells)
    draw(table)
    for reason in dict.fromkeys(reason for report in columns for reason in _without_interval(report)):
        say(reason)
    for report in columns:
        _show_best(report)


def _without_interval(report: dict[str, Any]) -> list[str]:
    """Which figures of the table have no interval, and why."""
    found = {name: report[name].get('interval_reason') for name in ('enrichment', 'diversity')}
    return [f'no interval for {name}: {reason}' for name, reason in found.items() if reason]


def _show_best(report: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD

    from aiida_inversedesign.campaign.properties import property_text
    from aiida_inversedesign.campaign.text.digits import Digits

    if not report['best']:
        completed = report['evaluations']['completed']
        say(
            f'none of the {completed} completed evaluations keeps the constraints'
            if completed
            else 'no evaluation has completed'
        )
        return
    names = list(report['campaign']['units'])
    units = [property_text(name, unit) for name, unit in report['campaign']['units'].items()]
    # only crystals have them
    further = {title: text for title, text in _OF_CRYSTALS.items() if any(text(row) for row in report['best'])}
    space = report['campaign']['space']
    titles = ('candidate', space['key_name'], *units, *further, 'times', 'hit')
    table = new_table(*titles, title=f'best {space["nouns"]}', box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    digits = {name: Digits(row['properties'].get(name) for row in report['best']) for name in names}
    for row in report['best']:
        values = [digits[name].text(row['properties'][name]) if name in row['properties'] else '–' for name in names]
        hit = '–' if row['hit'] is None else 'yes' if row['hit'] else 'no'
        shown = [text(row) for text in further.values()]
        table.add_row(row['candidate'], row['key'], *values, *shown, str(len(row['copies']) + 1), hit)
    fold_to_screen(table)
    draw(table)


def _above_polymorph(row: dict[str, Any]) -> str:
    """Energy above the lowest polymorph of the formula that was evaluated, if there was another."""
    if 'e_above_polymorph' not in row:
        return ''
    return 'no other' if row['polymorphs'] == 1 else f'{row["e_above_polymorph"]:.3f}'


_OF_CRYSTALS: dict[str, Callable[[dict[str, Any]], str]] = {
    'group': lambda row: (row.get('space_group') or {}).get('symbol', ''),
    'prototype': lambda row: row.get('prototype', ''),
    'above polymorph (eV/atom)': _above_polymorph,
    'above hull (eV/atom)': lambda row: f'{row["e_above_hull"]:.3f}' if 'e_above_hull' in row else '',
}


def _value(item: Any, form: str = '.3g') -> str:
    """A figure in words: its value, or why it is not known."""
    if isinstance(item, dict) and 'value' in item:
        if item['value'] is None:
            return f'not known: {item.get("reason", "")}'
        interval = f' [{item["low"]:{form}}, {item["high"]:{form}}]' if item.get('low') is not None else ''
        interval += f', n = {item["n"]}' if 'n' in item else ''
        return f'{item["value"]:{form}}{interval}'
    return 'not known' if item is None else f'{item:{form}}'


def _share(item: Any) -> str:
    """A share in words, with as many digits as its number of cases tells."""
    return _value(item, '.2f' if item.get('n', 0) < 100 else '.3f')


def _novelty(item: dict[str, Any]) -> str:
    """A share, and of what the crystals were not found among."""
    if item['value'] is None:
        return _share(item)
    against = f'not among the {item["library"]} entries of the template library'
    return f'{_share(item)}, {against}; by prototype {_share(item["prototype"])}'


def _scalar(report: dict[str, Any], name: str) -> str:
    """A figure that is a number, or why it is not known."""
    if report[name] is None:
        return _value({'value': None, 'reason': report[f'{name}_reason']})
    return _value(report[name])


def _evaluations(report: dict[str, Any]) -> str:
    counts = report['evaluations']
    parts = [
        f'{value} {name}'
        for name, value in counts.items()
        if name not in _SHOWN_WITH_HITS and (value or name in ('total', 'completed', 'failed'))
    ]
    hits = f'{counts["distinct_hits"]} distinct hits'
    if counts['hits'] > counts['distinct_hits']:
        hits += f' ({counts["hits"]} hits)'
    if counts['copies']:
        hits += f', {counts["copies"]} copies of what had been evaluated'
    return ', '.join([*parts, hits])


_SHOWN_WITH_HITS = ('hits', 'distinct_hits', 'copies')


def _calculations(report: dict[str, Any]) -> str:
    counts = report['dft_calculations']
    parts = ', '.join(f'{value} {name.replace("_", " ")}' for name, value in counts['by_kind'].items())
    if not counts['total'] and not counts['cached']:
        return f'none{f"; jobs: {parts}" if parts else ""}'
    names = ('failed', 'restarts', 'references')
    extra = ', '.join(f'{counts[name]} {name}' for name in names)
    return f'{counts["total"]}, of them {extra}; {counts["cached"]} cache copies' + (
        f'; jobs: {parts}' if parts else ''
    )


def _spent(report: dict[str, Any]) -> str:
    """Where the DFT calculations went, and the core-hours where they are recorded."""
    parts = report['spent_on']['by_outcome'] | {name: report['spent_on'][name] for name in ('copies', 'restarts')}
    shown = []
    for name, cost in parts.items():
        if cost['dft_calculations'] or cost['core_hours']:
            hours = '' if cost['core_hours'] is None else f'{cost["core_hours"]:.3g} h'
            number = str(cost['dft_calculations'] or '')
            amount = f'{number} ({hours})' if number and hours else number or hours
            shown.append(f'{name.replace("_", " ")} {amount}')
    return ', '.join(shown) or 'nothing'


def _known(report: dict[str, Any]) -> str:
    found = report['known']
    if found is None:
        return '–'
    name = report['goal']['objectives'][0]['property']
    best = f'; best {name} {found["best"]["properties"][name]:.4g}' if found['best'] else ''
    return f'{found["points"]} points of {found["file"]}, not counted{best}'


def _transfer(report: dict[str, Any]) -> str:
    found = report['transfer']
    if found is None:
        return '–'
    return '; '.join(transfer_in_words(found, report['campaign']['units']))


def _first_hit(report: dict[str, Any]) -> str:
    first = report['first_hit']
    if not first or first.get('evaluation') is None:
        return 'none'
    spent = f', after {first["dft_calculations"]} DFT calculations' if report['dft_calculations']['total'] else ''
    return f'evaluation {first["evaluation"]}{spent}'


def _calibration(report: dict[str, Any]) -> str:
    parts = []
    for name, figure in report['calibration'].items():
        if figure.get('n'):
            covered = _share(figure['coverage']['0.95'])
            parts.append(f'{name}: 95 % interval covers {covered}; mean absolute error {figure["mae"]:.3g}')
        else:
            parts.append(f'{name}: {_value(figure)}')
    return '; '.join(parts)


def _screening(report: dict[str, Any]) -> str:
    figure = report['screening']
    if figure['potential'] is None:
        return '–'
    dropped = [f'{number} {name.replace("_", " ")}' for name, number in figure['dropped'].items() if number]
    return (
        f'{figure["potential"]}: {figure["kept"]} of {figure["candidates"]} candidates kept'
        + (f' (dropped: {", ".join(dropped)})' if dropped else '')
        + (f', asked for properties of {figure["questions"]}' if figure['questions'] else '')
        + f', {figure["core_hours"]:.2g} core-hours'
    )


def _rules(report: dict[str, Any]) -> str:
    found = report['rules']
    if not found['rules']:
        return '–'
    return '; '.join(
        f'{item["words"]}: {item["kept"]} kept, {item["rejected"]} rejected, {item["evaluations"]["total"]} evaluated, '
        f'{item["evaluations"]["hits"]} hits'
        for item in found['rules']
    )


_ROWS = (
    ('evaluations', _evaluations),
    ('starting data', _known),
    ('earlier campaigns', _transfer),
    ('DFT calculations', _calculations),
    ('core-hours', lambda report: _scalar(report, 'core_hours')),
    ('hit rate', lambda report: _share(report['hit_rate'])),
    ('spent on', _spent),
    ('first hit', _first_hit),
    ('DFT calculations per distinct hit', lambda report: _scalar(report, 'dft_per_hit')),
    ('enrichment', lambda report: _value(report['enrichment'])),
    ('acceleration', lambda report: _value(report['acceleration'])),
    ('validity', lambda report: _share(report['validity'])),
    ('screening', _screening),
    ('rules', _rules),
    ('uniqueness', lambda report: _share(report['uniqueness'])),
    ('novelty', lambda report: _novelty(report['novelty'])),
    ('uniqueness of proposals', lambda report: _share(report['uniqueness_of_proposals'])),
    ('novelty of proposals', lambda report: _novelty(report['novelty_of_proposals'])),
    ('stable, unique, novel', lambda report: _share(report['stability']['stable_unique_novel'])),
    ('diversity (mean distance)', lambda report: _value(report['diversity'])),
    ('on the hull', lambda report: _share(report['stability'])),
    ('reproducibility', lambda report: _value(report['reproducibility'], '.3f')),
    ('calibration', _calibration),
    ('stop reason', lambda report: report['stop_reason'] or report['stop_reason_reason']),
)
