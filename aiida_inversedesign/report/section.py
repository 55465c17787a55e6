"""A section of the page: a title, a sentence, plots or tables, or the reason why there is nothing to draw."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Plot:
    """One plot.

    :param id: unique in the page; letters, digits and hyphens.
    :param alt: what a reader who does not see it has to know.
    :param caption: below the plot.
    """

    id: str
    figure: Figure
    alt: str
    caption: str = ''


@dataclass(frozen=True)
class Section:
    """One section.

    :param lead: what it shows, in one or two sentences; plain text, escaped by the page.
    :param body: further markup, made by this package from escaped text.
    :param reason: why there is nothing to draw; empty if there is.
    """

    id: str
    title: str
    lead: str = ''
    plots: tuple[Plot, ...] = ()
    body: Markup = field(default_factory=Markup)
    reason: str = ''
    notes: tuple[str, ...] = ()


def html_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    caption: str = '',
    numbers: Collection[int] = (),
    names: int | None = None,
    wrap: bool = False,
) -> Markup:
    """A table, which scrolls by itself where the screen is too narrow; texts are escaped.

    :param numbers: indices of the columns of numbers. :param names: index of the column that names the rows.
    :param wrap: whether long cells are broken into lines.
    """

    def cells(tag: str, row: Sequence[Any]) -> Markup:
        found = Markup()
        for index, text in enumerate(row):
            name = 'th' if index == names else tag
            more = ' class="n"' if index in numbers else ' scope="row"' if index == names and tag == 'td' else ''
            # tags only: the text is escaped by format
            found += Markup(f'<{name}{more}>{{}}</{name}>').format(text)  # noqa: S704
        return Markup('<tr>{}</tr>').format(found)

    return Markup('<div class="scroll"><table class="{}">{}<thead>{}</thead><tbody>{}</tbody></table></div>').format(
        'plain wrap' if wrap else 'plain',
        Markup('<caption>{}</caption>').format(caption) if caption else '',
        cells('th', heads),
        Markup().join(cells('td', row) for row in rows),
    )
