"""The fingerprints of a library's templates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aiida_inversedesign.chemistry.fingerprints.structure import LENGTH, Cache, fingerprints
from aiida_inversedesign.libraries.library import Library, Skipped


def with_fingerprints(
    library: Library,
    cache: Cache | None = None,
    progress: Callable[[float], None] | None = None,
    workers: int = 1,
) -> tuple[Library, list[Skipped]]:
    """The library with a fingerprint of every template; those that it has already are kept.

    :param cache: fingerprints by content hash of the crystal, read and added to.
    :param progress: called with the fraction of the missing ones that is done, from 0 to 1.
    :returns: the library, and the templates without a fingerprint (their row is NaN) with the reason.
    """
    values = np.full((len(library), LENGTH), np.nan, dtype=np.float32)
    if library.fingerprints is not None:
        values[:] = library.fingerprints
    missing = np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist()
    problems: dict[int, str] = {}
    crystals = [library[index].crystal for index in missing]
    values[missing] = fingerprints(crystals, cache, progress=progress, workers=workers, problems=problems)
    skipped = [Skipped(library[missing[row]].id, problems[row]) for row in sorted(problems)]
    return library.with_fingerprints(values), skipped
