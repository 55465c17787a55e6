"""The parts of the page against slow, obvious counting: pictures, CIFs, random search, fronts, timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as from_space_group
from hypothesis import given, settings
from hypothesis import strategies as st
from made_record import TWO, made_record

from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import unit_text
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.report.cif import cif_text
from aiida_inversedesign.report.figures.pareto import pareto_front
from aiida_inversedesign.report.figures.timeline import Span, lanes
from aiida_inversedesign.report.prototype_names import NAMES
from aiida_inversedesign.report.provenance import section as provenance
from aiida_inversedesign.report.random_search import random_best, random_hits
from aiida_inversedesign.report.structures import picture
from aiida_inversedesign.report.words import (
    duration,
    formula_html,
    formula_plain,
    number,
    percent,
    quantity,
)


def of_ase(atoms) -> Crystal:
    return Crystal(atoms.cell[:], tuple(atoms.get_chemical_symbols()), atoms.get_scaled_positions())


def cubic(species, sites, group):
    return of_ase(from_space_group(species, sites, spacegroup=group, cellpar=[4, 4, 4, 90, 90, 90]))


RUTILE = of_ase(
    from_space_group(['Ti', 'O'], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136, cellpar=[4.6, 4.6, 2.95, 90, 90, 90])
)
KNOWN = {
    'face-centred cubic (A1)': of_ase(bulk('Cu', 'fcc', 3.6)),
    'body-centred cubic (A2)': of_ase(bulk('Fe', 'bcc', 2.9)),
    'hexagonal close packed (A3)': of_ase(bulk('Mg', 'hcp', 3.2, c=5.2)),
    'diamond (A4)': of_ase(bulk('C', 'diamond', 3.57)),
    'simple cubic': of_ase(bulk('Po', 'sc', 3.3)),
    'rock salt (B1)': of_ase(bulk('NaCl', 'rocksalt', 5.6)),
    'caesium chloride (B2)': of_ase(bulk('CsCl', 'cesiumchloride', 4.1)),
    'zincblende (B3)': of_ase(bulk('BN', 'zincblende', 3.6)),
    'wurtzite (B4)': of_ase(bulk('GaN', 'wurtzite', 3.2, c=5.2)),
    'nickel arsenide (B8)': of_ase(
        from_space_group(
            ['Ni', 'As'], [(0, 0, 0), (1 / 3, 2 / 3, 0.25)], spacegroup=194, cellpar=[3.6, 3.6, 5, 90, 90, 120]
        )
    ),
    'tungsten carbide (Bₕ)': of_ase(
        from_space_group(
            ['W', 'C'], [(0, 0, 0), (1 / 3, 2 / 3, 0.5)], spacegroup=187, cellpar=[2.9, 2.9, 2.84, 90, 90, 120]
        )
    ),
    'Ni₃Sn (D0₁₉)': of_ase(
        from_space_group(
            ['Sn', 'Ni'],
            [(1 / 3, 2 / 3, 0.25), (0.844, 0.688, 0.25)],
            spacegroup=194,
            cellpar=[5.3, 5.3, 4.25, 90, 90, 120],
        )
    ),
    'fluorite (C1)': of_ase(bulk('CaF2', 'fluorite', 5.5)),
    'rutile (C4)': RUTILE,
    'cubic perovskite (E2)': cubic(['Sr', 'Ti', 'O'], [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)], 221),
    'Cu₃Au (L1₂)': cubic(['Au', 'Cu'], [(0, 0, 0), (0.5, 0.5, 0)], 221),
}


@pytest.mark.parametrize('name', sorted(KNOWN))
def test_names_of_prototypes(name):
    assert NAMES[prototype_label(KNOWN[name])] == name


def test_every_named_prototype_is_tested():
    assert set(NAMES.values()) == set(KNOWN)


@pytest.mark.parametrize(
    ('crystal', 'atoms', 'edges'),
    [
        # 8 corners, 6 faces, 12 edges and the centre
        (KNOWN['rock salt (B1)'], 27, 12),
        # 8 corners, 6 faces, 4 inside
        (KNOWN['diamond (A4)'], 18, 12),
        (KNOWN['cubic perovskite (E2)'], 15, 12),
        (KNOWN['body-centred cubic (A2)'], 9, 12),
    ],
)
def test_a_picture_shows_the_conventional_cell(crystal, atoms, edges):
    drawn = ElementTree.fromstring(picture(crystal, 'one', 'a <crystal>'))
    assert len([item for item in drawn.iter() if item.get('class') == 'atom']) == atoms
    assert len([item for item in drawn.iter() if item.get('class') == 'edge']) == 6 * edges
    assert drawn.find('title').text == 'a <crystal>'
    width, height = map(float, drawn.get('viewBox').split()[2:])
    for circle in drawn.iter('circle'):
        assert 0 < float(circle.get('cx')) < width
        assert 0 < float(circle.get('cy')) < height


def test_bonds_of_diamond():
    drawn = ElementTree.fromstring(picture(KNOWN['diamond (A4)'], 'one', ''))
    # each of the four atoms inside the cell has four bonds of two halves
    assert len([item for item in drawn.iter() if item.get('class') == 'bond-edge']) == 32


def test_a_large_cell_has_a_picture():
    rng = np.random.default_rng(1)
    crystal = Crystal(np.diag([12.0, 9.0, 40.0]), ('Si', 'O') * 80, rng.random((160, 3)))
    drawn = ElementTree.fromstring(picture(crystal, 'one', ''))
    assert len([item for item in drawn.iter() if item.get('class') == 'atom']) == 160


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(['Na', 'Cl', 'O', 'Ti']), min_size=1, max_size=6),
    st.integers(0, 10_000),
)
def test_a_cif_is_the_crystal(species, seed):
    from ase.io import read

    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(4, 9, 3)) + rng.uniform(-1.5, 1.5, (3, 3))
    crystal = Crystal(lattice, tuple(species), rng.uniform(-1, 2, (len(species), 3)))
    text = cif_text(crystal, 'x y', {'name': 'two\nlines'})
    found = read(StringIO(text), format='cif')
    assert found.get_chemical_symbols() == species
    expected = crystal.to_pymatgen()
    assert np.allclose(found.cell.cellpar(), expected.lattice.parameters, atol=1e-4)
    apart = found.get_scaled_positions() - expected.frac_coords
    assert np.allclose(apart, np.round(apart), atol=2e-6)
    assert text.startswith('# name: two lines\ndata_x_y\n')


def test_random_hits_are_those_of_all_random_searches():
    record = made_record(3, answers=True)
    record = with_answers(record, [310, 100, 320, 200, None, 90])
    found = random_hits(record, 4)
    for draws in range(5):
        counts = [len({0, 2} & set(chosen)) for chosen in combinations(range(6), draws)]
        assert found.expected[draws] == pytest.approx(np.mean(counts))
        assert found.low[draws] <= min(np.quantile(counts, 0.5), found.expected[draws])
        inside = np.mean([found.low[draws] <= value <= found.high[draws] for value in counts])
        assert inside >= 0.95
    assert found.rate == pytest.approx(2 / 6)


def test_random_best_is_that_of_all_random_searches():
    values = [310, 100, 320, 200, None, 90, 260]
    record = with_answers(made_record(3), values)
    found = random_best(record, 5)
    assert found.draws == [1, 2, 3, 4, 5]
    for place, draws in enumerate(found.draws):
        best = [max((values[i] or -1) for i in chosen) for chosen in combinations(range(7), draws)]
        # half of all searches have reached the median, and fewer have reached anything better
        median = found.median[place]
        assert np.mean([value >= median for value in best]) >= 0.5
        better = [value for value in best if value > median]
        assert not better or np.mean([value >= min(better) for value in best]) < 0.5


def test_a_target_is_approached_from_both_sides():
    target = [{'property': 'bulk_modulus', 'target': 200, 'tolerance': 10}]
    record = with_answers(made_record(3, objectives=target), [100, 190, 260, 500])
    assert random_best(record, 4).median[-1] == 190


def with_answers(record, values):
    from dataclasses import replace

    answers = {f'c{i}': None if value is None else {'bulk_modulus': float(value)} for i, value in enumerate(values)}
    return replace(record, answers=answers)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_the_front_is_what_nothing_dominates(points):
    goal = Goal.model_validate({'objectives': TWO})
    items = [
        EvaluationRecord(f'c{i}', 'BN', 1, 'completed', properties={'bulk_modulus': float(a), 'density': float(b)})
        for i, (a, b) in enumerate(points)
    ]
    slow = {i for i, (a, b) in enumerate(points) if not any(x >= a and y <= b and (x > a or y < b) for x, y in points)}
    assert {int(item.candidate[1:]) for item in pareto_front(goal, items)} == slow


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=25))
def test_rows_of_the_timeline(times):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    spans = [Span(start + timedelta(minutes=a), start + timedelta(minutes=a + b), '', '', False) for a, b in times]
    rows = lanes(spans)
    for (one, first), (other, second) in combinations(zip(spans, rows, strict=True), 2):
        assert first != second or one.end <= other.start or other.end <= one.start
    busiest = max(sum(span.start <= moment.start < span.end for span in spans) for moment in spans)
    assert max(rows) + 1 == busiest


def test_words():
    assert formula_html('Ca(NO3)2<b>') == 'Ca(NO<sub>3</sub>)<sub>2</sub>&lt;b&gt;'
    assert formula_plain('Fe12O19') == 'Fe₁₂O₁₉'
    assert unit_text('Å^3/atom') == 'Å³/atom'
    assert [number(value) for value in (-0.5, 12345, 1.5e-7, None, float('nan'))] == [
        '−0.5', '12\u2009345', '1.5 × 10⁻⁷', '–', '–',
    ]  # fmt: skip
    assert [percent(value) for value in (0.0, 0.012, 0.5)] == ['0 %', '1.2 %', '50 %']
    assert [duration(value) for value in (42, 600, 7200, 864000)] == ['42 s', '10 min', '2.0 h', '10.0 days']


def test_digits_suit_what_is_measured():
    """Of a total energy of hundreds of eV the fourth digit is a tenth of an eV; 1e-25 eV/Å is not a force."""
    assert quantity(-250.81234, 'eV/atom') == '−250.812 eV/atom'
    assert quantity(-0.123456, 'eV/atom') == '−0.1235 eV/atom'
    assert quantity(434.57, 'GPa') == '434.6 GPa'
    assert quantity(1.567e-25, 'eV/Å') == '0 eV/Å'
    assert quantity(0.0001, 'eV/Å') == '0.0001 eV/Å'
    assert quantity(227) == '227'


def test_the_record_of_a_model_is_folded_away():
    model = {'label': 'shipped', 'record': {'log': [{'epoch': number, 'loss': 1 / number} for number in range(1, 99)]}}
    page = str(provenance(made_record(2, model=model), {}).body)
    assert '<dd>shipped</dd>' in page
    assert '<dd><details><summary>log epoch 1; loss 1, epoch 2; loss 0.5' in page
    assert page.count('epoch 98;') == 1
