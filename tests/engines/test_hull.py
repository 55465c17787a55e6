"""Energies above a hull of the campaign's own phases."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.hull import HullError, Phase, convex_hull

REFERENCES = {'Si': -5.0, 'C': -9.0, 'O': -4.0}


def phase(name: str, counts: dict[str, int], formation: float, settings: str = '') -> Phase:
    total = sum(counts.values())
    elemental = sum(REFERENCES[symbol] * number for symbol, number in counts.items()) / total
    return Phase(name, counts, elemental + formation, settings)


def test_a_lone_compound_stands_against_its_elements():
    found = convex_hull([phase('bound', {'Si': 1, 'C': 1}, -0.3)], REFERENCES).stability['bound']
    assert found.e_above_hull == 0
    assert found.hull == ('bound', 'reference:C', 'reference:Si')
    assert found.decomposition == {'bound': 1.0}
    loose = convex_hull([phase('loose', {'Si': 1, 'C': 1}, 0.2)], REFERENCES).stability['loose']
    assert loose.e_above_hull == pytest.approx(0.2)
    assert loose.decomposition == pytest.approx({'reference:C': 0.5, 'reference:Si': 0.5})


def test_distances_along_a_tie_line_and_between_polymorphs():
    phases = [
        phase('silica', {'Si': 1, 'O': 2}, -3.0),
        phase('polymorph', {'Si': 3, 'O': 6}, -2.9),
        phase('monoxide', {'Si': 1, 'O': 1}, -1.5),
    ]
    found = convex_hull(phases, REFERENCES).stability
    assert found['silica'].e_above_hull == 0
    assert found['polymorph'].e_above_hull == pytest.approx(0.1)
    assert found['polymorph'].decomposition == {'silica': 1.0}
    # SiO = 3/4 SiO2 + 1/4 Si by atoms
    assert found['monoxide'].e_above_hull == pytest.approx(0.75 * 3.0 - 1.5)
    assert found['monoxide'].decomposition == pytest.approx({'silica': 0.75, 'reference:Si': 0.25})
    assert found['monoxide'].considered == 5
    assert json.loads(json.dumps(found['monoxide'].to_dict()))['hull'] == list(found['monoxide'].hull)


def test_a_ternary_stands_against_the_binaries_and_not_the_other_way_round():
    phases = [phase('silica', {'Si': 1, 'O': 2}, -3.0), phase('ternary', {'Si': 1, 'C': 1, 'O': 2}, -1.0)]
    found = convex_hull(phases, REFERENCES).stability
    assert found['ternary'].e_above_hull == pytest.approx(0.75 * 3.0 - 1.0)
    assert found['silica'].hull == ('reference:O', 'reference:Si', 'silica')


def test_the_reference_itself_and_a_better_element():
    phases = [Phase('diamond', {'C': 8}, -8.9), Phase('better', {'Si': 2}, -5.2)]
    found = convex_hull(phases, REFERENCES).stability
    assert found['diamond'].e_above_hull == pytest.approx(0.1)
    assert found['better'].e_above_hull == 0


def test_energies_of_other_settings_are_left_out_and_named():
    phases = [phase('own', {'Si': 1, 'C': 1}, 0.1, 'fast'), phase('library', {'Si': 1, 'C': 1}, -0.5, 'mp')]
    found = convex_hull(phases, REFERENCES, 'fast')
    assert found.left_out == ('library',)
    assert found.stability['own'].e_above_hull == pytest.approx(0.1)
    assert list(found.stability) == ['own']


def test_a_missing_reference_is_no_zero():
    found = convex_hull([Phase('x', {'Ga': 1, 'N': 1}, -6.0)], REFERENCES).stability['x']
    assert found.e_above_hull is None
    assert found.reason == 'no reference energy of Ga, N'


def test_bad_input():
    with pytest.raises(HullError, match='names must be unique'):
        convex_hull([Phase('x', {'C': 1}, -9.0), Phase('x', {'C': 1}, -9.0)], REFERENCES)
    with pytest.raises(HullError, match='energy of x is not a number'):
        convex_hull([Phase('x', {'C': 1}, float('nan'))], REFERENCES)
    assert convex_hull([], REFERENCES).stability == {}
    for names, repeated in (('dcbadcba', 'a, b, c'), ('zaamz', 'a, z')):
        with pytest.raises(HullError, match=f'several phases are called {repeated}: names'):
            convex_hull([Phase(name, {'C': 1}, -9.0) for name in names], REFERENCES)
    with pytest.raises(HullError, match='energy of a, b, C is not a number'):
        convex_hull([Phase('a', {'C': 1}, math.inf), Phase('b', {'C': 1}, math.nan)], {'C': math.nan, 'O': math.inf})
    with pytest.raises(HullError, match='energy of O is not a number'):
        convex_hull([], {'C': 0.0, 'O': -math.inf})


def test_everything_that_is_told_of_a_phase():
    phases = [
        phase('loose', {'O': 2, 'Si': 2}, -1.0),
        phase('silica', {'Si': 1, 'O': 2}, -3.0),
        Phase('gallium', {'Ga': 1, 'Si': 1, 'As': 1}, -3.0),
        phase('pure', {'Si': 8}, 0.5),
        phase('other', {'C': 1, 'O': 1}, -1.0),
    ]
    found = convex_hull(phases, REFERENCES)
    assert list(found.stability) == ['loose', 'silica', 'gallium', 'pure', 'other']
    assert found.left_out == ()
    assert found.stability['loose'].to_dict() == {
        'e_above_hull': pytest.approx(0.75 * 3.0 - 1.0),
        'decomposition': pytest.approx({'reference:Si': 0.25, 'silica': 0.75}),
        'hull': ['reference:O', 'reference:Si', 'silica'],
        'considered': 5,
        'reason': '',
    }
    assert list(found.stability['loose'].decomposition) == ['reference:Si', 'silica']
    assert found.stability['gallium'].to_dict() == {
        'e_above_hull': None,
        'decomposition': {},
        'hull': [],
        'considered': 0,
        'reason': 'no reference energy of As, Ga',
    }
    pure = found.stability['pure']
    assert (pure.e_above_hull, pure.hull, pure.considered) == (pytest.approx(0.5), ('reference:Si',), 2)
    assert found.stability['other'].considered == 3
    # energies are per atom, whatever the cell
    doubled = convex_hull([phase('one', {'Si': 1, 'O': 1}, 0.25), phase('two', {'Si': 4, 'O': 4}, 0.25)], REFERENCES)
    assert [item.e_above_hull for item in doubled.stability.values()] == pytest.approx([0.25, 0.25])


COUNTS = st.dictionaries(st.sampled_from(list(REFERENCES)), st.integers(1, 4), min_size=1, max_size=3)


@given(st.lists(st.tuples(COUNTS, st.floats(-2, 2)), min_size=1, max_size=6))
def test_no_phase_lies_below_the_hull_and_more_phases_only_lower_it(items):
    phases = [phase(f'p{i}', counts, formation) for i, (counts, formation) in enumerate(items)]
    every = convex_hull(phases, REFERENCES).stability
    alone = convex_hull(phases[:1], REFERENCES).stability['p0']
    assert all(found.e_above_hull is not None and found.e_above_hull >= 0 for found in every.values())
    assert every['p0'].e_above_hull >= alone.e_above_hull - 1e-9
    for name, found in every.items():
        assert sum(found.decomposition.values()) == pytest.approx(1)
        # of two phases with equal energy only one is a member
        assert set(found.decomposition) <= {name, *found.hull}
