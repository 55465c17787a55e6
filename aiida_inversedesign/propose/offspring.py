"""New crystals from crystals of one formula: cut and splice, permutation of elements, strain, and rattling (ase_ga).

Cut and splice: Deaven and Ho, Phys. Rev. Lett. 75, 288 (1995); for cells that differ, and with the strain, Glass,
Oganov and Hansen, Comput. Phys. Commun. 175, 713 (2006) (USPEX) and Lonie and Zurek, Comput. Phys. Commun. 182, 372
(2011). CrySPY uses the same operators: Yamashita et al., Sci. Technol. Adv. Mater., Meth. 1, 87 (2021).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.chemistry.contacts import limit
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import covalent_radii
from aiida_inversedesign.chemistry.symmetry import smaller_cell
from aiida_inversedesign.propose.volumes.of_composition import WIDENED, fitted

if TYPE_CHECKING:
    from ase import Atoms

#: How often each operator is used, relative to the others: the first three as in CrySPY's example, the last like the
#: other mutations.
OPERATORS = {'cut and splice': 5, 'permutation': 2, 'strain': 2, 'rattle': 2}
#: Standard deviation of the strain, CrySPY's default; ase_ga's own (0.7) leaves little of the parent.
STRAIN = 0.5
#: Most copies of a parent's primitive cell in the cell of a child: more atoms than that are seldom ordered by chance.
COPIES = 4
#: Degrees; least angle between a lattice vector and the plane of the other two: flatter cells are not built.
FLATTEST = 30


@dataclass(frozen=True, eq=False)
class Parent:
    """A crystal that others descend from.

    :param name: what a child calls it.
    :param crystal: of the child's formula.
    :param share: how often it is taken; the shares of all parents add up to 1.
    """

    name: str
    crystal: Crystal
    share: float


@dataclass(frozen=True, eq=False)
class Child:
    """A crystal that an operator made.

    :param parents: one, or two of a cut and splice.
    """

    crystal: Crystal
    operator: str
    parents: tuple[Parent, ...]


def primitive(parent: Parent) -> Parent:
    """The parent with its primitive cell, as :func:`child_of` needs it."""
    return replace(parent, crystal=smaller_cell(parent.crystal) or parent.crystal)


def child_of(
    parents: Sequence[Parent], most_sites: int, least: float, rng: np.random.Generator, volume: float | None = None
) -> Child | str:
    """A new crystal of the parents' formula, or why this draw gave none.

    :param parents: of one formula, in primitive cells.
    :param most_sites: of the cell.
    :param least: least contact in sums of covalent radii; cells are widened to it if need be, by at most
        :data:`~aiida_inversedesign.propose.volumes.of_composition.WIDENED`.
    :param volume: Å³ per atom; None takes that of the parents.
    """
    fitting = [parent for parent in parents if parent.crystal.nsites <= most_sites]
    if not fitting:
        return f'every parent has more than {most_sites} sites'
    first = _drawn(fitting, rng)
    size = first.crystal.nsites * int(rng.integers(1, min(COPIES, most_sites // first.crystal.nsites) + 1))
    # drawn by its share too: a poor partner is taken as seldom as a poor parent, and one parent alone has none
    second = _drawn([parent for parent in fitting if size % parent.crystal.nsites == 0], rng)
    able = {
        'cut and splice': second is not first and size > 1,
        'permutation': len(first.crystal.counts) > 1,
        'strain': True,
        'rattle': size > 1,
    }
    weights = np.array([number if able[name] else 0 for name, number in OPERATORS.items()], dtype=float)
    operator = str(rng.choice(list(OPERATORS), p=weights / weights.sum()))
    used = [first, second] if operator == 'cut and splice' else [first]
    of_atom = volume or float(np.mean([item.crystal.volume / item.crystal.nsites for item in used]))
    cells = [_cell(item.crystal, size, size * of_atom) for item in used]
    # ase_ga asks for the older kind of random numbers
    made = _made(operator, cells, _nearest(first.crystal.counts, least), np.random.RandomState(rng.integers(2**32)))
    if made is None:
        return f'{operator}: atoms too close'
    fractions = made.get_scaled_positions()
    crystal = fitted(Crystal(made.cell[:], tuple(made.get_chemical_symbols()), fractions), of_atom, least)
    return f'{operator}: atoms too close' if crystal is None else Child(crystal, operator, tuple(used))


def _drawn(parents: Sequence[Parent], rng: np.random.Generator) -> Parent:
    shares = np.array([parent.share for parent in parents])
    return parents[int(rng.choice(len(parents), p=shares / shares.sum()))]


def _cell(crystal: Crystal, size: int, volume: float) -> Atoms:
    """So many atoms of a crystal: the shortest vectors of its reduced cell repeated, in ASE's orientation, sorted."""
    from ase import Atoms
    from ase.build import niggli_reduce

    atoms = Atoms(crystal.species, cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=True)
    copies, prime = size // crystal.nsites, 2
    while copies > 1:
        while copies % prime:
            prime += 1
        repeats = [1, 1, 1]
        repeats[int(np.argmin(np.round(atoms.cell.lengths(), 6)))] = prime
        atoms, copies = atoms.repeat(repeats), copies // prime
    # it does not converge for a few cells, which are taken as they are
    with contextlib.suppress(RuntimeError):
        niggli_reduce(atoms)
    atoms.set_cell(atoms.cell * (volume / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    atoms.wrap()
    return atoms[np.argsort(atoms.numbers, kind='stable')]


def _nearest(counts: Mapping[str, int], least: float) -> dict[tuple[int, int], float]:
    """Distances in Å that operators keep: what a cell that may be widened needs."""
    from ase.data import atomic_numbers

    radii = covalent_radii()
    return {
        (atomic_numbers[one], atomic_numbers[other]): (radii[one] + radii[other])
        * limit(one, other, least)
        * WIDENED ** (-1 / 3)
        for one in counts
        for other in counts
    }


def _made(operator: str, cells: Sequence[Atoms], nearest: Mapping[tuple[int, int], float], random: Any) -> Any | None:
    """What an operator makes of cells of equal volume; None if it finds nothing with the atoms far enough apart."""
    from ase import Atoms
    from ase_ga.cutandsplicepairing import CutAndSplicePairing
    from ase_ga.standardmutations import PermutationMutation, RattleMutation, StrainMutation
    from ase_ga.utilities import CellBounds

    atoms, bounds = cells[0], CellBounds({name: [FLATTEST, 180 - FLATTEST] for name in ('phi', 'chi', 'psi')})
    if operator == 'cut and splice':
        splice = CutAndSplicePairing(
            Atoms(pbc=True), len(atoms), nearest, number_of_variable_cell_vectors=3, cellbounds=bounds, rng=random
        )
        return splice.cross(*cells)
    if operator == 'permutation':
        return PermutationMutation(len(atoms), blmin=nearest, test_dist_to_slab=False, rng=random).mutate(atoms)
    if operator == 'rattle':
        return RattleMutation(nearest, len(atoms), test_dist_to_slab=False, rng=random).mutate(atoms)
    return StrainMutation(nearest, bounds, STRAIN, rng=random).mutate(atoms)
