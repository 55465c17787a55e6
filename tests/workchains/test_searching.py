"""A campaign whose later generations search for new formulas."""

from __future__ import annotations

from typing import Any

from agreement import check_agreement
from rehearsal import BCC, FCC

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.workchains.foreground import run_campaign


def test_later_generations_search_for_formulas(campaign: Any) -> None:
    builder, _ = campaign(
        space={'elements': [*FCC, *BCC], 'ratios': ['1'], 'max_formulas': 4, 'charge_neutral': 'off'},
        goal={
            'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 250}],
            'composition': [{'forbidden': ['Na', 'K']}],
        },
        propose={
            'method': 'dissimilarity',
            'top_k': 1,
            'generators': {'enumeration': 1, 'evolution': 1, 'gradient': 1},
            'renew': 4,
        },
        select={'initial': 4, 'batch': 2},
        evaluate={'match': 'structure'},
        budget={'evaluations': 8},
    )
    node = run_campaign(builder)
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    pool = node.outputs.pool.get_candidates()
    generations = {candidate.id[:4] for candidate in pool}
    assert generations == {'g001', 'g002', 'g003'}
    assert {candidate.generator for candidate in pool if candidate.id.startswith('g001')} == {'enumeration'}
    later = [candidate.generator for candidate in pool if not candidate.id.startswith('g001')]
    assert set(later) == {'enumeration', 'evolution', 'gradient'}
    # nothing is proposed twice, and the constraint holds for what was searched as well
    by_generation = {(candidate.key, candidate.id[:4]) for candidate in pool}
    assert len({formula for formula, _ in by_generation}) == len(by_generation)
    accepted = {candidate.key for candidate in pool if candidate.accepted}
    assert not accepted & {'Na', 'K'}
    assert len(node.outputs.table.get_rows()) == 8
    # the audit tells what found what, the initial design separately
    shares = {item['generator']: item['evaluations']['total'] for item in audit(node)['by_generator']}
    assert sum(shares.values()) == 4
    assert set(shares) <= {'enumeration', 'evolution', 'gradient'}
