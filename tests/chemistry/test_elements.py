"""The element table is complete, marked and consistent with independent sources."""

import numpy as np
import pytest
from ase.data import atomic_numbers
from ase.data import covalent_radii as ase_radii

from aiida_inversedesign.chemistry.elements import (
    ElementError,
    covalent_radii,
    element_table,
    unknown_elements,
)


def test_shape_and_completeness():
    table = element_table()
    assert table.values.shape == (96, 58)
    assert np.isfinite(table.values).all()
    assert table.symbols[0] == 'H'
    assert table.symbols[93] == 'Pu'
    assert set(table.units) == set(table.names) == set(table.sources)


def test_imputed_values_are_marked_and_few():
    table = element_table()
    assert 0 < table.imputed.mean() < 0.06
    assert table.imputed[table.index['He'], table.names.index('en_pauling')]
    assert not table.imputed[:, table.names.index('covalent_radius_cordero')].any()


def test_covalent_radii_are_cordero():
    # ASE has Cordero's radii from a source of its own, in its choice of spin state and hybridisation
    for symbol in ('H', 'C', 'N', 'Si', 'Cu', 'Au', 'U'):
        assert covalent_radii()[symbol] == pytest.approx(ase_radii[atomic_numbers[symbol]], abs=0.031)


def test_dissimilarity_is_a_distance():
    table = element_table()
    D = table.dissimilarity
    assert np.allclose(D, D.T)
    assert np.allclose(np.diag(D), 0)
    assert (D[~np.eye(96, dtype=bool)] > 0).all()
    nearest = table.symbols[np.argsort(D[table.index['Zr']])[1]]
    assert nearest in ('Hf', 'Nb', 'Ti')


def test_unknown_element_is_named():
    assert unknown_elements(['C', 'Og', 'Cf']) == ['Cf', 'Og']
    with pytest.raises(ElementError, match='Og'):
        element_table().rows(['C', 'Og'])


def test_close_to_the_published_table(shared):
    import pandas as pd

    published = pd.read_csv(shared / 'data/xenonpy_elements_completed.csv', index_col=0, keep_default_na=False)
    table = element_table()
    for ours, theirs in (('covalent_radius_pyykko', 'covalent_radius_pyykko'), ('atomic_weight', 'atomic_weight')):
        own = np.array([table.column(ours)[symbol] for symbol in published.index])
        assert np.corrcoef(own, published[theirs].astype(float))[0, 1] > 0.99
