"""Draws the figures of ``benchmark`` as tables that fit 80 columns."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.cli.printing import draw, number, ranking_table, say


def show_proposal(data: dict[str, Any]) -> None:
    """The figures of ``benchmark proposal``; shares in per cent."""
    library, ceiling = data['library'], data['ceiling']
    say(
        f'n = {data["n"]} queries ({data["queries"]}, seed {data["seed"]}), {data["n_with_templates"]} with templates '
        f'of the same ratio; {library["templates"]} templates within {data["max_e_above_hull"]:g} eV/atom of the hull, '
        f'library {library["hash"][:12]}'
    )
    taus = [key for key in ceiling if key[0].isdigit()]
    say(
        f'ceiling, %: {", ".join(f"τ = {key}: {_percent(ceiling[key])}" for key in taus)}; prototype '
        f'{_percent(ceiling["prototype"])}; matcher '
        f'{_percent(ceiling["matcher"])}, and the space group {_percent(ceiling["both"])} (of {data["n_matcher"]})'
    )
    if 'sources' in data:
        _show_sources(data['sources'])
    if not data['rankings']:
        return
    for key in taus:
        _show_shares(data['rankings'], ('recall', key), f'Recall of the findable, τ = {key}, % (95 % interval below)')
    _show_shares(data['rankings'], ('prototype',), 'Right prototype, % of all queries (95 % interval below)')
    _show_structures(data)
    _show_rest(data['rankings'])
    for measure, title in (
        (taus[0], f'τ = {taus[0]}'),
        ('prototype', 'prototype'),
        ('both', 'matcher and space group'),
    ):
        _show_tests(data, measure, title)
    if 'volume_error' in data:
        _show_volumes(data['volume_error'])
    if 'published_predictions' in data:
        _show_predictions(data['published_predictions'])
    if data['skipped']:
        first = data['skipped'][0]
        say(f'{len(data["skipped"])} queries skipped, first: {first["source"]}: {first["reason"]}')


def _show_shares(rankings: dict[str, Any], keys: tuple[str, ...], title: str) -> None:
    def at(data: dict[str, Any]) -> dict[str, Any]:
        for key in keys:
            data = data[key]
        return data

    ks = list(at(next(iter(rankings.values()))))
    table = ranking_table(title, 'ranking', *(f'top {k}' for k in ks))
    for name, ranking in rankings.items():
        shares, intervals = at(ranking), at(ranking['intervals'])
        table.add_row(
            name, *(f'{_percent(shares[k])}\n{"–".join(_percent(end, 0) for end in intervals[k])}' for k in ks)
        )
    draw(table)


def _show_structures(data: dict[str, Any]) -> None:
    ks = list(next(iter(data['rankings'].values()))['matcher'])
    title = f'Built structures, top {" / ".join(ks)}, % of {data["n_matcher"]}'
    table = ranking_table(title, 'ranking', 'matcher', 'space group', 'both')
    for name, ranking in data['rankings'].items():
        table.add_row(
            name,
            *('/'.join(_percent(ranking[key][k]) for k in ks) for key in ('matcher', 'space_group', 'both')),
        )
    draw(table)


def _show_rest(rankings: dict[str, Any]) -> None:
    table = ranking_table(
        'Volume error of right first structures, speed, share of queries ranked',
        'ranking', 'volume, %', 'queries/s', 'per CPU s', 'reach, %',
    )  # fmt: skip
    for name, ranking in rankings.items():
        speed = [number(ranking[key]) for key in ('queries_per_second', 'queries_per_cpu_second')]
        table.add_row(name, _percent(ranking['volume_error']['median']), *speed, _percent(ranking['reach']))
    draw(table)


def _show_tests(data: dict[str, Any], measure: str, title: str) -> None:
    if not data.get('paired') or (measure == 'both' and not data['n_matcher']):
        return
    first = next(iter(data['rankings']))
    ks = list(next(iter(data['paired'].values()))[measure])
    table = ranking_table(
        f'{title}: answered only by {first} / only by the other, p (McNemar, exact)',
        'against',
        *(f'top {k}' for k in ks),
    )
    for name, tests in data['paired'].items():
        found = [tests[measure][k] for k in ks]
        table.add_row(name, *(f'{item["first_only"]} / {item["second_only"]}, {item["p"]:.2g}' for item in found))
    draw(table)


def _show_volumes(errors: dict[str, Any]) -> None:
    table = ranking_table(
        f'Volume error of the first structure of {errors["ranking"]}, %: median (90 %)',
        'first structures', 'n', 'predicted', "template's own", 'pymatgen DLS',
    )  # fmt: skip
    for name, row in (('right (τ ≤ 0.1)', errors), ('all findable', errors['all_findable'])):
        pairs = (('median', 'p90'), ('template_median', 'template_p90'), ('dls_median', 'dls_p90'))
        table.add_row(name, str(row['n']), *(f'{_percent(row[one])} ({_percent(row[two])})' for one, two in pairs))
    draw(table)


def _show_predictions(found: dict[str, Any]) -> None:
    taus = list(next(iter(found.values()))['within'])
    columns = ('n', *(f'τ = {key}' for key in taus), 'matcher', 'group', 'both')
    table = ranking_table('Published predictions: crystals answered in the top 10', 'kind', *columns)
    for kind, row in found.items():
        counts = [row['within'][key] for key in taus] + [row[key] for key in ('matcher', 'space_group', 'both')]
        table.add_row(kind, str(row['n']), *map(str, counts))
    draw(table)


def _show_sources(data: dict[str, Any]) -> None:
    draws = f'of {len(data["seeds"])} draws ' if len(data['seeds']) > 1 else ''
    kind = 'whose prototype no template has, ' if data['only_new_prototypes'] else ''
    bound = '; a lower bound' if data['lower_bound'] else ''
    table = ranking_table(
        f'Right crystal (matcher and space group) among the first K, % of {data["n"]} compounds {draws}{kind}at most '
        f'{data["max_sites"]} atoms; {data["remark"]}{bound}',
        'sources',
        *next(iter(data['arms'].values()))['found'],
        'any',
        're-\nlaxed',
        'CPU\ns',
        'lost:\nwon\np',
    )
    for name, arm in data['arms'].items():
        decides = list(arm['found'])[-1]
        test = data['paired'][name][decides] if name in data['paired'] else None
        table.add_row(
            _in_lines(name),
            *(_with_interval(share, arm['intervals']['found'][k]) for k, share in arm['found'].items()),
            _with_interval(arm['proposed'], arm['intervals']['proposed']),
            f'{arm["relaxations"]:.0f} of\n{arm["crystals"]:.0f}',
            f'{sum(arm["cpu_seconds"].values()):.1f}',
            '' if test is None else _pair(test),
        )
        if (before := arm['as_proposed']) is not None:
            shares = (_with_interval(share, before['intervals'][k]) for k, share in before['found'].items())
            first, test = next(iter(before['paired'].items()))
            table.add_row('  as\n  proposed', *shares, '', '', '', f'top {first}\n{_pair(test)}')
    draw(table)
    for part, row in (data['training'] or {}).items():
        ks = list(next(iter(row['found'].values())))
        title = f'The same for the {row["n"]} compounds {part} the training data of the potential, %'
        split = ranking_table(title, 'sources', *(f'top {k}' for k in ks))
        for name, shares in row['found'].items():
            cells = [(_percent(shares[k]['share']), [_percent(end, 0) for end in shares[k]['interval']]) for k in ks]
            split.add_row(_in_lines(name), *(f'{value}\n{low}–{high}' for value, (low, high) in cells))
        draw(split)


def _pair(test: dict[str, Any]) -> str:
    return f'{test["first_only"]}:{test["second_only"]}\n{test["p"]:.2g}'


def _in_lines(arm: str) -> str:
    """One source of a mixture a line: with their shares they would leave no room for the figures in 80 columns."""
    return arm.replace('+', '\n+')


def _with_interval(value: float, interval: list[float]) -> str:
    return f'{_percent(value)}\n{"–".join(_percent(end, 0) for end in interval)}'


def _percent(share: float | None, digits: int = 1) -> str:
    return '–' if share is None else f'{100 * share:.{digits}f}'
