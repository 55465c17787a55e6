"""Kernel mean descriptors: their definition, the exact way back, and formulas near a point that is none."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.elements import ElementError, element_table
from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label, reduced_formula
from aiida_inversedesign.chemistry.kmd.decoding import nearest_counts, nearest_formulas
from aiida_inversedesign.chemistry.kmd.inverse import Inverse, is_invertible, sufficient_grid
from aiida_inversedesign.chemistry.kmd.kernel import KmdError, atomic_fractions, kernel_mean
from aiida_inversedesign.chemistry.validity import charge_neutral

SYMBOLS = element_table().symbols
KINDS = [('1d', 2), ('1d', 10), ('md', 10)]

formulas = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 12), min_size=1, max_size=5)


@pytest.fixture(scope='module')
def inverses():
    return {kind: Inverse(kernel_mean(*kind)) for kind in KINDS}


def test_definition_1d():
    table = element_table()
    column = table.values[:, table.names.index('en_pauling')]
    scaled = (column - column.min()) / (column.max() - column.min())
    na, cl = scaled[table.index['Na']], scaled[table.index['Cl']]
    grid = np.linspace(0, 1, 5)
    expected = (np.exp(-((na - grid) ** 2) / 0.25**2) + 3 * np.exp(-((cl - grid) ** 2) / 0.25**2)) / 4
    found = kernel_mean('1d', 5, ['density', 'en_pauling']).describe(['NaCl3'])[0]
    assert found[5:] == pytest.approx(expected, abs=1e-15)


def test_definition_md():
    distance = element_table().dissimilarity
    nearest = np.sort(distance, axis=1)[:, 1]
    si = np.exp(-((distance[SYMBOLS.index('Si')] / 1.0) ** 2) / np.median(nearest**2))
    assert kernel_mean('md').describe(['Si'])[0] == pytest.approx(si, abs=1e-15)
    assert kernel_mean('md').describe(['Si'])[0, SYMBOLS.index('Si')] == 1


@pytest.mark.parametrize('kind', KINDS)
def test_names_and_shapes(kind):
    descriptor = kernel_mean(*kind)
    assert descriptor.describe(['SiO2', {'Si': 1}]).shape == (2, len(descriptor.names))
    assert len(set(descriptor.names)) == len(descriptor.names)
    assert descriptor.describe([]).shape == (0, len(descriptor.names))
    assert np.array_equal(*descriptor.describe(['SiO2', {'O': 4, 'Si': 2}]))


@settings(max_examples=60)
@given(st.lists(formulas, min_size=1, max_size=10), st.sampled_from(KINDS))
def test_round_trip_of_any_formula(inverses, items, kind):
    inverse = inverses[kind]
    points = inverse.descriptor.describe(items)
    weights = inverse.weights(points)
    assert np.abs(weights - atomic_fractions(items)).max() <= 1e-9
    assert inverse.residuals(weights, points).max() <= 1e-9


@pytest.mark.parametrize('kind', KINDS)
def test_round_trip_of_known_formulas(shared, inverses, kind):
    with gzip.open(shared / 'data' / 'mp_structures.jsonl.gz', 'rt') as file:
        known = sorted({json.loads(line)['formula'] for line in file})
    chosen = [known[row] for row in np.random.default_rng(0).permutation(len(known))[:1000]]
    inverse = inverses[kind]
    found = inverse.weights(inverse.descriptor.describe(chosen))
    assert np.abs(found - atomic_fractions(chosen)).max() <= 1e-9


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from(KINDS), st.integers(1, 96))
def test_the_answer_solves_the_quadratic_programme(inverses, seed, kind, number):
    """The conditions of Karush, Kuhn and Tucker, which hold at the minimum and nowhere else."""
    rng = np.random.default_rng(seed)
    elements = [SYMBOLS[row] for row in rng.permutation(len(SYMBOLS))[:number]]
    descriptor = inverses[kind].descriptor
    kernel = descriptor.kernel[element_table().rows(elements)]
    point = rng.dirichlet(np.ones(len(SYMBOLS))) @ descriptor.kernel + 0.3 * rng.normal(size=descriptor.kernel.shape[1])
    weights = Inverse(descriptor, elements).weights(point[None, :])[0]
    own = weights[element_table().rows(elements)]
    assert weights.sum() == pytest.approx(1)
    assert own.sum() == pytest.approx(1)
    assert own.min() >= 0
    gradient = kernel @ (own @ kernel - point)
    multiplier = gradient @ own
    scale = np.abs(gradient).max() + 1
    assert np.abs((gradient - multiplier)[own > 0]).max() <= 1e-9 * scale
    assert (gradient - multiplier).min() >= -1e-9 * scale


def test_refusal_says_which_grid_would_do():
    with pytest.raises(KmdError, match='use n = 96'):
        Inverse(kernel_mean('1d', 4, ['atomic_number']))
    assert Inverse(kernel_mean('1d', 96, ['atomic_number'])).weights(
        kernel_mean('1d', 96, ['atomic_number']).describe(['CaCO3'])
    )[0, SYMBOLS.index('O')] == pytest.approx(0.6, abs=1e-9)
    # fewer elements need fewer points
    assert sufficient_grid(['atomic_number'], ['Si', 'Ge', 'C']) == 3
    Inverse(kernel_mean('1d', 4, ['atomic_number']), ['Si', 'Ge', 'C'])
    with pytest.raises(KmdError, match='use 1d with n = '):
        Inverse(kernel_mean('md', features=['atomic_number', 'group']))


def test_refusal_of_elements_that_look_the_same():
    with pytest.raises(KmdError, match='La and Ce have the same features'):
        Inverse(kernel_mean('1d', 10, ['group', 'period']), ['O', 'La', 'Ce'])
    assert sufficient_grid(['group', 'period'], ['O', 'La', 'Ce']) is None
    assert not is_invertible(np.ones((3, 5)))


def test_bad_input():
    with pytest.raises(KmdError, match='2d'):
        kernel_mean('2d')
    with pytest.raises(KmdError, match='at least 2'):
        kernel_mean('1d', 1)
    with pytest.raises(KmdError, match='hardness'):
        kernel_mean('1d', features=['hardness'])
    with pytest.raises(KmdError, match='at least one element feature'):
        kernel_mean('md', features=[])
    with pytest.raises(KmdError, match='these features'):
        Inverse(kernel_mean('md', features=['group']))
    inverse = Inverse(kernel_mean('md'), ['Si', 'O'])
    with pytest.raises(KmdError, match='96 columns'):
        inverse.weights(np.zeros((1, 3)))
    with pytest.raises(KmdError, match='not a number'):
        inverse.weights(np.full((1, 96), np.nan))
    with pytest.raises(KmdError, match='at least one'):
        inverse.sparse(inverse.project(np.zeros(96))[0], 0)
    with pytest.raises(KmdError, match='name at least one'):
        Inverse(kernel_mean('md'), [])
    with pytest.raises(ElementError, match='Og'):
        Inverse(kernel_mean('md'), ['Og'])
    with pytest.raises(ValueError, match='read-only'):
        kernel_mean('md').kernel[0, 0] = 3


@settings(max_examples=40)
@given(formulas, st.sampled_from(KINDS), st.sampled_from(['off', 'prefer']))
def test_a_formula_is_its_own_nearest(inverses, counts, kind, charge):
    inverse = inverses[kind]
    divisor = np.gcd.reduce(list(counts.values()))
    counts = {symbol: count // divisor for symbol, count in counts.items()}
    point = inverse.descriptor.describe([counts])[0]
    for ratios in (None, [ratio_label(counts), '1:1', '4:3:2:1']):
        found = nearest_formulas(inverse, point, ratios, most=5, largest=60, charge=charge)
        assert found[0].counts == counts
        assert found[0].residual <= 1e-9


def test_smear_becomes_a_formula(inverses):
    inverse = inverses['1d', 10]
    descriptor = inverse.descriptor
    point = descriptor.describe(['NaCl', 'KCl', 'NaBr', 'KBr', 'LiCl', 'RbI', 'CaO', 'SiC']).mean(axis=0)
    assert (inverse.weights(point[None, :])[0] > 0).sum() >= 10
    free = nearest_formulas(inverse, point, most=3, largest=8, number=5)
    target, beyond = inverse.project(point)
    support, fractions = inverse.sparse(target, 3)
    least = np.sqrt(((fractions @ inverse.rows[support] - target) ** 2).sum() + beyond)
    assert len({reduced_formula(item.counts) for item in free}) == 5
    for item in free:
        assert len(item.counts) <= 3
        assert sum(item.counts.values()) <= 8
        assert item.residual == pytest.approx(np.linalg.norm(descriptor.describe([item.counts])[0] - point), abs=1e-9)
        # no integers can do better than the fractions
        assert item.residual >= least - 1e-9
    allowed = nearest_formulas(inverse, point, ['1:1', '2:1'], charge='require', number=4)
    assert allowed
    assert all(ratio_label(item.counts) in ('1:1', '2:1') and charge_neutral(item.counts) for item in allowed)


def test_charge_decides_between_near_equals():
    inverse = Inverse(kernel_mean('1d'), ['Al', 'O'])
    point = kernel_mean('1d').describe([{'Al': 46, 'O': 54}])[0]
    found = {
        charge: nearest_formulas(inverse, point, largest=5, charge=charge)[0] for charge in ('off', 'prefer', 'require')
    }
    assert found['off'].counts == {'O': 1, 'Al': 1}
    assert found['prefer'] == found['require']
    assert found['prefer'].counts == {'Al': 2, 'O': 3}
    assert found['prefer'].residual > found['off'].residual
    assert found['prefer'].charge > found['off'].charge


def test_restricted_elements_and_impossible_ratios():
    descriptor = kernel_mean('1d')
    inverse = Inverse(descriptor, ['Mg', 'Ca', 'S', 'O'])
    # barium and selenium are not allowed: their neighbours stand in
    assert nearest_formulas(inverse, descriptor.describe(['BaSe'])[0], ['1:1'])[0].counts == {'Ca': 1, 'S': 1}
    assert nearest_formulas(inverse, descriptor.describe(['BaSe'])[0], ['1:1'])[0].residual > 0.1
    assert nearest_formulas(inverse, descriptor.describe(['BaSe'])[0], ['1:1:1:1:1']) == []
    assert (
        nearest_formulas(Inverse(descriptor, ['B', 'N']), descriptor.describe(['B2N'])[0], ['2:1'], charge='require')
        == []
    )
    assert nearest_formulas(inverse, descriptor.describe(['O'])[0])[0].counts == {'O': 1}


@settings(max_examples=50)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 30))
def test_roundings(counts, largest):
    fractions = np.array(counts) / sum(counts)
    found = nearest_counts(fractions, largest)
    assert len(found) == len(set(found))
    for item in found:
        assert 0 < sum(item) <= largest
        assert np.gcd.reduce(item) == 1
        assert np.abs(np.array(item) / sum(item) - fractions).max() < 1
    if sum(counts) <= largest:
        assert tuple(np.array(counts) // np.gcd.reduce(counts)) in found


def test_parsed_and_given_counts_agree():
    assert np.array_equal(atomic_fractions(['Fe3O4']), atomic_fractions([parse_formula('Fe3O4')]))
    with pytest.raises(ElementError):
        atomic_fractions(['LrF3'])
