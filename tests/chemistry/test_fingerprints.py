"""Structure fingerprints equal matminer's, do not hang on hostile cells, and a computation can be resumed."""

import gzip
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.fingerprints.structure import (
    LENGTH,
    STATISTICS,
    FingerprintError,
    fingerprint,
    fingerprints,
    read_cache,
)
from aiida_inversedesign.chemistry.fingerprints.voronoi import Cells

HALITE = Crystal(
    np.eye(3) * 5.64,
    ('Na',) * 4 + ('Cl',) * 4,
    [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0.5, 0.5, 0.5]],
)
SIMPLE_CUBIC = Crystal(np.eye(3) * 3.35, ('Po',), [[0, 0, 0]])
BCC = Crystal(np.eye(3) * 2.87, ('Fe', 'Fe'), [[0, 0, 0], [0.5, 0.5, 0.5]])
LAYERS = Crystal([[2.46, 0, 0], [-1.23, 2.13, 0], [0, 0, 26.0]], ('C', 'C'), [[0, 0, 0], [1 / 3, 2 / 3, 0]])


@pytest.fixture(scope='module')
def matminer():
    """The same fingerprint by matminer."""
    site = pytest.importorskip('matminer.featurizers.site')
    structure = pytest.importorskip('matminer.featurizers.structure')
    sites = site.CrystalNNFingerprint.from_preset('ops', distance_cutoffs=None, x_diff_weight=0)
    featurizer = structure.SiteStatsFingerprint(sites, stats=STATISTICS)
    return lambda crystal: np.array(featurizer.featurize(crystal.to_pymatgen()), dtype=np.float64)


@pytest.fixture(scope='module')
def records(shared):
    with gzip.open(shared / 'data/mp_structures.jsonl.gz', 'rt') as handle:
        return [json.loads(line) for line, _ in zip(handle, range(3000), strict=False)]


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('crystal', [HALITE, SIMPLE_CUBIC, BCC, LAYERS], ids=['halite', 'cubic', 'bcc', 'layers'])
def test_textbook_structures_equal_matminer(crystal, matminer):
    np.testing.assert_allclose(fingerprint(crystal), matminer(crystal), atol=1e-9)


@pytest.mark.filterwarnings('ignore')
def test_real_structures_equal_matminer(records, matminer):
    small = [record for record in records if record['nsites'] <= 8]
    for index in np.random.default_rng(5).choice(len(small), size=12, replace=False):
        crystal = Crystal.from_dict(small[index])
        np.testing.assert_allclose(fingerprint(crystal), matminer(crystal), atol=1e-6)


def test_equals_reference(records, shared):
    reference = read_cache(shared / 'data/fingerprints_reference.npz')
    known = [record for record in records if record['id'] in reference and record['nsites'] <= 30]
    chosen = [known[index] for index in np.random.default_rng(5).choice(len(known), size=80, replace=False)]
    computed = np.array([fingerprint(Crystal.from_dict(record)) for record in chosen])
    deviation = np.abs(computed - np.array([reference[record['id']] for record in chosen]))
    # matminer's body-centred order parameter depends on the last digits, so on the machine that made the reference
    assert np.mean(deviation.max(axis=1) > 1e-6) < 0.1
    assert deviation.max() < 1e-2


def test_likelihoods_of_a_site_add_up():
    from aiida_inversedesign.chemistry.fingerprints.motifs import labels

    names = labels()
    assert len(names) * len(STATISTICS) == LENGTH
    means = fingerprint(HALITE).reshape(len(names), len(STATISTICS))[:, 0]
    likelihood = sum(value for name, value in zip(names, means, strict=True) if name.startswith('wt '))
    assert likelihood == pytest.approx(1)
    assert means[names.index('octahedral CN_6')] > 0.9


def test_motifs_are_those_of_pymatgen():
    from pymatgen.analysis.local_env import CN_OPT_PARAMS, DEFAULT_OP_PARAMS

    from aiida_inversedesign.chemistry.fingerprints.motifs import MOTIFS

    for number, name, _, parameters in MOTIFS:
        kind, *given = CN_OPT_PARAMS.get(number, {}).get(name, [name])
        expected = (given[0] if given else DEFAULT_OP_PARAMS[kind]) or {}
        assert set(parameters) <= {float(value) for value in expected.values()}, name


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 4))
def test_voronoi_cells_fill_the_crystal_whatever_its_orientation(seed, count):
    draw = np.random.default_rng(seed)
    # small enough for the first cutoff, within which a cell is closed but not always that of the whole crystal
    lattice = np.eye(3) * 2.8 + draw.uniform(-0.4, 0.4, (3, 3))
    coords = draw.uniform(size=(count, 3))
    turn = Rotation.random(rng=seed).as_matrix()
    cells = Cells(lattice, coords)
    turned = Cells(1.1 * lattice @ turn, coords + draw.uniform(size=3))
    volumes = np.zeros(2)
    for site in range(count):
        vectors, _, angles, areas = cells.cell(site)
        volumes[0] += areas @ np.linalg.norm(vectors, axis=1) / 6
        assert angles.sum() == pytest.approx(4 * np.pi)
        vectors, _, others, areas = turned.cell(site)
        volumes[1] += areas @ np.linalg.norm(vectors, axis=1) / 6
        np.testing.assert_allclose(np.sort(others)[-4:], np.sort(angles)[-4:], atol=1e-9)
    np.testing.assert_allclose(volumes, abs(np.linalg.det(lattice)) * np.array([1, 1.1**3]))


@pytest.mark.parametrize('crystal', [HALITE, LAYERS], ids=['halite', 'layers'])
def test_independent_of_order_and_origin(crystal):
    draw = np.random.default_rng(1)
    order = draw.permutation(crystal.nsites)
    moved = Crystal(
        crystal.lattice, np.array(crystal.species)[order], crystal.frac_coords[order] + draw.uniform(size=3)
    )
    np.testing.assert_allclose(fingerprint(moved), fingerprint(crystal), atol=1e-9)


def test_inequivalent_sites_are_weighted():
    np.testing.assert_allclose(fingerprint(HALITE, inequivalent_only=True), fingerprint(HALITE), atol=1e-6)


@pytest.mark.parametrize(
    ('crystal', 'reason'),
    [
        (Crystal(np.eye(3) * 4, ('H', 'H'), [[0, 0, 0], [0, 0, 1e-5]]), 'duplicate'),
        (Crystal(np.eye(3) * 0.2, ('H',), [[0, 0, 0]]), 'lattice in Å'),
        (Crystal(np.diag([0.3, 0.3, 4000]), ('H',), [[0, 0, 0]]), 'lattice in Å'),
        (Crystal(np.eye(3) * 100, ('H',) * 10_001, np.random.default_rng(0).uniform(size=(10_001, 3))), '10001 sites'),
    ],
    ids=['coincident', 'dense', 'needle', 'many'],
)
def test_hostile_cells_are_refused_quickly(crystal, reason):
    fingerprint(SIMPLE_CUBIC)
    started = time.perf_counter()
    with pytest.raises(FingerprintError, match=reason):
        fingerprint(crystal)
    assert time.perf_counter() - started < 2


def test_a_failure_is_told_and_the_others_are_computed():
    bad = Crystal(np.eye(3) * 4, ('H', 'H'), [[0, 0, 0], [0, 0, 1e-5]])
    problems, fractions = {}, []
    values = fingerprints([SIMPLE_CUBIC, bad, BCC], progress=fractions.append, problems=problems)
    assert np.isnan(values[1]).all()
    assert np.isfinite(values[[0, 2]]).all()
    assert list(problems) == [1]
    assert 'H2' in problems[1] or 'duplicate' in problems[1]
    assert fractions[-1] == 1


def test_several_processes_give_the_same(records):
    crystals = [Crystal.from_dict(record) for record in records if record['nsites'] <= 4][:40]
    np.testing.assert_array_equal(fingerprints(crystals, workers=2), fingerprints(crystals))


def test_a_cache_is_used_and_read_from_a_file(tmp_path):
    known = {SIMPLE_CUBIC.content_hash: np.arange(244.0)}
    np.testing.assert_array_equal(fingerprints([SIMPLE_CUBIC], known)[0], np.arange(244))
    marks = np.arange(244, dtype=np.float32)[None]
    np.savez_compressed(tmp_path / 'cache.npz', ids=np.array(list(known)), fingerprints=marks)
    np.testing.assert_array_equal(read_cache(tmp_path / 'cache.npz')[SIMPLE_CUBIC.content_hash], np.arange(244))


def test_a_foreign_file_is_refused(tmp_path):
    np.savez(tmp_path / 'other.npz', ids=np.array(['a']), fingerprints=np.zeros((1, 3)))
    with pytest.raises(FingerprintError, match='244'):
        read_cache(tmp_path / 'other.npz')


def test_an_interrupted_computation_goes_on():
    class StopHereError(Exception):
        pass

    def stop(fraction):
        if fraction > 0.6:
            raise StopHereError

    crystals = [SIMPLE_CUBIC, BCC, HALITE]
    cache = {}
    with pytest.raises(StopHereError):
        fingerprints(crystals, cache, progress=stop)
    assert len(cache) == 2
    np.testing.assert_array_equal(fingerprints(crystals, cache), fingerprints(crystals))


@pytest.mark.slow
def test_works_without_a_folder_for_the_compiled_code():
    code = (
        'import numpy as np\n'
        'from aiida_inversedesign.chemistry.crystal import Crystal\n'
        'from aiida_inversedesign.chemistry.fingerprints.structure import fingerprint\n'
        "print(np.isfinite(fingerprint(Crystal(np.eye(3) * 3, ('Po',), [[0, 0, 0]]))).all())\n"
    )
    nowhere = {'NUMBA_CACHE_DIR': '/proc/nowhere', 'NUMBA_CACHE_LOCATOR_CLASSES': 'UserProvidedCacheLocator'}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=os.environ | nowhere)
    assert done.stdout.strip() == 'True', done.stderr


def test_importing_compiles_nothing():
    code = 'import sys, aiida_inversedesign.chemistry.fingerprints.structure; print("numba" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == 'False', done.stderr
