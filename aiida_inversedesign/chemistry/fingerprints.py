"""Structure fingerprints: statistics of local order parameters over the sites (244 numbers).

Local order parameters of every site (CrystalNN, preset ``ops``, no distance cutoffs, no electronegativity weight),
then mean, standard deviation, minimum and maximum over all sites. Source: Zimmermann and Jain, RSC Adv. 10, 6063
(2020), in matminer's implementation (extra ``elements``); the choice of options is that of Kusaba et al. (2022).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.errors import InverseDesignError

LENGTH = 244
STATISTICS = ('mean', 'std_dev', 'minimum', 'maximum')

Cache = MutableMapping[str, NDArray[np.float64]]


class FingerprintError(InverseDesignError):
    """A fingerprint that cannot be computed, with the reason."""


@functools.cache
def _featurizer() -> Any:
    try:
        from matminer.featurizers.site import CrystalNNFingerprint
        from matminer.featurizers.structure import SiteStatsFingerprint
    except ImportError as error:
        raise FingerprintError(
            'structure fingerprints need matminer: pip install "aiida-inversedesign[elements]"'
        ) from error
    site = CrystalNNFingerprint.from_preset('ops', distance_cutoffs=None, x_diff_weight=0)
    return SiteStatsFingerprint(site, stats=STATISTICS)


def fingerprint(crystal: Crystal) -> NDArray[np.float64]:
    """The fingerprint of a crystal, shape (244,).

    :raises FingerprintError: if matminer is missing, or CrystalNN finds no neighbours of a site.
    """
    featurizer = _featurizer()
    try:
        with warnings.catch_warnings():
            # CrystalNN warns for every structure without oxidation states
            warnings.simplefilter('ignore')
            values = featurizer.featurize(crystal.to_pymatgen())
    except (ValueError, IndexError, RuntimeError) as error:
        raise FingerprintError(f'no fingerprint of {crystal.formula} ({crystal.nsites} sites): {error}') from error
    return np.asarray(values, dtype=np.float64)


def fingerprints(
    crystals: Sequence[Crystal],
    cache: Cache | None = None,
    keys: Sequence[str] | None = None,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float64]:
    """The fingerprints of many crystals, shape (n, 244); a row is NaN where there is none.

    :param cache: known fingerprints by key; what is computed is added to it.
    :param keys: the key of each crystal, e.g. its id; default: its content hash.
    :param progress: called with the fraction done, from 0 to 1.
    """
    known: Cache = {} if cache is None else cache
    out = np.full((len(crystals), LENGTH), np.nan)
    for row, crystal in enumerate(crystals):
        key = keys[row] if keys is not None else crystal.content_hash
        if key not in known:
            _featurizer()
            try:
                known[key] = fingerprint(crystal)
            except FingerprintError:
                known[key] = np.full(LENGTH, np.nan)
        out[row] = known[key]
        if progress is not None:
            progress((row + 1) / len(crystals))
    return out


def read_cache(path: Path | str) -> dict[str, NDArray[np.float64]]:
    """Fingerprints by key from a npz file with the arrays ``ids`` and ``fingerprints``.

    :raises FingerprintError: if the file holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            ids, values = data['ids'], np.asarray(data['fingerprints'], dtype=np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise FingerprintError(f'{path} is no file of fingerprints: {error}') from error
    if values.ndim != 2 or values.shape != (len(ids), LENGTH):
        raise FingerprintError(f'{path}: expected {len(ids)} fingerprints of {LENGTH} numbers, got {values.shape}')
    return dict(zip(ids.tolist(), values, strict=True))


def write_cache(path: Path | str, cache: Cache) -> None:
    """Write the cache as a npz file that :func:`read_cache` reads; values are rounded to float32."""
    keys = sorted(cache)
    values = np.array([cache[key] for key in keys], dtype=np.float32).reshape(len(keys), LENGTH)
    np.savez_compressed(path, ids=np.array(keys, dtype=np.str_), fingerprints=values)
