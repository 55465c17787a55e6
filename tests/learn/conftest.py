"""Real crystals with elastic moduli, and rows made of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal


@pytest.fixture(scope='session')
def elastic(shared: Path) -> list[EvaluationRow]:
    """1 181 crystals as completed evaluations with ``bulk_modulus`` (GPa) and ``volume`` (Å³/atom)."""
    rows = []
    with gzip.open(shared / 'data' / 'elastic_structures.jsonl.gz', 'rt') as lines:
        for index, line in enumerate(lines):
            entry = json.loads(line)
            crystal = Crystal.from_dict(entry)
            properties = {'bulk_modulus': entry['K_VRH'], 'volume': crystal.volume / crystal.nsites}
            rows.append(
                EvaluationRow(
                    f'g001-c{index:04d}', 1, 'initial', crystal.formula, 'completed', crystal, crystal, properties
                )
            )
    return rows
