"""A campaign whose later generations evolve what its potential found: recorded, counted, and replayed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.chemistry.matching import same_crystal


@pytest.mark.slow
def test_crystals_evolve_between_generations(aiida_profile_clean: Any, tmp_path: Any) -> None:
    pytest.importorskip('ase_ga')
    from rehearsal import make_library, make_python_code

    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.verify.run import is_sound, verify
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    LibraryData.from_library(make_library(), label='metals').store()
    make_python_code(tmp_path, 'inversedesign.ase')
    spec = validate_campaign(
        {
            'name': 'evolved',
            'seed': 2,
            'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]},
            'space': {'formulas': ['Cu', 'CuAu', 'AlNi'], 'max_sites': 4, 'max_formulas': 3, 'charge_neutral': 'off'},
            'propose': {'library': 'metals', 'sources': {'random': 0.5, 'evolution': 0.5}, 'top_k': 6, 'renew': 3},
            'screen': {'potential': 'emt', 'code': 'python@localhost', 'window': 0.5},
            'select': {'initial': 2, 'batch': 1},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt', 'steps': 60},
            'budget': {'evaluations': 4},
        }
    )
    node = run_campaign(build_campaign(spec))
    assert node.is_finished_ok, node.exit_message
    pool = node.outputs.pool.get_candidates()
    children = [item for item in pool if item.proposer == 'evolution' and item.content is not None]
    assert {item.id[:4] for item in children} == {'g002', 'g003'}
    assert all(item.screening for item in children)
    accepted = [item for item in pool if item.accepted]
    assert any(item.proposer == 'evolution' for item in accepted)
    for one, other in itertools.combinations(accepted, 2):
        assert one.key != other.key or not same_crystal(one.content, other.content)
    assert 'evolution' in {entry['proposer'] for entry in audit(load_record(node))['by_proposer']}
    report = verify(node)
    assert is_sound(report), report
    assert report['by_kind']['proposal']['identical'] == 3
