"""From a molecule to coordinates, and whether a relaxation left it the same molecule. Needs RDKit, no aiida."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.spaces.molecules.molecule import Molecule

#: Seed of the distance geometry: the same molecule has the same conformers in every campaign.
SEED = 20170331
#: Steps of a force field for each conformer; what has not converged by then is still compared by its energy.
STEPS = 2000


class ConformerError(InverseDesignError):
    """A molecule without usable coordinates, with the reason."""


@dataclass(frozen=True)
class Conformer:
    """Coordinates of a molecule.

    :param symbols: of the atoms, hydrogen included; the first ones are those of the SMILES in its order.
    :param positions: Å, shape (n, 3), their mean in the origin.
    :param charge: net charge. :param unpaired: number of unpaired electrons.
    :param forcefield: by which the lowest conformer was chosen. :param embedded: number of conformers.
    """

    symbols: tuple[str, ...]
    positions: Array
    charge: int
    unpaired: int
    forcefield: str
    embedded: int


def conformer_of(molecule: Molecule, number: int) -> Conformer:
    """The conformer with the least energy of some (ETKDGv3; Wang et al., J. Chem. Inf. Model. 60, 2044 (2020)).

    Energies are those of MMFF94 after a relaxation, of UFF where MMFF94 lacks an atom type.

    :raises ConformerError: if none can be embedded, or no force field knows its atoms.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(molecule.mol)
    tools: Any = AllChem
    with rdBase.BlockLogs():
        parameters = tools.ETKDGv3()
        parameters.randomSeed = SEED
        found = list(tools.EmbedMultipleConfs(mol, number, parameters))
        if not found:
            parameters.useRandomCoords = True
            found = list(tools.EmbedMultipleConfs(mol, number, parameters))
        if not found:
            raise ConformerError(f'no conformer of {molecule.smiles} can be embedded (RDKit, ETKDGv3)')
        name = 'MMFF94' if tools.MMFFHasAllMoleculeParams(mol) else 'UFF'
        if name == 'UFF' and not tools.UFFHasAllMoleculeParams(mol):
            raise ConformerError(f'neither MMFF94 nor UFF has parameters for all atoms of {molecule.smiles}')
        relax = tools.MMFFOptimizeMoleculeConfs if name == 'MMFF94' else tools.UFFOptimizeMoleculeConfs
        energies = np.array([energy for _, energy in relax(mol, maxIters=STEPS)])
    if not np.isfinite(energies).any():
        raise ConformerError(f'{name} has no finite energy for any conformer of {molecule.smiles}')
    best = found[int(np.argmin(np.where(np.isfinite(energies), energies, np.inf)))]
    positions = np.array(mol.GetConformer(best).GetPositions(), dtype=np.float64)
    return Conformer(
        tuple(atom.GetSymbol() for atom in mol.GetAtoms()),
        # rounded, so that the last digits of another machine make no other molecule
        np.round(positions - positions.mean(axis=0), 6),
        Chem.GetFormalCharge(mol),
        sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()),
        name,
        len(found),
    )


def changed_bonds(molecule: Molecule, positions: Array) -> str:
    """Which bonds coordinates have broken or made, in words; empty if they are those of the molecule.

    Bonds are found by van der Waals radii (RDKit); hydrogen bonds do not count.

    :param positions: Å, in the order of :class:`Conformer`, shape (n, 3).
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds
    from rdkit.Geometry import Point3D

    whole = Chem.AddHs(molecule.mol)
    bare = Chem.RWMol()
    shape = Chem.Conformer(whole.GetNumAtoms())
    for index, atom in enumerate(whole.GetAtoms()):
        bare.AddAtom(Chem.Atom(atom.GetAtomicNum()))
        shape.SetAtomPosition(index, Point3D(*map(float, positions[index])))
    bare.AddConformer(shape)
    found: Any = bare.GetMol()
    with rdBase.BlockLogs():
        rdDetermineBonds.DetermineConnectivity(found, useVdw=True)
    before, after = _pairs(whole), _pairs(found)
    words = []
    for word, pairs in (('broken', before - after), ('made', after - before)):
        names = [
            '–'.join(f'{whole.GetAtomWithIdx(index).GetSymbol()}{index + 1}' for index in sorted(pair))
            for pair in sorted(map(sorted, pairs))
        ]
        words += [f'{", ".join(names[:4])} {word}'] if names else []
    return '; '.join(words)


def _pairs(mol: Any) -> set[frozenset[int]]:
    return {frozenset((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())) for bond in mol.GetBonds()}
