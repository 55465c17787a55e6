"""What the results of a potential make of candidates; no profile is needed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.screen.potentials.bundles import bundles
from aiida_inversedesign.screen.potentials.judge import judged, to_screen

FCC = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
BCC = np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2


def cell(shape: Any, a: float, symbol: str = 'Cu') -> Crystal:
    return Crystal(a * shape, (symbol,), np.zeros((1, 3)))


def spec(**screen: Any) -> CampaignSettings:
    return CampaignSettings.model_validate(
        {
            'name': 'x',
            'goal': {'objectives': [{'property': 'volume', 'minimize': True}]},
            'space': {'elements': ['Cu', 'Al'], 'ratios': ['1']},
            'screen': {'potential': 'emt', 'code': 'python@localhost', **screen},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt'},
        }
    )


def candidate(name: str, crystal: Crystal, probability: float | None = 0.1, rank: int = 1, **more: Any) -> Candidate:
    verdicts = more.pop('verdicts', {'distance': Verdict(True, 1.0)})
    return Candidate(
        id=name,
        key=crystal.formula,
        content=crystal,
        proposer='cspml',
        probability=probability,
        rank=rank,
        verdicts=verdicts,
        **more,
    )


def record(item: Candidate, crystal: Crystal | None = None, energy: float = 0.0, **more: Any) -> dict[str, Any]:
    found = {'id': item.id, 'digest': item.content.content_hash, 'energy': energy, 'steps': 3, 'converged': True}
    return found | (crystal or item.content).to_dict() | more


def test_equal_crystals_become_one_with_the_chances_of_both() -> None:
    one, other = candidate('a', cell(FCC, 3.7), 0.2), candidate('b', cell(BCC, 2.9), 0.3)
    relaxed = cell(FCC, 3.6)
    found = judged(spec(), [one, other], [record(one, relaxed, -1.0), record(other, relaxed, -0.99)])
    assert [item.accepted for item in found] == [False, True]
    assert found[0].verdicts['potential'].reason == 'relaxes to the same crystal as b'
    assert found[1].screening is not None
    assert found[1].screening['merged'] == ['a']
    assert found[1].screening['probability'] == 0.3
    assert found[1].probability == pytest.approx(0.5)
    assert found[1].content.content_hash == relaxed.content_hash
    assert found[1].rank == 1


def test_the_order_is_that_of_log_p_minus_energy() -> None:
    likely, low = candidate('a', cell(FCC, 3.6), 0.30, 1), candidate('b', cell(BCC, 2.86), 0.20, 2)
    records = [record(likely, energy=-1.00), record(low, energy=-1.05)]
    for softness, first in ((0.03, 'b'), (0.5, 'a')):
        found = {item.id: item for item in judged(spec(softness=softness), [likely, low], records)}
        weights = {'a': 0.3 * math.exp(-0.05 / softness), 'b': 0.2}
        assert found[first].rank == 1
        for name, weight in weights.items():
            assert found[name].probability == pytest.approx(0.5 * weight / sum(weights.values()))
            assert found[name].verdicts['potential'].passed


def test_what_is_far_up_or_beyond_the_number_is_dropped() -> None:
    items = [candidate(name, cell(BCC, 2.8 + 0.05 * n, 'Cu'), 0.1, n) for n, name in enumerate('abc', 1)]
    shapes = [cell(FCC, 3.6), cell(BCC, 2.86), cell(np.diag([1.0, 1.0, 1.0]), 2.4)]
    records = [record(item, shape, energy) for item, shape, energy in zip(items, shapes, (0.0, 0.02, 0.2), strict=True)]
    found = judged(spec(keep=1), items, records)
    assert [item.accepted for item in found] == [True, False, False]
    assert found[1].verdicts['potential'].reason == 'number 2 of Cu (screen.keep)'
    assert found[2].verdicts['potential'].reason == '0.200 eV/atom above the lowest candidate of Cu (screen.window)'
    assert found[2].verdicts['potential'].value == pytest.approx(0.2)


def test_formulas_do_not_compete() -> None:
    one, other = candidate('a', cell(FCC, 3.6), 0.2), candidate('b', cell(FCC, 4.05, 'Al'), 0.3)
    found = judged(spec(keep=1), [one, other], [record(one, energy=-9.0), record(other, energy=3.0)])
    assert [(item.accepted, item.rank, round(item.probability or 0, 9)) for item in found] == [
        (True, 1, 0.2),
        (True, 1, 0.3),
    ]


def test_what_fails_is_left_as_it_was_and_what_falls_apart_is_not() -> None:
    lacking, apart = candidate('a', cell(FCC, 3.6)), candidate('b', cell(BCC, 2.86))
    fails = {'id': 'a', 'digest': lacking.content.content_hash, 'failed': 'NotImplementedError: no U'}
    falls = {'id': 'b', 'digest': apart.content.content_hash, 'failed': 'it falls apart: 3.1', 'steps': 4}
    found = judged(spec(), [lacking, apart], [fails, falls])
    assert [item.accepted for item in found] == [True, False]
    assert found[0].content is lacking.content
    assert found[0].verdicts['potential'].reason == 'emt: NotImplementedError: no U'
    assert found[1].verdicts['potential'].reason == 'emt: it falls apart: 3.1'


def test_a_short_contact_is_healed() -> None:
    """What is too dense by a little is looked at; atoms that lie in each other are not."""
    short = {'distance': Verdict(False, 0.8, 'Cu–Cu are 2.2 Å apart')}
    dense, hopeless = (candidate(name, cell(FCC, a), verdicts=short) for name, a in (('a', 2.9), ('b', 1.5)))
    other = candidate('c', cell(FCC, 2.9), verdicts={**short, 'volume': Verdict(False, 2.5, 'open')})
    assert [item.id for item in to_screen([dense, hopeless, other], 0.85)] == ['a']
    healed = judged(spec(), [dense], [record(dense, cell(FCC, 3.6))])[0]
    assert healed.accepted
    assert healed.screening is not None
    assert healed.screening['healed']
    still = judged(spec(), [dense], [record(dense, cell(FCC, 2.9))])[0]
    assert still.rejected_by == 'distance'


def test_a_crystal_that_was_evaluated_is_not_evaluated_again() -> None:
    item = candidate('a', cell(BCC, 2.86))
    row = EvaluationRow(
        candidate='z', generation=1, arm='control', key='Cu', status='completed', proposed=cell(BCC, 3.3),
        relaxed=cell(FCC, 3.6), properties={}, hit=False, predicted={}, reason='', exit_status=0,
    )  # fmt: skip
    found = judged(spec(), [item], [record(item, cell(FCC, 3.62))], [row])[0]
    assert found.verdicts['potential'].reason == 'relaxes to an evaluated crystal'


def phase(name: str, symbols: str, energy: float, **more: Any) -> dict[str, Any]:
    """The result of a competing phase; of its crystal only the elements count."""
    return {'id': name, 'digest': 'any', 'energy': energy, 'species': symbols.split(), **more}


ELEMENTS = (phase('reference:Cu', 'Cu', -3.0), phase('reference:Al', 'Al', -3.0))


def alloy(name: str, a: float, **more: Any) -> Candidate:
    return candidate(name, Crystal(a * np.eye(3), ('Al', 'Cu'), [[0, 0, 0], [0.5, 0.5, 0.5]]), **more)


def test_what_is_far_above_the_hull_of_the_potential_is_dropped() -> None:
    one, other = alloy('a', 2.9), candidate('b', cell(BCC, 2.9))
    records = [record(one, energy=-2.95), record(other, energy=-2.99)]
    found = judged(spec(hull=0.1, window=9), [one, other], [*records, *ELEMENTS])
    assert [item.accepted for item in found] == [True, True]
    assert [item.screening['e_above_hull'] for item in found] == pytest.approx([0.05, 0.01])  # type: ignore[index]
    # with a compound of the library the same crystal is too high
    compound = phase('phase:mp-1', 'Al Cu Cu Al', -3.2)
    found = judged(spec(hull=0.1, window=9), [one, other], [*records, *ELEMENTS, compound])
    assert [item.accepted for item in found] == [False, True]
    assert found[0].verdicts['potential'].reason == '0.250 eV/atom above the hull of emt, phase:mp-1 (screen.hull)'
    assert found[0].verdicts['potential'].value == pytest.approx(0.25)
    assert found[0].content.content_hash == one.content.content_hash
    # and without the setting nothing is asked of phases
    found = judged(spec(window=9), [one, other], [*records, *ELEMENTS, compound])
    assert all(item.accepted and 'e_above_hull' not in (item.screening or {}) for item in found)


def test_candidates_are_part_of_the_hull() -> None:
    """Those of earlier generations too; what another screen objects to is not."""
    apart = np.array([[0, 0, 0], [0.5, 0.5, 1 / 3], [0, 0, 2 / 3]])
    low, high = alloy('a', 2.9), candidate('b', Crystal(np.diag([2.9, 2.9, 8.0]), ('Al', 'Cu', 'Cu'), apart))
    earlier = judged(spec(hull=0.1), [low], [record(low, energy=-3.3), *ELEMENTS])
    assert earlier[0].screening is not None
    assert earlier[0].screening['e_above_hull'] == 0
    found = judged(spec(hull=0.1), [*earlier, high], [record(high, energy=-3.0), *ELEMENTS])[1]
    assert found.screening is not None
    assert found.screening['e_above_hull'] == pytest.approx(0.3 * 2 / 3)
    assert 'a + reference:Cu (screen.hull)' in found.verdicts['potential'].reason
    short = alloy('c', 2.1, verdicts={'distance': Verdict(False, 0.8, 'near')})
    found = judged(spec(hull=0.1), [short, high], [record(short, energy=-9.0), record(high, energy=-3.0), *ELEMENTS])[1]
    assert found.accepted


def test_a_hole_of_the_potential_drops_itself_and_nothing_else() -> None:
    """SevenNet-0 gave SrGeTeO6 -40 068 eV/atom: its other crystals were all far above that."""
    items = [candidate(name, cell(BCC, 2.8 + 0.03 * number)) for number, name in enumerate('abcd')]
    shapes = [cell(FCC, 3.6), cell(BCC, 2.86), cell(np.eye(3), 2.4), cell(FCC, 3.7)]
    energies = (-40068.4, -4.10, -4.12, -71.3)
    records = [record(*given) for given in zip(items, shapes, energies, strict=True)]
    found = judged(spec(window=0.05), items, records)
    assert [item.accepted for item in found] == [False, True, True, False]
    assert (
        found[0].verdicts['potential'].reason
        == 'emt: 40064.3 eV/atom below all other crystals of Cu: not a valid energy'
    )
    assert found[0].screening is not None
    assert 'energy' not in found[0].screening
    # the order of the results says nothing, and a later generation is measured by the earlier one
    again = judged(spec(window=0.05), items, records[::-1])
    assert [item.verdicts['potential'].reason for item in again] == [
        item.verdicts['potential'].reason for item in found
    ]
    late = candidate('e', cell(BCC, 2.95))
    later = judged(spec(window=0.05), [*found, late], [record(late, cell(FCC, 3.5), -50.0)])
    assert [item.accepted for item in later] == [False, True, True, False, False]
    # one whose properties could not be computed is no exception, nor is one without a relaxation
    failed = [{**records[0], 'failed': 'OverflowError: bulk modulus'}, *records[1:]]
    assert [item.accepted for item in judged(spec(window=0.05), items, failed)] == [False, True, True, False]
    plain = [{**records[0], 'energy': math.nan}, *records[1:]]
    assert [item.accepted for item in judged(spec(window=0.05, relax=False), items, plain)] == [
        False,
        True,
        True,
        False,
    ]
    # two of three may be holes
    two = [record(*given) for given in zip(items[:3], shapes[:3], (-90.0, -4.1, -50.0), strict=True)]
    assert [item.accepted for item in judged(spec(window=0.05), items[:3], two)] == [False, True, False]
    # what relaxes to less than 4 eV/atom below is a crystal
    lower = judged(spec(window=0.05), [*found, late], [record(late, cell(FCC, 3.5), -8.0)])
    assert [item.accepted for item in lower] == [False, False, False, False, True]


def test_a_hole_is_no_part_of_the_hull() -> None:
    hole, item, other = alloy('a', 2.9), alloy('b', 2.92), alloy('c', 2.94)
    records = [record(hole, energy=-900.0), record(item, energy=-2.95), record(other, cell(FCC, 3.6), -2.5)]
    found = judged(spec(hull=0.1), [hole, item, other], [*records, *ELEMENTS])
    assert [one.accepted for one in found] == [False, True, False]
    assert found[1].screening is not None
    assert found[1].screening['e_above_hull'] == pytest.approx(0.05)


@pytest.mark.parametrize(('a', 'accepted'), [(2.7, True), (1.9, True), (1.3, False)])
def test_a_relaxed_crystal_whose_atoms_overlap_is_rejected(a: float, accepted: bool) -> None:
    """Below 0.7 of the least contact, 0.85 sums of covalent radii, of which there is no stable compound."""
    item, other = candidate('a', cell(FCC, 3.6)), candidate('b', cell(BCC, 2.86))
    found = judged(spec(window=9), [item, other], [record(item, cell(np.eye(3), a), -5.0), record(other, energy=-4.0)])
    assert [one.accepted for one in found] == [accepted, True]
    if not accepted:
        assert found[0].verdicts['potential'].reason == 'emt: its atoms overlap (Cu–Cu 1.30 Å)'
    # without a relaxation the crystal is the one that was screened
    assert judged(spec(window=9, relax=False), [item], [record(item, cell(np.eye(3), a), -5.0)])[0].accepted


@pytest.mark.parametrize(
    ('phases', 'reason'),
    [
        ([], 'no reference energy of Al, Cu'),
        (ELEMENTS[:1], 'no reference energy of Al'),
        ([ELEMENTS[0], {'id': 'reference:Al', 'digest': 'x', 'failed': 'it falls apart'}], 'no reference energy of Al'),
        ([ELEMENTS[0], phase('reference:Al', 'Al', math.nan)], 'no reference energy of Al'),
        ([phase('phase:mp-1', 'Al Cu', -3.0)], 'no reference energy of Al, Cu'),
    ],
)
def test_without_competing_phases_nothing_is_rejected(phases: list[dict[str, Any]], reason: str) -> None:
    item = alloy('a', 2.9)
    (found,) = judged(spec(hull=0.1), [item], [record(item, energy=-1.0), *phases])
    assert found.accepted
    assert found.verdicts['potential'].reason == reason
    assert found.screening is not None
    assert found.screening['e_above_hull'] is None
    assert found.screening['no_hull'] == reason


def test_a_phase_that_was_computed_twice_counts_once() -> None:
    item = alloy('a', 2.9)
    (found,) = judged(spec(hull=0.1), [item], [record(item, energy=-2.95), *ELEMENTS, *ELEMENTS])
    assert found.accepted


def test_results_of_another_crystal_and_earlier_verdicts_change_nothing() -> None:
    item = candidate('a', cell(FCC, 3.6))
    assert judged(spec(), [item], [{**record(item), 'digest': 'other'}]) == [item]
    screened = judged(spec(), [item], [record(item)])
    assert judged(spec(), screened, [record(screened[0], cell(FCC, 3.5))]) == screened


def test_without_probabilities_ranks_count() -> None:
    first, second = (
        candidate(name, cell(shape, a), None, rank)
        for rank, (name, shape, a) in enumerate((('a', FCC, 3.6), ('b', BCC, 2.86)), 1)
    )
    found = judged(spec(), [first, second], [record(first), record(second)])
    assert [item.rank for item in found] == [1, 2]
    assert sum(item.probability or 0 for item in found) == pytest.approx(1 / 2 + 1 / 3)


@pytest.mark.parametrize(
    ('number', 'largest', 'at_once', 'sizes'),
    [(0, 50, 2, []), (1, 50, 2, [1]), (8, 50, 2, [8]), (9, 50, 2, [5, 4]), (100, 50, 2, [50, 50]),
     (101, 50, 2, [34, 34, 33]), (40, 50, 4, [10, 10, 10, 10]), (7, 3, 1, [3, 2, 2])],
)  # fmt: skip
def test_bundles(number: int, largest: int, at_once: int, sizes: list[int]) -> None:
    names = [f'c{place}' for place in range(number)]
    made = bundles(names, largest, at_once)
    assert [len(item) for item in made] == sizes
    assert sorted(name for item in made for name in item) == sorted(names)


def test_an_estimate_that_is_not_credible_is_none() -> None:
    item = candidate('a', cell(FCC, 3.6))
    for value, expected in ((140.0, {'bulk_modulus': 140.0}), (890.0, {}), (-5.0, {}), (math.nan, {})):
        found = judged(spec(), [item], [record(item, bulk_modulus=value)])[0]
        assert found.estimates == expected


def test_moduli_follow_from_the_tensor() -> None:
    item = candidate('a', cell(FCC, 3.6))
    tensor = np.diag([1.0, 1, 1, 0, 0, 0]) * 70 + np.diag([0.0, 0, 0, 1, 1, 1]) * 60
    tensor[:3, :3] += 100
    found = judged(spec(), [item], [record(item, elastic_tensor=tensor.tolist())])[0]
    assert found.estimates['elastic_bulk_modulus'] == pytest.approx(100 + 70 / 3)
    assert 30 < found.estimates['shear_modulus'] < 60


def test_what_is_not_at_rest_is_dropped() -> None:
    item = candidate('a', cell(FCC, 3.6))
    for frequency, accepted in ((4.0, True), (0.0, True), (-0.3, True), (-2.0, False)):
        found = judged(spec(vibrations=True), [item], [record(item, lowest_frequency=frequency)])[0]
        assert found.accepted is accepted
    assert 'an imaginary frequency of 2.0i THz' in found.verdicts['potential'].reason


def later_generation(rows: Any = (), **screen: Any) -> dict[str, Candidate]:
    """Two candidates of a first generation, and of a second one a copy, a lower crystal and one far up."""
    first = [candidate('a', cell(FCC, 3.7), 0.3), candidate('b', cell(BCC, 2.9), 0.1)]
    pool = judged(spec(**screen), first, [record(first[0], energy=-1.0), record(first[1], energy=-0.95)])
    second = [candidate(name, cell(np.eye(3), 2.4 + i / 10), 0.2) for i, name in enumerate('cde')]
    records = [
        record(second[0], cell(FCC, 3.7), -1.001),
        record(second[1], cell(np.diag([1, 1, 1.4]), 2.4), -1.08),
        record(second[2], cell(np.diag([1, 1, 1.8]), 2.4), -0.9),
    ]
    return {item.id: item for item in judged(spec(**screen), [*pool, *second], records, rows)}


def test_a_later_generation_is_compared_with_the_earlier_pool() -> None:
    found = later_generation()
    assert found['c'].verdicts['potential'].reason == 'relaxes to the same crystal as a'
    assert found['a'].screening is not None
    assert found['a'].screening['merged'] == ['c']
    # the new lowest crystal: what is too far above it is dropped, be it new or not
    assert 'above the lowest candidate' in found['e'].verdicts['potential'].reason
    assert found['b'].verdicts['potential'].value == pytest.approx(0.13)
    assert [name for name, item in found.items() if item.accepted] == ['a', 'd']
    # all of a formula are ordered by one rule from the chances before any energy was known: 0.3 + 0.2 and 0.2
    weights = {'a': 0.5 * math.exp(-0.08 / 0.1), 'd': 0.2}
    for name, weight in weights.items():
        standing = 0.3 + 0.1 + 0.2 + 0.2 + 0.2
        total = sum(weights.values()) + 0.1 * math.exp(-0.13 / 0.1) + 0.2 * math.exp(-0.18 / 0.1)
        assert found[name].probability == pytest.approx(standing * weight / total)
    assert (found['a'].rank, found['d'].rank) == (1, 2)


def test_what_was_evaluated_stays_whatever_later_generations_find() -> None:
    crystal = cell(BCC, 2.9)
    rows = [EvaluationRow('b', 1, 'initial', 'Cu', 'completed', crystal)]
    found = later_generation(rows)
    assert [name for name, item in found.items() if item.accepted] == ['a', 'b', 'd']
    assert found['b'].rank == 3
