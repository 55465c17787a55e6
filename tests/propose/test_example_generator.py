"""The example generator: what it writes is read, and its condition moves what it generates."""

from __future__ import annotations

import hashlib
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.generator import Generator
from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import aflow_library
from aiida_inversedesign.propose.generated import read_generated, request_of

FOLDER = Path(__file__).parents[2] / 'examples' / 'generator'


@pytest.fixture(scope='module')
def example() -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / 'generate.py'))


def asked(packing: float | None, crystals: int = 60) -> dict[str, Any]:
    conditions = {} if packing is None else {'packing': {'value': packing}}
    generator = Generator.model_validate({'code': 'g@c', 'crystals': crystals, 'conditions': conditions})
    return request_of(generator, [{'Cu': 1, 'Ni': 1}, {'Al': 2, 'Pt': 1}], ['Cu'], 12, 5)


def test_the_condition_moves_the_distribution(example: dict[str, Any]) -> None:
    library = aflow_library()
    model = example['trained'](library)
    means, of_each = [], []
    for wanted in (0.4, 1.1):
        records = example['generated'](model, library, asked(wanted))
        assert len(records) == 120
        packed = [example['packing'](Crystal.from_dict(item)) for item in records]
        means.append(np.mean(packed))
        of_each.append(packed)
    spread = np.sqrt(sum(np.var(packed) / len(packed) for packed in of_each))
    assert means[1] - means[0] > 5 * spread
    again = example['generated'](model, library, asked(1.1))
    assert json.dumps(again) == json.dumps(records)


def test_it_speaks_the_contract(example: dict[str, Any], tmp_path: Path) -> None:
    weights = tmp_path / 'weights.pt'
    script = str(FOLDER / 'generate.py')
    subprocess.run([sys.executable, script, 'train', str(weights)], check=True)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    request = asked(None, 6) | {'weights': {'path': str(weights), 'sha256': digest}}
    (tmp_path / 'request.json').write_text(json.dumps(request))
    subprocess.run([sys.executable, script, 'request.json'], check=True, cwd=tmp_path)
    found = read_generated(tmp_path / 'generated', request)
    assert found['status']['weights_sha256'] == digest
    assert {item['formula'] for item in found['records']} == {'CuNi', 'Al2Pt'}
    assert len(found['records']) + sum(found['refused'].values()) == 12
    assert all(item['parent'] for item in found['records'])


def test_its_campaign_is_valid() -> None:
    assert read_campaign(FOLDER / 'campaign.yaml').propose.external.crystals == 10
