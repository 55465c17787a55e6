"""Draws the pictures of these pages.

They are the loop, the graph of one evaluation, the report on a desktop and on a phone, what ``status`` prints, and what
a distinct hit cost from each source.

From the root of the checkout, with the PK of the tutorial's campaign and with ``chromium`` installed. A second PK, of a
campaign with several sources, draws the last picture alone::

    verdi -p tutorial run docs/pictures.py PK
    verdi -p tutorial run docs/pictures.py PK sources
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from aiida.common.links import LinkType
from aiida.orm import Node, ProcessNode, WorkflowNode, load_node
from rich.console import Console

from aiida_inversedesign.cli.control.status_view import view

#: Seen from the root of the checkout.
IMAGES = Path('docs/images')
COLOURS = {'work': '#f4d58d', 'calculation': '#f2a49b', 'data': '#b8dbb5', 'station': '#cfe0f3', 'audit': '#eeeeee'}


def box(axes: plt.Axes, x: float, y: float, text: str, colour: str, width: float = 1.5, height: float = 0.5) -> None:
    """A labelled rectangle around (x, y)."""
    patch = plt.Rectangle((x - width / 2, y - height / 2), width, height, facecolor=colour, edgecolor='#444444', lw=0.8)
    axes.add_patch(patch)
    axes.text(x, y, text, ha='center', va='center', fontsize=8)


def arrow(
    axes: plt.Axes, start: tuple[float, float], end: tuple[float, float], label: str = '', **style: object
) -> None:
    """An arrow between two points; the label stands at its middle."""
    axes.annotate('', end, start, arrowprops={'arrowstyle': '-|>', 'color': '#444444', 'lw': 0.9, **style})
    if label:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(x, y, label, ha='center', va='center', fontsize=6.5, color='#333333', backgroundcolor='white')


def save(figure: plt.Figure, axes: plt.Axes, name: str) -> None:
    """Write a picture without axes."""
    axes.autoscale_view()
    axes.set_axis_off()
    figure.savefig(IMAGES / name, dpi=130, bbox_inches='tight')
    plt.close(figure)


def loop() -> None:
    """The stations of the loop, and the audit beside it."""
    figure, axes = plt.subplots(figsize=(9, 3.2))
    stations = ('propose', 'screen', 'select', 'evaluate', 'learn')
    does = ('candidates', 'cheap verdicts', 'a batch', 'DFT, lab, table', 'surrogate')
    for index, (name, text) in enumerate(zip(stations, does, strict=True)):
        box(axes, 2 * index + 2, 0, f'{name}\n{text}', COLOURS['station'], 1.65, 0.7)
        arrow(axes, (2 * index + 0.7, 0), (2 * index + 1.17, 0))
    box(axes, 0, 0, 'campaign file', COLOURS['data'], 1.4, 0.7)
    axes.plot((10, 10, 2), (0.35, 0.8, 0.8), color='#444444', lw=0.9)
    for x in (2, 6):
        arrow(axes, (x, 0.8), (x, 0.35))
    axes.text(8, 0.9, 'until target or budget', ha='center', fontsize=7.5)
    box(axes, 6, -1.4, 'provenance graph: every input, decision, job and result', '#ffffff', 9.5, 0.5)
    for index in range(5):
        arrow(axes, (2 * index + 2, -0.35), (2 * index + 2, -1.15))
    box(axes, 6, -2.4, 'status · audit · verify · report · paper (read only)', COLOURS['audit'], 9.5, 0.5)
    arrow(axes, (6, -1.65), (6, -2.15))
    save(figure, axes, 'loop.png')


def name_of(node: Node) -> str:
    """Two lines: what the node is, and its PK."""
    label = node.process_label if isinstance(node, ProcessNode) else type(node).__name__
    return f'{label}\n<{node.pk}>'


def colour_of(node: Node) -> str:
    """By the kind of node, as AiiDA draws them."""
    kind = 'work' if isinstance(node, WorkflowNode) else 'calculation' if isinstance(node, ProcessNode) else 'data'
    return COLOURS[kind]


def evaluation(campaign: Node) -> None:
    """One evaluation with its inputs, calls and outputs, read from the graph."""
    row = next(row for row in campaign.outputs.table.get_rows() if row.status == 'completed')
    calls = (LinkType.CALL_WORK, LinkType.CALL_CALC)
    found = [
        link.node
        for generation in campaign.base.links.get_outgoing(link_type=LinkType.CALL_WORK)
        for link in generation.node.base.links.get_outgoing(
            link_type=LinkType.CALL_WORK, link_label_filter=row.candidate
        )
    ]
    work = found[0]
    figure, axes = plt.subplots(figsize=(10, 5))
    box(axes, 0, 0, name_of(work), COLOURS['work'], 2.6)
    inputs = work.base.links.get_incoming(link_type=LinkType.INPUT_WORK).all()
    children = [link for kind in calls for link in work.base.links.get_outgoing(link_type=kind)]
    children.sort(key=lambda link: link.node.pk)
    results = work.base.links.get_outgoing(link_type=LinkType.RETURN).all()
    for column, links, x in ((0, inputs, -4.6), (1, results, 4.6)):
        for index, link in enumerate(links):
            y = 1.1 * ((len(links) - 1) / 2 - index)
            box(axes, x, y, name_of(link.node), colour_of(link.node), 1.9)
            start, end = ((x + 0.95, y), (-1.3, 0)) if column == 0 else ((1.3, 0), (x - 0.95, y))
            arrow(axes, start, end, link.link_label.replace('__', '.'))
    for index, link in enumerate(children):
        x = 2.6 * (index - (len(children) - 1) / 2)
        box(axes, x, -3.6, name_of(link.node), colour_of(link.node), 2.3)
        arrow(axes, (0.4 * x, -0.25), (x, -3.35), linestyle='--')
        axes.text(x, -3.1, link.link_label, ha='center', fontsize=6.5, color='#333333', backgroundcolor='white')
    axes.set_title(f'evaluation {row.candidate} ({row.key}): inputs, outputs and (dashed) what it called', fontsize=9)
    save(figure, axes, 'evaluation.png')


def screenshots(campaign: Node) -> None:
    """The report as a browser shows it."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / 'report.html'
        profile = campaign.backend.profile.name
        subprocess.run(['aiida-inversedesign', '-p', profile, 'report', str(campaign.pk), '-o', page], check=True)
        for name, size in (('report_desktop', '1280,1100'), ('report_phone', '500,1100')):
            subprocess.run(
                ['chromium', '--headless', '--no-sandbox', '--hide-scrollbars', f'--window-size={size}',
                 '--virtual-time-budget=8000', f'--screenshot={IMAGES / name}.png', page.as_uri()],
                check=True,
            )  # fmt: skip


def asked(campaign: Node, command: str) -> dict[str, Any]:
    """What a command says of a campaign, as JSON."""
    words = ['aiida-inversedesign', '-p', campaign.backend.profile.name, command, str(campaign.pk), '--format', 'json']
    return dict(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))


def status(campaign: Node) -> None:
    """The view of ``status``, as a terminal shows it."""
    console = Console(record=True, width=88, file=io.StringIO(), force_terminal=True)
    console.print(view(asked(campaign, 'status'), lines=4))
    console.save_svg(str(IMAGES / 'status.svg'), title=f'aiida-inversedesign status {campaign.pk} --watch')


def sources(campaign: Node) -> None:
    """What a distinct hit cost from each source: evaluations, which every engine has."""
    rows = [row for row in asked(campaign, 'audit')['by_proposer'] if row['evaluations']['total']]
    figure, axes = plt.subplots(figsize=(6, 0.6 + 0.5 * len(rows)))
    for index, row in enumerate(rows):
        total, hits = row['evaluations']['total'], row['evaluations']['distinct_hits']
        axes.barh(index, total / hits if hits else total, color='#4c78a8' if hits else '#cccccc')
        text = f'{total} evaluations, {hits} distinct hits' if hits else f'{total} evaluations, no hit'
        axes.text(0.05, index, text, va='center', fontsize=8, color='white' if hits else '#333333')
    axes.set_yticks(range(len(rows)), [row['proposer'] for row in rows])
    axes.set_xlabel('evaluations for each distinct hit')
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(IMAGES / 'cost_by_source.png', dpi=130, bbox_inches='tight')
    plt.close(figure)


if __name__ == '__main__':
    node = load_node(sys.argv[1])
    if sys.argv[2:] == ['sources']:
        sources(node)
    else:
        loop()
        evaluation(node)
        screenshots(node)
        status(node)
