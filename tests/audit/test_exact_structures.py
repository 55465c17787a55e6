"""Repeats, stability and structures, figure by figure: small campaigns that are counted by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from made_outcomes import outcome

from aiida_inversedesign.audit import metrics
from aiida_inversedesign.audit.metrics import intervals
from aiida_inversedesign.audit.metrics.structures import mean_distance
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.fingerprints.structure import FingerprintError

UNKNOWN = {'value': None}


def rock_salt(first: str = 'B', second: str = 'N', a: float = 4.2) -> Crystal:
    return Crystal(a / 2 * (np.ones((3, 3)) - np.eye(3)), (first, second), [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_what_verify_and_repeats_tell() -> None:
    text = json.dumps(rock_salt().to_dict())
    repeated = [outcome('a', 300.0, proposed_text=text), outcome('b', 304.0, proposed_text=text)]
    single = [
        outcome('c', 1.0, proposed_text='other'),
        outcome('d', proposed_text=text),
        outcome('e', 2.0),
        outcome('f', 3.0),
    ]
    nothing = UNKNOWN | {'reason': 'no candidate was evaluated more than once', 'n': 0}
    assert metrics.reproducibility(single) == UNKNOWN | {
        'reason': 'decisions were not re-run: `aiida-inversedesign verify` does so', 'repeats': nothing,
    }  # fmt: skip
    found = metrics.reproducibility([*repeated, *single])['repeats']
    spread, low, high = intervals.pooled_spread([np.array([300.0, 304.0])])
    assert found == {'value': {'k': spread}, 'intervals': {'k': [low, high]}, 'n': 1}
    verified = {
        'identical': 5, 'within_tolerance': ['x', 'y'], 'different': 1, 'not_repeatable': ['z'],
        'by_kind': {
            'select': {'identical': 3, 'within_tolerance': 1, 'different': 2},
            'fit': {'identical': 0, 'within_tolerance': 0, 'different': []},
        },
    }  # fmt: skip
    again = metrics.reproducibility(single, verified)
    assert again == {
        **intervals.share(7, 8),
        'not_repeatable': 1,
        'by_kind': {
            'select': intervals.share(4, 6),
            'fit': intervals.share(0, 0, 'no decision of this kind can be repeated here'),
        },
        'repeats': nothing,
    }
    none = metrics.reproducibility(
        single, {**verified, 'identical': 0, 'within_tolerance': 0, 'different': 0, 'by_kind': None}
    )
    assert (none['reason'], none['by_kind']) == ('no decision can be repeated here', {})
    # a property that only one of them has is not a repeat
    odd = [*repeated[:1], outcome('b', 304.0, proposed_text=text, properties={'gap': 1.0})]
    assert metrics.reproducibility(odd)['repeats'] == {'value': {}, 'intervals': {}, 'n': 1}


def evaluated(name: str, key: str, **properties: float) -> EvaluationRecord:
    return outcome(name, 1.0, key=key, properties=properties)


def test_shares_on_and_near_the_hull() -> None:
    references = {'B': -6.0, 'N': -8.0}
    outcomes = [
        evaluated('on', 'BN', energy=-7.5),
        evaluated('near', 'BN', energy=-7.4),
        evaluated('far', 'B2N2', energy=-7.0),
        evaluated('no energy', 'BN'),
        evaluated('no reference', 'SiC', energy=-7.0),
        evaluated('unreadable', 'B?N', energy=-7.0),
        outcome('failed', properties={'energy': -9.0}),
    ]
    found = metrics.stability(outcomes, references)
    assert found['e_above_hull'] == pytest.approx({'far': 0.5, 'near': 0.1, 'on': 0.0})
    assert list(found['e_above_hull']) == ['far', 'near', 'on']
    assert (found['value'], found['n']) == (pytest.approx(1 / 3), 3)
    assert (found['without_reference'], found['unreadable_formulas']) == (1, 1)
    assert found['phases'] == {
        'hull': ['on', 'reference:B', 'reference:N'], 'considered': 5 - 1, 'references': references,
    }  # fmt: skip
    assert set(found['near']) == {'value', 'low', 'high', 'n', 'within_eV_per_atom'}
    assert found['near']['within_eV_per_atom'] == 0.1
    reasons = [
        metrics.stability(chosen, references)
        for chosen in (outcomes[3:4], outcomes[4:5], outcomes[5:6], [evaluated('x', 'BN', energy=math.nan)])
    ]
    assert [reason['n'] for reason in reasons] == [0, 0, 0, 0]
    assert [reason['reason'] for reason in reasons[:3]] == [
        'no completed evaluation has an energy',
        'every evaluation has an element without a reference energy',
        'the formulas of 1 evaluations cannot be read',
    ]
    assert 'is not a number' in reasons[3]['reason']


def test_hull_distances_of_a_data_set() -> None:
    outcomes = [
        evaluated(name, 'BN', e_above_hull=value) for name, value in (('b', 1e-6), ('a', 0.1), ('c', 0.11), ('d', -0.2))
    ]
    found = metrics.stability([*outcomes, evaluated('e', 'BN'), outcome('f', properties={'e_above_hull': 0.0})], {})
    assert found == {
        **intervals.share(2, 4),
        'near': {**intervals.share(3, 4), 'within_eV_per_atom': 0.1},
        'e_above_hull': {'a': 0.1, 'b': 1e-6, 'c': 0.11, 'd': 0.0},
        'phases': None,
        'phases_reason': 'the values are those of the data set',
    }
    assert metrics.stability([evaluated('e', 'BN')], {}) == UNKNOWN | {
        'reason': 'no elemental references and no energies above a hull are recorded', 'n': 0,
    }  # fmt: skip
    sun = metrics.stable_unique_novel(outcomes, {'a': 0.1, 'b': 0.2}, ['a', 'b', 'c'])
    assert sun == {**intervals.share(1, 4), 'within_eV_per_atom': 0.1}
    assert metrics.stable_unique_novel(outcomes, {}, []) == UNKNOWN | {
        'reason': 'no energies above a hull are known', 'n': 0,
    }  # fmt: skip
    assert metrics.stable_unique_novel(outcomes, {'a': 0.1}, None) == UNKNOWN | {
        'reason': 'whether crystals are novel is not known', 'n': 0,
    }  # fmt: skip


def test_uniqueness_and_novelty_of_a_few_crystals() -> None:
    zincblende = Crystal(rock_salt().lattice, ('B', 'N'), [[0, 0, 0], [0.25, 0.25, 0.25]])
    crystals = [rock_salt(), rock_salt(), zincblende, rock_salt('Al')]
    assert metrics.uniqueness(crystals) == {
        **intervals.share(3, 4),
        'structure_matcher': intervals.share(3, 4),
        'structure_matcher_and_space_group': intervals.share(3, 4),
    }
    assert metrics.uniqueness([]) == metrics.novelty([], crystals) == UNKNOWN | {'reason': 'there is no crystal'}
    found = metrics.novelty(crystals, [rock_salt(), rock_salt('Si', 'C')])
    assert (found['value'], found['n'], found['library'], found['new']) == (0.5, 4, 2, [2, 3])
    assert found['structure_matcher_and_space_group']['value'] == 0.5
    # zincblende alone is a prototype that no entry has
    assert found['prototype'] == intervals.share(1, 4)


def test_a_mean_distance_has_the_interval_of_the_jackknife() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
    means = [mean_distance(np.delete(points, index, axis=0))['value'] for index in range(4)]
    half = 1.959964 * math.sqrt(3 / 4 * sum((mean - np.mean(means)) ** 2 for mean in means))
    found = mean_distance(points)
    assert found == {
        'value': found['value'], 'n': 4,
        'low': pytest.approx(max(found['value'] - half, 0.0)), 'high': pytest.approx(found['value'] + half),
    }  # fmt: skip
    assert mean_distance(points[:2]) == {
        'value': 5.0, 'n': 2, 'interval_reason': 'a single pair has no spread',
    }  # fmt: skip


def test_diversity_of_evaluations_and_hits() -> None:
    crystals = [
        rock_salt(),
        rock_salt('Al'),
        Crystal(rock_salt().lattice, ('Si', 'C'), [[0, 0, 0], [0.25, 0.25, 0.25]]),
    ]
    texts = [json.dumps(crystal.to_dict()) for crystal in crystals]
    outcomes = [
        outcome(name, k, key=key, proposed_text=text, prototype='AB', copy_of=copy_of)
        for name, k, key, text, copy_of in (
            ('a', 400.0, 'BN', texts[0], ''), ('b', 400.0, 'AlN', texts[1], ''), ('c', 400.0, 'BN', texts[0], 'a'),
            ('d', 1.0, 'SiC', texts[2], ''), ('e', 1.0, 'B?', None, ''),
        )
    ]  # fmt: skip
    fast = metrics.diversity(outcomes, fingerprints=False, reason='too many')
    unread = '1 formulas cannot be read, the first is {!r}'
    assert fast == UNKNOWN | {
        'reason': 'too many',
        'evaluations': {
            'n': 5, 'formulas': 4, 'chemical_systems': 3, 'chemical_systems_reason': unread.format('B?'),
            'prototypes': 1, 'distance': UNKNOWN | {'reason': 'too many'},
        },
        'hits': {
            'n': 2, 'formulas': 2, 'chemical_systems': 2, 'prototypes': 1, 'distance': UNKNOWN | {'reason': 'too many'},
        },
    }  # fmt: skip
    slow = metrics.diversity(outcomes)
    assert (slow['n'], slow['evaluations']['distance']['n'], slow['hits']['distance']['n']) == (4, 4, 2)
    assert slow['value'] == slow['evaluations']['distance']['value'] > 0
    nothing = metrics.diversity(outcomes[4:])
    assert nothing['evaluations']['chemical_systems'] is None
    assert nothing['evaluations']['prototypes_reason'] == 'the pool has no prototypes of them'
    assert nothing['hits'] == {
        'n': 0, 'formulas': 0, 'chemical_systems': 0, 'prototypes': 0,
        'distance': UNKNOWN | {'reason': 'there are fewer than two crystals', 'n': 0},
    }  # fmt: skip


def test_distances_need_two_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    crystals = [
        rock_salt(),
        rock_salt('Al'),
        Crystal(rock_salt().lattice, ('Si', 'C'), [[0, 0, 0], [0.25, 0.25, 0.25]]),
    ]
    outcomes = [outcome(item.formula, 1.0, key='X' * 50, proposed_text=json.dumps(item.to_dict())) for item in crystals]
    pair = metrics.diversity(outcomes[1:])
    assert pair['value'] > 0
    assert pair['interval_reason'] == 'a single pair has no spread'
    assert pair['evaluations']['chemical_systems_reason'].endswith(f'the first is {"X" * 40!r}')

    def fails(crystal: Crystal) -> np.ndarray:
        if crystal.species[0] == 'B':
            raise FingerprintError('no neighbours')
        return np.full(3, float(crystal.species[0] == 'Al'))

    monkeypatch.setattr('aiida_inversedesign.chemistry.fingerprints.structure.fingerprint', fails)
    found = metrics.diversity(outcomes)
    assert (found['value'], found['n']) == (pytest.approx(3**0.5), 2)
    assert metrics.diversity(outcomes[:2])['evaluations']['distance'] == UNKNOWN | {
        'reason': 'there are fewer than two crystals with a fingerprint', 'n': 1,
    }  # fmt: skip


def test_points_are_counted_by_key() -> None:
    outcomes = [outcome('a', 400.0, key='x'), outcome('b', 1.0, key='x'), outcome('c', 1.0, key='y')]
    assert metrics.number_of_keys(outcomes, 'no crystals') == UNKNOWN | {
        'reason': 'no crystals',
        'evaluations': {'n': 3, 'keys': 2, 'distance': UNKNOWN | {'reason': 'no crystals'}},
        'hits': {'n': 1, 'keys': 1, 'distance': UNKNOWN | {'reason': 'no crystals'}},
    }
