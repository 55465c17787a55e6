"""The tables of a paper: CSV for machines, LaTeX with booktabs for the manuscript; every column with its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.audit import curves, frames, metrics
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.paper import latex
from aiida_inversedesign.paper.facts import Facts

if TYPE_CHECKING:
    from pandas import DataFrame

    from aiida_inversedesign.audit.record import EvaluationRecord

#: Rows of the table of the best candidates where there are no hits.
BEST = 10


def write_tables(facts: Facts, folder: Path) -> None:
    """Write every table as CSV and LaTeX, and ``tables.tex``, which shows them all."""
    record = facts.record
    for name, frame in (
        ('evaluations', frames.evaluations(record)),
        ('hits', frames.hits(record)),
        ('jobs', frames.jobs(record)),
        ('candidates', frames.candidates(record)),
        ('generations', frames.generations(record)),
        *((('known', frames.known(record)),) if record.known else ()),
    ):
        write_csv(frame, folder / f'{name}.csv')
    if record.curves:
        _write_curves(facts, folder / 'curves.csv')
    figures = figure_rows(facts.report)
    _write_figures(figures, folder / 'figures.csv')
    texts = {
        'figures': _figures_table(facts, figures),
        'best': _best_table(facts),
        'generations': _generations_table(facts),
        'evaluations': _evaluations_table(facts),
        **({'known': _known_table(facts)} if record.known else {}),
    }
    for name, text in texts.items():
        (folder / f'{name}.tex').write_text(text, encoding='utf-8')
    (folder / 'tables.tex').write_text(_DOCUMENT.format(inputs='\n'.join(rf'\input{{{name}}}' for name in texts)))


_DOCUMENT = r"""% All tables of this folder: pdflatex tables.tex (twice, for the long ones)
\documentclass{{article}}
\usepackage[utf8]{{inputenc}}
\usepackage[T1]{{fontenc}}
\usepackage{{textcomp}}
\usepackage{{booktabs}}
\usepackage{{longtable}}
\usepackage[margin=20mm]{{geometry}}
\begin{{document}}
\small
{inputs}
\end{{document}}
"""


def _write_curves(facts: Facts, path: Path) -> None:
    """The curves of the hits, or of the best where there is none, with what had been predicted of them."""
    import pandas as pd

    record = facts.record
    hits = [item for item in record.evaluations if item.hit] or frames.best_evaluations(record)[:BEST]
    rows = pd.DataFrame(curves.table(record.curves, {item.candidate: item.key for item in hits}))
    rows.to_csv(path, index=False, lineterminator='\n')


def write_csv(frame: DataFrame, path: Path) -> None:
    """A table as CSV: units in the headings, UUIDs instead of PKs, which differ between databases."""
    units = frame.attrs['units']
    shown = frame.drop(columns=[name for name in ('pk',) if name in frame])
    shown = shown.rename(columns={name: f'{name} ({unit})' for name, unit in units.items()})
    shown.to_csv(path, index=False, lineterminator='\n', date_format='%Y-%m-%dT%H:%M:%S%z')


#: Figures of an audit that are one value with its interval.
_SHARES = (
    'enrichment',
    'acceleration',
    'validity',
    'uniqueness',
    'novelty',
    'uniqueness_of_proposals',
    'novelty_of_proposals',
    'diversity',
    'stability',
    'reproducibility',
)


def figure_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of an audit that a paper quotes: name, value, 95 % interval, n, unit, and why one is not known."""
    counts, dft = report['evaluations'], report['dft_calculations']
    rows = [
        _row(f'evaluations, {key.replace("_", " ")}', counts[key])
        for key in ('total', 'completed', 'failed', 'stopped', 'hits', 'distinct_hits', 'copies', 'reused')
    ]
    rows += [
        _row(f'DFT calculations, {key}', dft[key])
        for key in ('total', 'failed', 'residual', 'restarts', 'references', 'cached')
    ]
    rows += [
        _row('core-hours', report['core_hours'], 'h', report.get('core_hours_reason', '')),
        _row('hit rate', report['hit_rate']),
    ]
    first, reason = report['first_hit'], report['first_hit'].get('reason', '')
    rows += [
        _row('evaluations to the first hit', first['evaluation'], '', reason),
        _row('DFT calculations to the first hit', first['dft_calculations'], '', reason),
        _row('DFT calculations per distinct hit', _per_hit(report, 'dft'), '', report.get('dft_per_hit_reason', '')),
        _row(
            'core-hours per distinct hit',
            _per_hit(report, 'core_hours'),
            'h',
            report.get('core_hours_per_hit_reason', ''),
        ),
    ]
    if not dft['total']:
        rows = [row for row in rows if not row['figure'].startswith('DFT calculations')]
        rows.append(_row('DFT calculations', 0))
    if base := report['enrichment'].get('base_rate'):
        rows.append(_row(f'base rate, {base["source"]}', base))
    rows += [_row(name.replace('_', ' '), report[name]) for name in _SHARES]
    rows.append(_row('stable, unique and novel', report['stability']['stable_unique_novel']))
    for name, item in report['calibration'].items():
        unit = report['campaign']['units'].get(name, '')
        label = property_text(name)
        if 'coverage' not in item:
            rows.append(_row(f'calibration of {label}', item))
            continue
        rows += [_row(f'coverage of {label} at {level}', share) for level, share in item['coverage'].items()]
        for key, words, own in (
            ('mae', 'mean absolute error', unit),
            ('z_mean', 'mean of z', ''),
            ('z_spread', 'spread of z', ''),
            ('nll', 'negative log-likelihood', ''),
        ):
            low, high = item['intervals'][key] or (None, None)
            figure = {'value': item[key], 'low': low, 'high': high, 'n': item['n']}
            rows.append(_row(f'{words} of {label}', figure, own))
    return rows


def _per_hit(report: Mapping[str, Any], what: str) -> dict[str, Any]:
    names = {'dft': 'dft_calculations', 'core_hours': 'core_hours'}
    intervals = report['cost_per_hit_intervals'] or {}
    low, high = intervals.get(names[what]) or (None, None)
    return {'value': report[f'{what}_per_hit'], 'low': low, 'high': high, 'n': intervals.get('n')}


def _row(name: str, item: Any, unit: str = '', reason: str = '') -> dict[str, Any]:
    found = item if isinstance(item, Mapping) else {'value': item}
    value = found.get('value')
    return {
        'figure': name,
        'value': value if isinstance(value, int | float) else None,
        'low': found.get('low'),
        'high': found.get('high'),
        'n': found.get('n'),
        'unit': found.get('unit', unit) or '',
        'not known because': '' if isinstance(value, int | float) else found.get('reason', reason) or 'not recorded',
    }


def _write_figures(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    import csv

    with path.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def _quoted(facts: Facts) -> str:
    """The campaign's name in LaTeX's quotation marks."""
    return f"``{latex.escape(facts.record.name)}''"


def _figures_table(facts: Facts, rows: Sequence[Mapping[str, Any]]) -> str:
    cells = []
    for row in rows:
        value = latex.number(row['value']) + (f' {latex.unit(row["unit"])}' if row['unit'] else '')
        if row['value'] is None:
            value = 'not known'
        interval = '' if row['low'] is None else f'{latex.number(row["low"], 3)} to {latex.number(row["high"], 3)}'
        cells.append([latex.escape(row['figure']), value, interval, '' if row['n'] is None else str(row['n'])])
    caption = f'Figures of the campaign {_quoted(facts)} from its provenance.'
    columns = [('l', 'figure'), ('r', 'value'), ('r', r'95\,\% interval'), ('r', '$n$')]
    return latex.table(caption, 'figures', columns, cells)


def _best_table(facts: Facts) -> str:
    record = facts.record
    e_above_hull = facts.report['stability'].get('e_above_hull') or {}
    lowest = {} if record.looks_up else metrics.lowest_polymorphs(record.evaluations)
    ranked = metrics.best_of_each(record.evaluations, record.goal)
    hits = [pair for pair in ranked if pair[0].hit]
    chosen = hits or ranked[:BEST]
    entries = [metrics.described(item, group, lowest, e_above_hull) for item, group in chosen]
    what = 'Distinct hits' if hits else 'Best candidates (there is no hit)'
    caption = f'{what} of the campaign {_quoted(facts)}, the best first.'
    if record.space.of_crystals:
        caption += (
            r' Reached: evaluations that ended in the crystal. $\Delta E$: energy above the lowest polymorph of the '
            r'formula that was evaluated (eV/atom; a dash where there was no other).'
        )
    return _candidates_table(facts, [item for item, _ in chosen], caption, 'best', entries=entries)


def _evaluations_table(facts: Facts) -> str:
    caption = f'All evaluations of the campaign {_quoted(facts)} in the order of their launches.'
    return _candidates_table(facts, facts.record.evaluations, caption, 'evaluations')


def _known_table(facts: Facts) -> str:
    caption = f'Starting data of the campaign {_quoted(facts)}: known before it began, and in no figure.'
    return _candidates_table(facts, facts.record.known, caption, 'known')


def _candidates_table(
    facts: Facts,
    chosen: Sequence[EvaluationRecord],
    caption: str,
    label: str,
    entries: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Evaluations with their properties, and what became of them, failures included.

    :param entries: what the audit says of each instead of what became of it: how often it was reached, how stable.
    """
    names, space = facts.record.goal.properties, facts.record.space
    variables = facts.record.coordinates(chosen)
    # where no prototype was determined the template is named instead
    named = any(item.prototype for item in facts.record.evaluations)
    columns = [('l', 'candidate')]
    # the values of the variables say what the key says
    columns += [('l' if one.choices else 'r', _title(one.name, one.unit)) for one in variables] or [
        ('l', latex.escape(space.key_name))
    ]
    columns += [('l', 'prototype' if named else 'template')] if space.of_crystals else []
    columns += [('r', 'gen.'), ('l', 'chosen as')]
    columns += [('r', _heading(facts, name)) for name in names]
    if not entries:
        columns.append(('l', 'outcome'))
    elif space.of_crystals:
        columns += [('r', 'reached'), ('r', r'$\Delta E$')]
    rows = []
    for position, item in enumerate(chosen):
        row = [latex.escape(item.candidate)]
        if space.of_crystals:
            row += [latex.formula(item.key), latex.escape(facts.record.prototype(item) if named else item.template)]
        else:
            row += [_setting(one.values[position]) for one in variables] or [latex.escape(item.key)]
        row += [str(item.generation), latex.escape(item.arm)]
        row += [_measured(facts, item, name) for name in names]
        if not entries:
            row.append(latex.escape(_outcome(item)))
        elif space.of_crystals:
            entry = entries[position]
            above = latex.number(entry['e_above_polymorph'], 3) if entry.get('polymorphs', 1) > 1 else '--'
            row += [str(len(entry['copies']) + 1), above]
        rows.append(row)
    return latex.table(caption, label, columns, rows)


def _outcome(item: EvaluationRecord) -> str:
    """What became of an evaluation, with what a reader must know of it."""
    words = ['hit' if item.hit else item.status]
    if item.copy_of:
        words.append(f'same as {item.copy_of}')
    if item.doubts:
        words.append('doubtful')
    return ', '.join(words)


def _measured(facts: Facts, item: EvaluationRecord, name: str) -> str:
    value = item.properties.get(name)
    digits = 4 if value is None else facts.record.digits(name).of(value)
    return latex.measured(value, item.errors.get(name), digits)


def _heading(facts: Facts, name: str) -> str:
    return _title(name, frames.property_unit(facts.record, name))


def _setting(value: float | str) -> str:
    return latex.escape(value) if isinstance(value, str) else latex.number(value)


def _title(name: str, unit: str) -> str:
    title = latex.escape(property_text(name))
    return f'{title} ({latex.unit(unit)})' if unit else title


def _generations_table(facts: Facts) -> str:
    columns = [('r', 'generation'), ('r', 'evaluated'), ('r', 'failed'), ('r', 'hits'), ('r', 'hit rate')]
    columns += [('r', r'95\,\% interval'), ('r', 'DFT'), ('r', 'core-hours')]
    rows = []
    for item in facts.report['by_generation']:
        counts, rate = item['evaluations'], item['hit_rate']
        interval = '' if rate.get('low') is None else f'{rate["low"]:.2f} to {rate["high"]:.2f}'
        row = [str(item['generation']), str(counts['total']), str(counts['failed']), str(counts['distinct_hits'])]
        row += [latex.number(rate['value'], 3), interval, str(item['dft_calculations'])]
        rows.append([*row, latex.number(item['core_hours'], 3)])
    caption = f'Generations of the campaign {_quoted(facts)}, with Wilson intervals.'
    return latex.table(caption, 'generations', columns, rows)
