"""A library's fingerprints: what is missing is computed, what fails is told."""

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.fingerprints.structure import LENGTH, fingerprint
from aiida_inversedesign.libraries.fingerprinted import with_fingerprints
from aiida_inversedesign.libraries.library import Library, Template

CUBIC = Crystal(np.eye(3) * 3.35, ('Po',), [[0, 0, 0]])
BODY_CENTRED = Crystal(np.eye(3) * 2.87, ('Fe', 'Fe'), [[0, 0, 0], [0.5, 0.5, 0.5]])
COINCIDENT = Crystal(np.eye(3) * 4, ('H', 'H'), [[0, 0, 0], [0, 0, 1e-5]])


def library(*crystals):
    return Library([Template(f't{index}', crystal, 'test', 'CC0') for index, crystal in enumerate(crystals)])


def test_missing_ones_are_computed_and_failures_listed():
    cache = {}
    complete, skipped = with_fingerprints(library(CUBIC, COINCIDENT, BODY_CENTRED), cache)
    np.testing.assert_allclose(complete.fingerprints[0], fingerprint(CUBIC), atol=1e-7)
    np.testing.assert_allclose(complete.fingerprints[2], fingerprint(BODY_CENTRED), atol=1e-7)
    assert np.isnan(complete.fingerprints[1]).all()
    assert [item.source for item in skipped] == ['t1']
    assert 'duplicate' in skipped[0].reason
    assert set(cache) == {CUBIC.content_hash, BODY_CENTRED.content_hash}


def test_known_ones_are_kept():
    known = np.full((2, LENGTH), np.nan, dtype=np.float32)
    known[0] = 7
    complete, skipped = with_fingerprints(library(CUBIC, BODY_CENTRED).with_fingerprints(known))
    assert (complete.fingerprints[0] == 7).all()
    np.testing.assert_allclose(complete.fingerprints[1], fingerprint(BODY_CENTRED), atol=1e-7)
    assert skipped == []


def test_an_empty_library():
    complete, skipped = with_fingerprints(library())
    assert complete.fingerprints.shape == (0, LENGTH)
    assert skipped == []
