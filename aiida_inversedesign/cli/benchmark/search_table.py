"""Draws the figures of ``benchmark search`` as tables that fit 80 columns."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.cli.printing import draw, number, ranking_table, say

#: Variables of a CSV file that are listed; descriptors are usually more.
_MOST_NAMED = 12
#: Numbers of evaluations that fit beside the names of the arms.
_COLUMNS = 4


def _not_taken(pool: dict[str, Any]) -> list[str]:
    """Columns that are not variables; why, where it was not asked for and the name does not say it."""
    reported = ('an index', 'copies')
    return [f'{name} ({why})' if why.startswith(reported) else name for name, why in pool['ignored_columns'].items()]


def show_search(data: dict[str, Any]) -> None:
    """The figures of ``benchmark search``; 95 % intervals over the seeds in brackets."""
    from aiida_inversedesign.report.words import count

    pool = data['pool']
    lost = ', '.join(f'{number} {reason}' for reason, number in pool['left_out'].items())
    size = ', '.join((count(data['seeds'], 'seed'), count(data['initial'], 'starting point')))
    say(
        f'{pool["file"]}: {count(pool["n"], "candidate")}{f" (left out: {lost})" if lost else ""}, '
        f'{count(data["hits"], "hit")} ({data["rule"]}); {size}, '
        f'batches of {data["batch"]}, at most {data["budget"]} evaluations'
    )
    if 0 < len(pool['variables']) <= _MOST_NAMED:
        say(
            f'variables: {", ".join(f"{name} ({text})" for name, text in pool["variables"].items())}; '
            f'not taken: {", ".join(_not_taken(pool)) or "nothing"} (--variables and --ignore choose); '
            f'{pool["rows"]} rows, replicates averaged'
        )
    _show_hits(data)
    _show_evaluations(data)
    _show_cost(data)
    _show_paired(data['paired'])
    if 'through_campaign' in data:
        _show_campaign(data['through_campaign'])
    for name, arm in data['arms'].items():
        if arm['hits_at'] is None:
            say(f'{name}: no figures: {arm["reason"]}')
        elif 'model_calls_per_step' in arm:
            say(f'{name}: {arm["model_calls_per_step"]:.0f} model calls a step')
        elif 'note' in arm:
            say(f'{name}: {arm["note"]}')
        for item in arm.get('failed', [])[:1]:
            say(f'{name}: {len(arm["failed"])} run(s) failed, first: {item["reason"]}')


def _run(data: dict[str, Any]) -> dict[str, Any]:
    return {name: arm for name, arm in data['arms'].items() if arm['hits_at'] is not None}


def _marks(figures: dict[str, Any]) -> list[str]:
    """A few numbers of evaluations, evenly spread over those there are, the last one among them."""
    keys = list(figures)[1:] or list(figures)
    number = min(_COLUMNS, len(keys))
    indices = [round(index * (len(keys) - 1) / max(number - 1, 1)) for index in range(number)]
    return [keys[index] for index in indices]


def _show_hits(data: dict[str, Any]) -> None:
    arms = _run(data)
    if not arms:
        return
    marks = _marks(next(iter(arms.values()))['hits_at'])
    table = ranking_table(f'Hits of {data["hits"]} after so many evaluations: mean [95 %]', 'arm', *marks)
    for name, arm in arms.items():
        table.add_row(name, *(_with_interval(arm['hits_at'][mark], 'mean', 1) for mark in marks))
    draw(table)


def _show_evaluations(data: dict[str, Any]) -> None:
    table = ranking_table(
        f'Evaluations to half ({data["half"]}) and to all hits: median [95 %]; acceleration over random',
        'arm', 'to half', 'accel.', 'to all', 'accel.',
    )  # fmt: skip
    for name, arm in _run(data).items():
        cells = []
        for key, factor in (('half', 'acceleration'), ('all', 'acceleration_to_all')):
            until = arm[f'evaluations_to_{key}']
            known = until['median'] is not None
            cells += [
                _with_interval(until, 'median', 0) if known else f'> {until["more_than"]}',
                number(arm[factor]) if known else '–',
            ]
        table.add_row(name, *cells)
    draw(table)


def _show_cost(data: dict[str, Any]) -> None:
    table = ranking_table('Calibration and cost', 'arm', '80 % coverage', 's/step', 'max', 'peak MB', 'n')
    for name, arm in _run(data).items():
        if arm.get('exact'):
            continue
        coverage = _with_interval(arm['coverage'], 'value', 2) if arm['coverage']['value'] is not None else '–'
        numbers = (arm['seconds_per_step'], arm['seconds_per_step_max'], arm['peak_mb'])
        table.add_row(name, coverage, *map(number, numbers), str(arm['n']))
    if table.row_count:
        draw(table)


def _show_paired(paired: dict[str, Any]) -> None:
    if not paired:
        return
    marks = _marks(next(iter(paired['against'].values()))['hits_at'])
    table = ranking_table(
        f'Hits of {paired["first"]} less those of the other, same starts: mean [95 %]', 'against', *marks
    )
    for name, row in paired['against'].items():
        table.add_row(name, *(_with_interval(row['hits_at'][mark], 'mean', 1) for mark in marks))
    draw(table)
    table = ranking_table(
        f'Cost of half of the hits / that of {paired["first"]}, paired seeds [95 %]', 'arm', 'ratio', 'n'
    )
    for name, row in paired['against'].items():
        ratio = row['cost_to_half_ratio']
        table.add_row(name, '–' if ratio['value'] is None else _with_interval(ratio, 'value', 2), str(ratio['n']))
    draw(table)


def _show_campaign(found: dict[str, Any]) -> None:
    say(
        f'campaign {found["campaign"]} of {found["arm"]}, seed {found["seed"]}: {found["identical"]} of '
        f'{found["decisions"]} batches are those of the search'
    )
    if found['different'] is not None:
        say(f'first difference: {found["different"]}')
    if 'reason' in found:
        say(found['reason'])


def _with_interval(figure: dict[str, Any], key: str, digits: int) -> str:
    if figure[key] is None:
        return '–'
    value = f'{figure[key]:.{digits}f}'
    if figure['low'] == figure['high'] == figure[key] or (figure['low'] is None and figure['high'] is None):
        return value
    low, high = ('…' if end is None else f'{end:.{digits}f}' for end in (figure['low'], figure['high']))
    return f'{value} [{low}–{high}]'
