"""A pool of molecules: a CSV file with a column of SMILES and measured or computed values."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.benchmarks.common import Report
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError, described
from aiida_inversedesign.campaign.contracts.space import RowError
from aiida_inversedesign.campaign.files import FileRefusedError, decompressed, read_bounded
from aiida_inversedesign.libraries.points import PointsError, PointSet
from aiida_inversedesign.spaces.molecules.molecule import SmilesReader
from aiida_inversedesign.spaces.molecules.space import MoleculeSpace

#: Bytes after decompression: some millions of molecules.
MOST_BYTES = 200_000_000


def has_smiles(path: Path) -> bool:
    """Whether the first line of a CSV file names a column of SMILES."""
    with gzip.open(path) if path.suffix == '.gz' else path.open('rb') as stream:
        line = stream.readline(65536).decode('utf-8-sig', errors='replace')
    try:
        SmilesReader().columns(
            [name.strip().strip('"') for name in line.replace(';', ',').replace('\t', ',').split(',')]
        )
    except RowError:
        return False
    return True


def read_molecules(path: Path, properties: Sequence[str], cache: Path | None, jobs: int, report: Report) -> Pool:
    """Read the molecules that have all properties; equal InChIKeys are one molecule with the mean of its values.

    Descriptors are those that a campaign of a few hundred evaluations uses.

    :raises PoolError: if the file cannot be read, or has no such properties.
    """
    found, lost, rows = listed_molecules(path, properties)
    features, names = _features([item.content for item in found], cache, jobs, report)
    return Pool(
        path.name,
        tuple(item.content.smiles for item in found),
        features,
        names,
        {name: np.array([item.values[name] for item in found]) for name in properties},
        lost,
        rows=rows,
    )


def listed_molecules(path: Path, properties: Sequence[str]) -> tuple[list[Any], dict[str, int], int]:
    """The molecules that have all properties, how many rows are left out for which reason, and the number of rows.

    :raises PoolError: if the file cannot be read, or has no such properties.
    """
    try:
        content = read_bounded(path, MOST_BYTES)
        data = PointSet.from_bytes(
            decompressed(content, MOST_BYTES) if path.suffix == '.gz' else content, tolerant=True
        )
        for name in properties:
            if name not in data.numeric:
                raise PoolError(f'{path}: there is no column of numbers {name!r}; there are {", ".join(data.numeric)}')
        listing = data.listed(SmilesReader())
    except (FileRefusedError, PointsError) as error:
        raise PoolError(f'{path}: {error}') from error
    lost = Counter(kind for _, kind, _ in listing.left_out)
    if data.unread:
        lost[f'unreadable lines ({data.unread[0]})'] = len(data.unread)
    whole = list(listing.measured.values())
    found = [item for item in whole if all(name in item.values for name in properties)]
    if len(found) < len(whole):
        lost[f'without {" or ".join(properties)}'] = len(whole) - len(found)
    return found, dict(lost), len(data)


def _features(molecules: list[Any], cache: Path | None, jobs: int, report: Report) -> tuple[Array, tuple[str, ...]]:
    """Descriptors, kept in the cache, and their names."""
    space = MoleculeSpace(kind='molecules')
    names = space.describe([], [])[1]
    columns = list(space.columns(names, 0) or ())
    file = None
    if cache is not None:
        asked = json.dumps([[item.smiles for item in molecules], names])
        file = cache / f'molecules-{hashlib.sha256(asked.encode()).hexdigest()[:24]}.npy'
        if file.is_file():
            return np.load(file, allow_pickle=False), tuple(names[index] for index in columns)
    features = np.ascontiguousarray(described(molecules, jobs, report, _describe)[:, columns])
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix('.part.npy')
        np.save(partial, features)
        partial.replace(file)
    return features, tuple(names[index] for index in columns)


def _describe(molecules: list[Any]) -> Array:
    return MoleculeSpace(kind='molecules').describe(molecules, [])[0]
