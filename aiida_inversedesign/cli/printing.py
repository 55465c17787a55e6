"""What commands print for people; rich is imported when something is drawn, so that ``--help`` is fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def draw(*drawn: Any) -> None:
    """Print tables, one below the other."""
    from rich.console import Console

    for item in drawn:
        Console().print(item)


def say(text: str, **style: Any) -> None:
    """Print a text as it is: its brackets are not markup, and its numbers have no colour of their own."""
    from rich.console import Console

    Console().print(text, markup=False, highlight=False, **style)


def new_table(*heads: str, **style: Any) -> Table:
    """A table with these headings."""
    from rich.table import Table

    return Table(*heads, **style)


def plain_table(*heads: str) -> Table:
    """A table without a frame; without headings, each row is a name and what is to be said of it."""
    return new_table(*heads, show_header=bool(heads), box=None, padding=(0, 2, 0, 0))


def ranking_table(title: str, first: str, *columns: str) -> Table:
    """A table that fits 80 columns: names at the left, then figures to be compared."""
    from rich.box import SIMPLE_HEAD

    table = new_table(title=title, title_justify='left', box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify='right')
    return table


def fold_to_screen(table: Table) -> None:
    """Break a table that is wider than the screen: headings between words, other texts only if that does not do.

    The first column is not broken.
    """
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    table.columns[0].no_wrap = True
    # measured as if there were room for everything
    if Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width:
        return
    for column in table.columns[1:]:
        column.overflow, column.min_width = 'fold', max(map(len, str(column.header).split()), default=0)
        column.max_width = max([column.min_width, *(len(str(cell)) for cell in column.cells)])


def with_interval(figure: dict[str, Any], form: str, of_ends: str = '') -> str:
    """A value with the ends of its interval, as far as they are known.

    :param form: a format specification of the value, and of the ends if they have no other.
    """
    if figure['value'] is None:
        return '–'
    ends = '' if figure['low'] is None else ', '.join(f'{figure[end]:{of_ends or form}}' for end in ('low', 'high'))
    return f'{figure["value"]:{form}}' + (f' [{ends}]' if ends else '')


def number(value: float | None) -> str:
    """Three significant digits, or a dash where there is no figure."""
    return '–' if value is None else f'{value:.3g}'
