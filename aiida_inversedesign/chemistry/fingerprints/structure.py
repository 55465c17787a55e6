"""Structure fingerprints: statistics of local order parameters over the sites (244 numbers).

Local order parameters of every site (CrystalNN, preset ``ops``, no distance cutoffs, no electronegativity weight),
then mean, standard deviation, minimum and maximum over all sites. Source: Zimmermann and Jain, RSC Adv. 10, 6063
(2020), as implemented in matminer's ``SiteStatsFingerprint``; the choice of options is that of Kusaba et al. (2022).
The numbers are those of matminer; the code is compiled at its first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import equivalent_sites
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.parallel import processes

LENGTH = 244
STATISTICS = ('mean', 'std_dev', 'minimum', 'maximum')
#: sites of a cell above which no fingerprint is computed
MAX_SITES = 10_000
#: crystals that a worker process gets at once
CHUNK = 32
#: what is added to the key of a fingerprint over inequivalent sites, which is another one
INEQUIVALENT = '/inequivalent'

Cache = MutableMapping[str, Array]


class FingerprintError(InverseDesignError):
    """A fingerprint that cannot be computed or read, with the reason."""


def fingerprint(crystal: Crystal, inequivalent_only: bool = False) -> Array:
    """The fingerprint of a crystal, shape (244,): the four statistics of the first feature, of the second, and so on.

    :param inequivalent_only: compute one site of each set of symmetry-equivalent ones, weighted by their number.
        Not quite the same number, as an order parameter may depend on rounding or on the order of the neighbours:
        on Materials Project structures 7 of 100 fingerprints change by more than 1e-4, 2 by more than 1e-3, for a
        fifth of the time. Not to be mixed with fingerprints over all sites.
    :raises FingerprintError: if a site has no closed Voronoi cell, or the cell is too large or too dense.
    """
    from aiida_inversedesign.chemistry.fingerprints.site_features import site_features

    if crystal.nsites > MAX_SITES:
        raise FingerprintError(
            f'no fingerprint of {crystal.formula}: {crystal.nsites} sites, at most {MAX_SITES} are allowed'
        )
    sites, shares = _equivalent(crystal) if inequivalent_only else (np.arange(crystal.nsites), None)
    try:
        values = site_features(crystal, sites)
    except InverseDesignError as error:
        raise FingerprintError(f'no fingerprint of {crystal.formula} ({crystal.nsites} sites): {error}') from error
    mean = np.average(values, axis=0, weights=shares)
    deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=shares))
    return np.stack([mean, deviation, values.min(axis=0), values.max(axis=0)], axis=1).ravel()


def _equivalent(crystal: Crystal) -> tuple[Integers, Array]:
    """One site of each set of equivalent ones, and how many there are of it."""
    sites, counts = np.unique(equivalent_sites(crystal), return_counts=True)
    return sites.astype(np.int64), counts.astype(np.float64)


def fingerprints(
    crystals: Sequence[Crystal],
    cache: Cache | None = None,
    keys: Sequence[str] | None = None,
    progress: Callable[[float], None] | None = None,
    workers: int = 1,
    inequivalent_only: bool = False,
    problems: MutableMapping[int, str] | None = None,
) -> Array:
    """The fingerprints of many crystals, shape (n, 244); a row is NaN where there is none.

    :param cache: known fingerprints by key; each that is computed is added at once, so that an interrupted
        computation can go on. Failures are not kept.
    :param keys: the key of each crystal, e.g. its id; default: its content hash.
    :param progress: called with the fraction done, from 0 to 1.
    :param workers: processes; with more than 1, a script needs ``if __name__ == '__main__':`` around its call.
    :param inequivalent_only: see :func:`fingerprint`.
    :param problems: takes the reason of each row that is NaN, by row.
    :raises FingerprintError: if a worker process dies.
    """
    if keys is not None and len(keys) != len(crystals):
        raise FingerprintError(f'{len(crystals)} crystals but {len(keys)} keys')
    known: Cache = {} if cache is None else cache
    out = np.full((len(crystals), LENGTH), np.nan)
    rows: dict[str, list[int]] = {}
    done = 0
    for row, crystal in enumerate(crystals):
        key = (crystal.content_hash if keys is None else keys[row]) + (INEQUIVALENT if inequivalent_only else '')
        stored = known.get(key)
        if stored is not None and np.isfinite(stored).all():
            out[row] = stored
            done += 1
        else:
            rows.setdefault(key, []).append(row)
    if progress is not None and done:
        progress(done / len(crystals))
    tasks = [(key, crystals[same[0]]) for key, same in rows.items()]
    for key, value in _computed(tasks, workers, inequivalent_only):
        if isinstance(value, str):
            if problems is not None:
                problems.update(dict.fromkeys(rows[key], value))
        else:
            out[rows[key]] = value
            known[key] = value
        done += len(rows[key])
        if progress is not None:
            progress(done / len(crystals))
    return out


Task = tuple[str, Crystal]
Outcome = tuple[str, Array | str]


def _computed(tasks: list[Task], workers: int, inequivalent_only: bool) -> Iterator[Outcome]:
    """Each key with its fingerprint, or with the reason why there is none, as they are found."""
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    workers = min(workers, len(chunks))
    if workers <= 1:
        for task in tasks:
            yield from _compute([task], inequivalent_only)
        return
    try:
        with processes(workers) as pool:
            for future in as_completed([pool.submit(_compute, chunk, inequivalent_only) for chunk in chunks]):
                yield from future.result()
    except BrokenProcessPool as error:
        raise FingerprintError(
            'a process that computed fingerprints died: out of memory, or the script that asked for several workers '
            'does so outside of "if __name__ == \'__main__\':"; what was done is in the cache, try workers=1'
        ) from error


def _compute(tasks: list[Task], inequivalent_only: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for key, crystal in tasks:
        try:
            outcomes.append((key, fingerprint(crystal, inequivalent_only)))
        except FingerprintError as error:
            outcomes.append((key, str(error)))
    return outcomes


def read_cache(path: Path | str) -> dict[str, Array]:
    """Fingerprints by key, shape (LENGTH,) each, from a npz file with the arrays ``ids`` and ``fingerprints``.

    :raises FingerprintError: if the file holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            ids, values = data['ids'], np.asarray(data['fingerprints'], dtype=np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise FingerprintError(f'{path} is not a file of fingerprints: {error}') from error
    if values.ndim != 2 or values.shape != (len(ids), LENGTH):
        raise FingerprintError(f'{path}: expected {len(ids)} fingerprints of {LENGTH} numbers, got {values.shape}')
    return dict(zip(ids.tolist(), values, strict=True))
