"""A section of the page: a title, a sentence, plots or tables, or the reason why there is nothing to draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
