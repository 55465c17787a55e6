"""Elastic constants: published tensors, and tensors found again from the stresses of the fewest deformations."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from numpy.typing import NDArray
from pymatgen.analysis.elasticity import ElasticTensor
from pymatgen.core import Lattice, Structure

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elasticity import (
    LEAST_DEFORMATIONS,
    MOST_DEFORMATIONS,
    ElasticityError,
    _invariant_tensors,
    _rotation,
    deformations,
    deformed,
    fit_tensor,
    hardness,
    moduli,
    strain_of,
)
from aiida_inversedesign.chemistry.symmetry import point_group


def tensor(**constants: float) -> NDArray[np.float64]:
    """A tensor from ``c11`` … (GPa); what follows by the symmetry of cubic and hexagonal crystals may be left out."""
    c = dict(constants)
    if 'c33' not in c:
        c |= {'c33': c['c11'], 'c13': c['c12']}
    c = {'c22': c['c11'], 'c23': c['c13'], 'c55': c['c44']} | c
    c.setdefault('c66', c['c44'] if c['c33'] == c['c11'] else (c['c11'] - c['c12']) / 2)
    found = np.zeros((6, 6))
    for name, value in c.items():
        i, j = int(name[1]) - 1, int(name[2]) - 1
        found[i, j] = found[j, i] = value
    return found


SILICON = tensor(c11=165.7, c12=63.9, c44=79.6)
QUARTZ = {'c11': 86.8, 'c12': 7.0, 'c13': 11.9, 'c33': 105.8, 'c44': 58.2, 'c14': -18.0, 'c24': 18.0, 'c56': -18.0}
FORSTERITE = {'c11': 328, 'c22': 200, 'c33': 235, 'c44': 66.7, 'c55': 81.3, 'c66': 80.9}
FORSTERITE |= {'c12': 69, 'c13': 69, 'c23': 73}


@pytest.mark.parametrize(
    ('found', 'bulk_modulus', 'shear_modulus'),
    [
        # most with K and G of J. D. Bass, Elasticity of Minerals, Glasses, and Melts, AGU (1995)
        (tensor(c11=165.7, c12=63.9, c44=79.6), 97.8, 66.5),  # Si
        (tensor(c11=1079, c12=124, c44=578), 442, 536),  # diamond
        (tensor(c11=294, c12=93, c44=155), 160, 130.3),  # MgO
        (tensor(c11=108.2, c12=61.3, c44=28.5), 76.9, 26.4),  # Al
        (tensor(c11=162.4, c12=92.0, c13=69.0, c33=180.7, c44=46.7), 107.3, 43.4),  # Ti, hexagonal
        (tensor(**QUARTZ), 37.8, 44.3),  # trigonal
        (tensor(**FORSTERITE), 129.5, 81.1),  # orthorhombic
    ],
)
def test_published_tensors(found: Any, bulk_modulus: float, shear_modulus: float) -> None:
    have = moduli(found)
    assert have.bulk == pytest.approx(bulk_modulus, rel=0.005)
    assert have.shear == pytest.approx(shear_modulus, rel=0.005)
    assert have.stability > 0
    assert have.young == pytest.approx(2 * have.shear * (1 + (have.poisson or 0)))
    assert have.young * 1e9 == pytest.approx(ElasticTensor.from_voigt(found).y_mod)


def test_diamond_is_the_hardest() -> None:
    have = moduli(tensor(c11=1079, c12=124, c44=578))
    assert (have.young, have.poisson) == (pytest.approx(1144, abs=3), pytest.approx(0.069, abs=0.002))
    # measured: 96 ± 5 GPa
    assert have.hardness == pytest.approx(95.7, abs=0.1)
    assert have.anisotropy == pytest.approx(0.045, abs=0.01)


def test_lead_is_soft_and_its_hardness_is_not_negative() -> None:
    have = moduli(tensor(c11=49.5, c12=42.3, c44=14.9))
    assert have.hardness == 0
    assert have.anisotropy > 2
    assert hardness(100, 50) == pytest.approx(2 * 12.5**0.585 - 3)


def test_the_elastic_crystals(shared: Any) -> None:
    """Of cubic crystals K and Voigt's and Reuss' G determine the tensor: the other numbers of the data follow."""
    with gzip.open(shared / 'data/elastic_structures.jsonl.gz', 'rt') as lines:
        rows = [row for row in map(json.loads, lines) if row['spacegroup'] > 194]
    # some tensors there have not the symmetry of their crystals
    rows = [row for row in rows if row['K_Voigt'] == pytest.approx(row['K_Reuss'], rel=1e-4)]
    assert len(rows) > 400
    for row in rows:
        bulk_modulus, voigt, reuss = (row[name] for name in ('K_VRH', 'G_Voigt', 'G_Reuss'))
        # 5 G_V = 2 C' + 3 C44 and G_R (2 C44 + 3 C') = 5 C' C44
        a, b, c = 10 / 3, -25 / 3 * voigt + 5 / 3 * reuss, 10 / 3 * voigt * reuss
        prime = (-b - np.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a)
        c44 = (5 * voigt - 2 * prime) / 3
        have = moduli(tensor(c11=bulk_modulus + 4 / 3 * prime, c12=bulk_modulus - 2 / 3 * prime, c44=c44))
        assert have.bulk == pytest.approx(bulk_modulus, rel=1e-3)
        assert have.shear == pytest.approx(row['G_VRH'], rel=1e-3)
        assert have.poisson == pytest.approx(row['poisson_ratio'], abs=2e-3)
        assert have.anisotropy == pytest.approx(row['elastic_anisotropy'], abs=2e-2, rel=1e-2)


@pytest.mark.parametrize('cell', ['unstable', 'borderline'])
def test_an_unstable_crystal_has_no_moduli(cell: str) -> None:
    have = moduli(tensor(c11=100, c12=130 if cell == 'unstable' else 100, c44=50))
    assert have.stability == pytest.approx(-30 if cell == 'unstable' else 0, abs=1e-9)
    assert (have.bulk, have.shear, have.young, have.poisson, have.anisotropy, have.hardness) == (None,) * 6


@pytest.mark.parametrize('wrong', [np.eye(3), np.full((6, 6), np.nan), [[1, 2]]])
def test_what_is_no_tensor_is_refused(wrong: Any) -> None:
    with pytest.raises(ElasticityError, match='6 × 6 finite numbers'):
        moduli(wrong)


def turned(crystal: Crystal, seed: int) -> tuple[Crystal, NDArray[np.float64]]:
    """The crystal in another orientation, and the rotation."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return Crystal(crystal.lattice @ rotation.T, crystal.species, crystal.frac_coords), rotation


def made(group: str, lattice: Lattice) -> Crystal:
    sites = [[0.0, 0.0, 0.0], [0.13, 0.27, 0.41]]
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, ['Na', 'Cl'], sites))


CRYSTALS = {
    'silicon': (
        Crystal.from_pymatgen(Structure.from_spacegroup('Fd-3m', Lattice.cubic(5.43), ['Si'], [[0] * 3])),
        2,
        3,
    ),
    'primitive copper': (Crystal(bulk('Cu').cell[:], ('Cu',), [[0.0, 0.0, 0.0]]), 2, 3),
    'T symmetry': (made('P23', Lattice.cubic(6.0)), 2, 3),
    'magnesium': (Crystal(bulk('Mg').cell[:], ('Mg', 'Mg'), bulk('Mg').get_scaled_positions()), 4, 5),
    'quartz-like': (made('P3_121', Lattice.hexagonal(4.9, 5.4)), 4, 6),
    'S6': (made('P-3', Lattice.hexagonal(4.9, 5.4)), 4, 7),
    'tetragonal': (made('P4/mmm', Lattice.tetragonal(4.0, 5.0)), 4, 6),
    'C4h': (made('P4/m', Lattice.tetragonal(4.0, 5.0)), 4, 7),
    'orthorhombic': (made('Pmmm', Lattice.orthorhombic(4.0, 5.0, 6.0)), 6, 9),
    'monoclinic': (made('P2/m', Lattice.monoclinic(4.0, 5.0, 6.0, 100.0)), 8, 13),
    'triclinic': (made('P-1', Lattice.from_parameters(4, 5, 6, 80, 95, 100)), 12, 21),
}


def invariant(crystal: Crystal, constants: NDArray[np.float64]) -> ElasticTensor:
    """The mean of a tensor over the point group, made by pymatgen."""
    full = ElasticTensor.from_voigt(constants)
    return ElasticTensor(np.mean([full.rotate(operation) for operation in point_group(crystal)[0]], axis=0))


@pytest.mark.parametrize('name', CRYSTALS)
@pytest.mark.parametrize('seed', [None, 1, 2])
def test_a_tensor_is_found_again_from_the_fewest_deformations(name: str, seed: int | None) -> None:
    crystal, number, constants = CRYSTALS[name]
    crystal = crystal if seed is None else turned(crystal, seed)[0]
    strains = deformations(crystal)
    assert LEAST_DEFORMATIONS <= len(strains) == number <= MOST_DEFORMATIONS
    random = np.random.default_rng(3).normal(size=(6, 6))
    true = invariant(crystal, random @ random.T * 20 + 50 * np.eye(6))
    rotations = [_rotation(operation) for operation in point_group(crystal)[0]]
    assert len(_invariant_tensors(rotations)) == constants
    pressure = -0.3 * np.eye(3)
    stresses = [pressure + np.einsum('ijkl,kl->ij', true, strain) for strain in strains]
    found, residual = fit_tensor(crystal, strains, stresses)
    assert found == pytest.approx(true.voigt, abs=1e-6)
    assert residual < 1e-9
    # errors of second order in the strain drop out
    bent = [stress + 1e4 * strain @ strain for stress, strain in zip(stresses, strains, strict=True)]
    assert fit_tensor(crystal, strains, bent)[0] == pytest.approx(true.voigt, abs=1e-6)


@pytest.mark.parametrize('name', CRYSTALS)
def test_fewer_deformations_do_not_determine_it(name: str) -> None:
    crystal = CRYSTALS[name][0]
    # of a pair the second one is needed where it is alone, for a stress without strain is not known
    strains = deformations(crystal)
    strains = strains[: max(1, len(strains) - 2)]
    with pytest.raises(ElasticityError, match=r'do not determine the [0-9]+ elastic constants'):
        fit_tensor(crystal, strains, [np.zeros((3, 3))] * len(strains))


def test_moduli_do_not_depend_on_the_orientation() -> None:
    crystal, rotation = turned(CRYSTALS['silicon'][0], 5)
    rotated = ElasticTensor.from_voigt(SILICON).rotate(rotation).voigt
    strains = deformations(crystal)
    full = ElasticTensor.from_voigt(rotated)
    found, _ = fit_tensor(crystal, strains, [np.einsum('ijkl,kl->ij', full, strain) for strain in strains])
    have, want = moduli(found), moduli(SILICON)
    assert (have.stability, have.shear, have.hardness) == pytest.approx((want.stability, want.shear, want.hardness))


def test_deforming_and_measuring_the_strain() -> None:
    crystal = turned(CRYSTALS['triclinic'][0], 4)[0]
    for strain in deformations(crystal, 0.01):
        assert strain == pytest.approx(strain.T)
        assert strain_of(crystal, deformed(crystal, strain).lattice) == pytest.approx(strain)


@pytest.mark.parametrize(
    ('strains', 'stresses', 'match'),
    [
        ([], [], 'no deformation has a stress'),
        ([np.eye(3)], [], '1 strains, but 0 stresses'),
        ([np.eye(3)], [np.full((3, 3), np.inf)], 'a stress must be 3 × 3 finite numbers'),
    ],
)
def test_wrong_input(strains: Any, stresses: Any, match: str) -> None:
    with pytest.raises(ElasticityError, match=match):
        fit_tensor(CRYSTALS['silicon'][0], strains, stresses)
