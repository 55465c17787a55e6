"""Nothing in a figure of the paper folder lies on something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from made_record import made_record

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.paper import figures
from aiida_inversedesign.paper.facts import Facts


def test_the_letters_of_the_panels_are_beside_the_legends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = made_record(24, fail=0.3)
    facts = Facts(record, audit(record, 'none'))
    drawn: list[Any] = []
    monkeypatch.setattr(figures, '_save', lambda figure, path: drawn.append(figure))
    with mpl.rc_context(figures._STYLE):
        draws = [draw for draw, able, _ in figures._FIGURES.values() if able(facts)]
        figures._overview(facts, draws, tmp_path / 'overview')
    (figure,) = drawn
    figure.canvas.draw()
    inside = figure.bbox
    for letter, axes in zip('abcdefgh', figure.axes, strict=False):
        (place,) = [
            text.get_window_extent() for text in figure.findobj(lambda item, said=f'({letter})': _says(item, said))
        ]
        assert inside.x0 <= place.x0
        assert place.y1 <= inside.y1
        legend = axes.get_legend()
        assert legend is None or not place.overlaps(legend.get_window_extent()), letter


def _says(item: Any, words: str) -> bool:
    return getattr(item, 'get_text', lambda: None)() == words
