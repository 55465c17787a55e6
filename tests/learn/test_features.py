"""Descriptors: defined everywhere, blind to the description of a crystal, right on known crystals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.spaces.crystals.features import featurize

FCC = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
DIAMOND = Crystal(FCC * 5.43, ('Si', 'Si'), [[0, 0, 0], [0.25, 0.25, 0.25]])
PERICLASE = Crystal(FCC * 4.21, ('Mg', 'O'), [[0, 0, 0], [0.5, 0.5, 0.5]])


def one(crystal: Crystal, probability: float | None = None) -> dict[str, float]:
    features, names = featurize([crystal], [probability])
    return dict(zip(names, features[0].tolist(), strict=True))


def test_element_properties_are_those_of_the_element():
    silicon = one(DIAMOND)
    assert silicon['mean_en_pauling'] == pytest.approx(1.90)
    assert [silicon[f'mean_{shell}_valence'] for shell in 'spdf'] == [2, 2, 0, 0]
    assert silicon['spread_en_pauling'] == 0
    assert one(PERICLASE)['spread_en_pauling'] == pytest.approx((3.44 - 1.31) / 2)


@pytest.mark.parametrize('symbol', element_table().symbols)
def test_every_element_of_the_table_has_finite_descriptors(symbol):
    crystal = Crystal(FCC * 4.0, (symbol, 'O'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    features, names = featurize([crystal], [None])
    assert features.shape == (1, len(names))
    assert np.isfinite(features).all()


def test_known_crystals():
    silicon, oxide = one(DIAMOND, 0.9), one(PERICLASE)
    assert silicon['volume_per_atom'] == pytest.approx(5.43**3 / 8)
    assert silicon['nearest_contact_min'] == pytest.approx(5.43 * 3**0.5 / 4 / (2 * 1.11))
    assert silicon['coordination_mean'] == pytest.approx(4, abs=0.1)
    assert np.exp(silicon['log_density']) == pytest.approx(2.33, abs=0.01)  # g/cm³
    assert silicon['unlike_neighbours'] == 0
    assert silicon['template_probability'] == 0.9
    assert oxide['nearest_contact_mean'] == pytest.approx(2.105 / (1.41 + 0.66))
    # 6 unlike contacts at 1.02 sums of radii; the 12 Mg–Mg at 1.06 count as well, the 12 O–O at 2.26 do not
    assert oxide['coordination_mean'] == pytest.approx((6 + 18) / 2, abs=0.4)
    assert oxide['unlike_neighbours'] == pytest.approx(0.5, abs=0.02)
    assert oxide['template_probability'] == 0.5


def test_usual_oxidation_states_score_high_whatever_the_cell():
    odd = Crystal(FCC * 4.21, ('Mg', 'F'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    double = Crystal(
        np.diag([2, 1, 1]) @ PERICLASE.lattice,
        ('Mg', 'Mg', 'O', 'O'),
        [[0, 0, 0], [0.5, 0, 0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]],
    )
    oxide = one(PERICLASE)
    assert oxide['charge_score'] > 0.9
    assert oxide['oxidation_score'] > 0.9
    assert one(odd)['oxidation_score'] < 0.1
    assert {name: one(double)[name] for name in ('charge_score', 'oxidation_score')} == {
        name: oxide[name] for name in ('charge_score', 'oxidation_score')
    }


@settings(max_examples=30, deadline=None)
@given(
    shift=st.tuples(*[st.floats(-2, 2)] * 3),
    swap=st.booleans(),
    skew=st.integers(-3, 3),
    angle=st.floats(0, 6.28),
)
def test_origin_order_rotation_and_cell_choice_do_not_matter(shift, swap, skew, angle):
    base = Crystal(
        np.array([[3.0, 0, 0], [0.4, 4.1, 0], [0.2, 0.9, 5.2]]),
        ('Ga', 'As', 'O'),
        np.array([[0.1, 0.2, 0.3], [0.45, 0.6, 0.15], [0.8, 0.1, 0.7]]),
    )
    change = np.array([[1, skew, 0], [0, 1, 0], [0, 0, 1]])
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    order = [2, 0, 1] if swap else [0, 1, 2]
    lattice = change @ base.lattice @ rotation
    coords = (base.frac_coords + np.array(shift)) @ np.linalg.inv(change)
    other = Crystal(lattice, tuple(base.species[i] for i in order), coords[order])
    assert np.allclose(featurize([other], [0.3])[0], featurize([base], [0.3])[0], atol=1e-6)


def test_needle_cell_is_reduced_first():
    skewed = Crystal(np.array([[1, 60, 0], [0, 1, 0], [0, 0, 1]]) @ DIAMOND.lattice, ('Si',), [[0, 0, 0]])
    plain = Crystal(DIAMOND.lattice, ('Si',), [[0, 0, 0]])
    assert np.allclose(featurize([skewed], [None])[0], featurize([plain], [None])[0])


def test_isolated_and_coincident_atoms_stay_finite():
    alone = Crystal(np.eye(3) * 30, ('He',), [[0, 0, 0]])
    clash = Crystal(np.eye(3) * 4, ('C', 'C'), [[0, 0, 0], [0, 0, 0]])
    features, _ = featurize([alone, clash], [None, 1.0])
    assert np.isfinite(features).all()
    assert one(alone)['coordination_mean'] == pytest.approx(0, abs=1e-6)
    assert one(clash)['nearest_contact_min'] == 0


def test_empty_list():
    features, names = featurize([], [])
    assert features.shape == (0, len(names))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match='1 crystals but 2 probabilities'):
        featurize([DIAMOND], [None, None])
    with pytest.raises(ValueError, match="'Og'"):
        featurize([Crystal(np.eye(3) * 4, ('Og',), [[0, 0, 0]])], [None])
    with pytest.raises(ValueError, match='finite number'):
        featurize([DIAMOND], [float('nan')])
