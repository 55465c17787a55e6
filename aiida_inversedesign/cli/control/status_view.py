"""How the state of a campaign looks in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida_inversedesign.campaign.properties import unit_text
from aiida_inversedesign.campaign.text.digits import Digits, plain
from aiida_inversedesign.cli.printing import plain_table
from aiida_inversedesign.report.words import duration

if TYPE_CHECKING:
    from rich.console import Console, Group

_BLOCKS = '▁▂▃▄▅▆▇█'

#: Names of the budgets as they are printed.
_NAMES = {'dft_calculations': 'DFT calculations', 'core_hours': 'core-hours'}

#: Columns of the curve, of a bar, and of what is not a terminal.
_CURVE, _BAR, _WIDE = 60, 24, 200


def sparkline(values: list[float], width: int = _CURVE) -> str:
    """A curve of block characters, at most ``width`` of them; where values are drawn together the last one counts."""
    if not values:
        return ''
    if len(values) > width:
        values = [values[(index + 1) * len(values) // width - 1] for index in range(width)]
    low, high = min(values), max(values)
    if high == low:
        return _BLOCKS[3] * len(values)
    return ''.join(_BLOCKS[round((value - low) / (high - low) * (len(_BLOCKS) - 1))] for value in values)


def console() -> Console:
    """Where to print; lines of a file or a pipe are not broken at 80 columns."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)


def view(data: dict[str, Any], lines: int | None = None, later: float = 0.0) -> Group:
    """What :func:`aiida_inversedesign.audit.status.describe` returned, as a renderable.

    :param lines: most entries of each list (running, hits, failures); None: all.
    :param later: seconds that have passed since it was asked.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [_title(data), _budgets(data)]
    if known := data.get('known'):
        best = known['best']
        of_it = f'; the best is {best["key"]} ({best["candidate"]}), {_values(best, data)}' if best else ''
        parts.append(Text(f'starting data: {known["points"]} points of {known["file"]}, not counted{of_it}'))
    if data.get('transfer'):
        parts.append(Text('; '.join(data['transfer'])))
    if data['best']:
        best = data['best']
        parts.append(Text(f'best so far: {best["key"]} ({best["candidate"]}), {_values(best, data)}'))
        parts.extend(_curve(data))
    hits = [
        f'{item["key"]} ({item["candidate"]}), {_values(item, data)}'
        + (f', reached {item["copies"] + 1} times' if item['copies'] else '')
        for item in data['hits']
    ]
    running = [
        f'{duration(item["seconds"] + later)}: {item["what"]}, PK {item["pk"]}'
        for item in sorted(data['running'], key=lambda item: -item['seconds'])
    ]
    failures = [f'{item["candidate"]} {item["key"]}: {item["reason"]}' for item in data['failures']]
    parts.extend(_list('hit', hits, lines, 'green', latest=True))
    parts.extend(_list('running', running, lines, 'cyan'))
    parts.extend(_list('failed', failures, lines, 'red', latest=True))
    if not data['ended']:
        parts.append(Text(_time_left(data, later), style='dim'))
    return Group(*parts)


def _title(data: dict[str, Any]) -> Any:
    from rich.text import Text

    ended = data['stop_reason'] or data['exit_message']
    if data['cut_off']:
        ended = f'but its process has died; `aiida-inversedesign resume {data["pk"]} --gone` continues it'
    return Text(
        f'campaign {data["pk"]} {data["name"]}: {data["state"]}' + (f', {ended}' if ended else ''), style='bold'
    )


def _budgets(data: dict[str, Any]) -> Any:
    from rich.progress_bar import ProgressBar

    table = plain_table('', 'used', 'limit', '')
    for name, item in data['used'].items():
        if name == 'dft_calculations' and not data.get('makes_dft', True):
            continue
        value, limit = item['value'], item['limit']
        bar = ProgressBar(total=limit, completed=min(value or 0, limit), width=_BAR) if limit else ''
        shown = 'not recorded' if value is None else f'{value:d}' if isinstance(value, int) else f'{value:.3g}'
        table.add_row(_NAMES.get(name, name), shown, '–' if limit is None else plain(limit), bar)
    table.add_row('completed, failed', f'{data["completed"]}, {data["failed"]}', '', '')
    if data['stopped']:
        table.add_row('stopped', f'{data["stopped"]}', '', '')
    return table


def _values(item: dict[str, Any], data: dict[str, Any]) -> str:
    beside, units = [*data['hits'], *([data['best']] if data['best'] else [])] or [item], data['units']
    digits = {name: Digits(other['properties'].get(name) for other in beside) for name in units}
    return ', '.join(
        f'{name} {digits[name].text(value)} {unit_text(units[name])}'.strip()
        for name, value in item['properties'].items()
        if name in units
    )


def _curve(data: dict[str, Any]) -> list[Any]:
    """Best so far against evaluations; for a target or a window, the distance from it."""
    from rich.text import Text

    steps, objective = data['best_so_far'], data['objective']
    if len(steps) < 2:
        return []
    last = data['completed'] + data['failed']
    numbers = [number for number, _ in steps] + [max(last, steps[-1][0]) + 1]
    heights = [_height(objective, value) for _, value in steps]
    curve = [
        height
        for height, number, following in zip(heights, numbers, numbers[1:], strict=False)
        for _ in range(following - number)
    ]
    unit = unit_text(data['units'][objective['property']])
    what = 'distance from the wanted value' if heights != [value for _, value in steps] else 'best so far'
    digits = Digits(heights)
    ends = f'{digits.text(heights[0])} → {digits.text(heights[-1])} {unit}'.strip()
    return [Text.assemble((sparkline(curve), 'cyan'), f'  {what}: {ends}')]


def _height(objective: dict[str, Any], value: float) -> float:
    if 'target' in objective:
        return abs(value - float(objective['target']))
    if 'window' in objective:
        low, high = objective['window']
        return max(low - value, value - high, 0.0)
    return value


def _list(title: str, items: list[str], lines: int | None, style: str, latest: bool = False) -> list[Any]:
    """Entries under each other; of those that do not fit, how many they are.

    :param latest: keep the last entries, not the first.
    """
    from rich.text import Text

    hidden = 0 if lines is None else max(len(items) - lines, 0)
    if hidden:
        items = items[-lines:] if latest and lines else items[:lines]
    texts = [Text.assemble((f'{title}: ', style), item) for item in items]
    if hidden:
        texts.append(Text(f'{title}: {hidden} {"earlier" if latest else "more"}', style='dim'))
    return texts


def _time_left(data: dict[str, Any], later: float) -> str:
    left = data['time_left']
    if left['seconds'] is None:
        return f'time left: not known, {left["reason"]}'
    until = _NAMES.get(left['until'], left['until'])
    sooner = '; earlier if enough hits are found' if data['used']['hits']['limit'] else ''
    return (
        f'about {duration(max(left["seconds"] - later, 0))} at the rate so far, until the {until} are used up{sooner}'
    )
