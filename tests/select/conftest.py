"""Real crystals with elastic moduli as candidates, and the evaluations they would have."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal


@pytest.fixture(scope='session')
def pool(shared: Path) -> list[Candidate]:
    """300 candidates."""
    with gzip.open(shared / 'data' / 'elastic_structures.jsonl.gz', 'rt') as lines:
        crystals = [Crystal.from_dict(json.loads(line)) for line, _ in zip(lines, range(300), strict=False)]
    return [
        Candidate(f'g001_c{i:04d}', crystal.formula, crystal, 'library', probability=0.5)
        for i, crystal in enumerate(crystals)
    ]


@pytest.fixture(scope='session')
def answers(shared: Path, pool: list[Candidate]) -> dict[str, dict[str, float]]:
    """Properties of each candidate: bulk and shear modulus (GPa), volume (Å³/atom)."""
    with gzip.open(shared / 'data' / 'elastic_structures.jsonl.gz', 'rt') as lines:
        entries = [json.loads(line) for line, _ in zip(lines, pool, strict=False)]
    return {
        candidate.id: {
            'bulk_modulus': entry['K_VRH'],
            'shear_modulus': entry['G_VRH'],
            'volume': candidate.content.volume / candidate.content.nsites if candidate.content else 0.0,
        }
        for candidate, entry in zip(pool, entries, strict=True)
    }


@pytest.fixture(scope='session')
def evaluate(answers: dict[str, dict[str, float]]) -> Callable[..., EvaluationRow]:
    """The completed evaluation of a candidate; keywords replace fields of the row."""

    def make(origin: Candidate, /, **fields: object) -> EvaluationRow:
        row = EvaluationRow(
            origin.id,
            1,
            'initial',
            origin.key,
            'completed',
            origin.content,
            origin.content,
            answers[origin.id],
            probability=origin.probability,
        )
        return dataclasses.replace(row, **fields)

    return make
