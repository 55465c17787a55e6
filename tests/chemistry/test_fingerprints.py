"""Structure fingerprints equal the reference, and the cache is used."""

import gzip
import json

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.fingerprints import (
    FingerprintError,
    fingerprint,
    fingerprints,
    read_cache,
    write_cache,
)


def test_equals_reference(shared):
    pytest.importorskip('matminer')
    reference = read_cache(shared / 'data/fingerprints_reference.npz')
    with gzip.open(shared / 'data/mp_structures.jsonl.gz', 'rt') as handle:
        records = [json.loads(next(handle)) for _ in range(12)]
    small = [record for record in records if record['nsites'] <= 8 and record['id'] in reference][:3]
    assert len(small) == 3
    for record in small:
        np.testing.assert_allclose(fingerprint(Crystal.from_dict(record)), reference[record['id']], atol=1e-6)


def test_cache_is_read_and_written(tmp_path):
    crystal = Crystal(np.eye(3) * 3, ('Po',), [[0, 0, 0]])
    known = {crystal.content_hash: np.arange(244.0)}
    np.testing.assert_array_equal(fingerprints([crystal], known)[0], np.arange(244))
    write_cache(tmp_path / 'cache.npz', known)
    np.testing.assert_array_equal(read_cache(tmp_path / 'cache.npz')[crystal.content_hash], np.arange(244))


def test_a_foreign_file_is_refused(tmp_path):
    np.savez(tmp_path / 'other.npz', ids=np.array(['a']), fingerprints=np.zeros((1, 3)))
    with pytest.raises(FingerprintError, match='244'):
        read_cache(tmp_path / 'other.npz')
