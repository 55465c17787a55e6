"""Pictures of the hits and the best candidates, where the kind of space draws any."""

from __future__ import annotations

from pathlib import Path

from aiida_inversedesign.audit import frames
from aiida_inversedesign.paper.crystals import BEST
from aiida_inversedesign.paper.facts import Facts


def write_pictures(facts: Facts, folder: Path) -> None:
    """Write an SVG for each hit and the best others; no folder if the space draws nothing.

    The number in a name is the rank.
    """
    ranked = [item for item in frames.best_evaluations(facts.record) if item.result is not None]
    others = [item.candidate for item in ranked if not item.hit][:BEST]
    for rank, item in enumerate(ranked, start=1):
        drawn = facts.record.space.picture(item.result) if item.hit or item.candidate in others else ''
        if drawn:
            folder.mkdir(exist_ok=True)
            (folder / f'{rank:03d}_{item.candidate}.svg').write_text(drawn, encoding='utf-8')
