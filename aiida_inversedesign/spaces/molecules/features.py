"""Descriptors of molecules: RDKit's numbers, and counts of Morgan environments.

Environments: Rogers and Hahn, J. Chem. Inf. Model. 50, 742 (2010).
Computed once for each molecule and process, about 6 ms each.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.spaces.molecules.molecule import Molecule

#: Columns into which environments of up to two bonds are folded.
FOLDED, RADIUS = 256, 2
#: RDKit's numbers that are left out: partial charges and BCUT need parameters that many elements lack, Ipc grows beyond
#: all bounds, qed and SPS take as long as all others, and the counts of 85 named groups repeat the environments.
_LEFT_OUT = ('fr_', 'BCUT', 'Ipc', 'qed', 'SPS', 'MaxPartial', 'MinPartial', 'MaxAbsPartial', 'MinAbsPartial')


@functools.cache
def _functions() -> dict[str, Any]:
    from rdkit.Chem import Descriptors

    return {name: function for name, function in Descriptors.descList if not name.startswith(_LEFT_OUT)}


@functools.cache
def feature_names() -> tuple[str, ...]:
    """Names of the columns: RDKit's numbers, then the environments."""
    return (*_functions(), *(f'environment_{index}' for index in range(FOLDED)))


def count_properties() -> int:
    """How many of the columns are RDKit's numbers; they come first."""
    return len(_functions())


@functools.cache
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=FOLDED)


@functools.lru_cache(maxsize=40_000)
def _described(smiles: str) -> bytes:
    from rdkit import rdBase

    from aiida_inversedesign.spaces.molecules.molecule import parse

    mol = parse(smiles)
    with rdBase.BlockLogs():
        numbers = np.array([function(mol) for function in _functions().values()], dtype=np.float64)
    counts = np.log1p(_generator().GetCountFingerprintAsNumPy(mol).astype(np.float64))
    # a number that RDKit cannot compute for an element says nothing: 0, as for a molecule without the feature
    return np.concatenate([np.nan_to_num(numbers, nan=0.0, posinf=0.0, neginf=0.0), counts]).tobytes()


def featurize(molecules: Sequence[Molecule]) -> tuple[Array, list[str]]:
    """Descriptors of molecules, shape (n, d), and the names of the columns; environments as log(1 + count)."""
    names = list(feature_names())
    rows = [np.frombuffer(_described(molecule.smiles)) for molecule in molecules]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(names)), names
