"""The screen ``accessibility``: molecules that are hard to make (Ertl and Schuffenhauer, J. Cheminf. 1, 8 (2009))."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.screen import Screen, ScreenRequest
from aiida_inversedesign.campaign.section import Finite, Model


class AccessibilitySettings(Model):
    """Which score is too high."""

    max: Annotated[Finite, Field(ge=1, le=10)] = Field(
        4.5, description='highest score, from 1 (easy to make) to 10; most molecules that can be bought have less'
    )


class Accessibility(Screen):
    """Rejects molecules whose synthetic accessibility score, by the function that comes with RDKit, is too high."""

    name = 'accessibility'
    spaces = ('molecules',)
    section: ClassVar[type[Model]] = AccessibilitySettings

    def judge(self, candidates: Sequence[Candidate], request: ScreenRequest) -> list[Verdict | None]:
        """The score of each."""
        limit, score = request.settings.max, _scorer()
        found = [round(float(score(candidate.content.mol)), 6) for candidate in candidates]
        return [
            Verdict(value <= limit, value, '' if value <= limit else f'score {value:.1f} is above {limit:g}')
            for value in found
        ]


@functools.cache
def _scorer() -> Any:
    """The function that RDKit ships beside its package."""
    from rdkit import RDConfig

    path = Path(RDConfig.RDContribDir) / 'SA_Score' / 'sascorer.py'
    spec = importlib.util.spec_from_file_location('sascorer', path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f'RDKit has no {path}: install rdkit from PyPI')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.calculateScore
