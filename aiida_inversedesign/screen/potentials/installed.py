"""The potentials that this package knows. Their packages are installed where the jobs run."""

from __future__ import annotations

from aiida_inversedesign.campaign.contracts.potential import Potential

#: Energies of both universal potentials refer to data of the Materials Project.
SEVENNET = Potential(
    name='sevennet',
    calculator='sevenn.calculator:SevenNetCalculator',
    arguments={'model': '7net-0_11Jul2024', 'device': 'cpu'},
    distribution='sevenn',
    weights='sevenn/pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth',
    sha256='7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36',
    licence='MIT',
    convention='total energies of PBE and PBE+U calculations of the Materials Project (MPtrj), without corrections',
    install='sevenn',
    citations=('sevennet2024',),
)
CHGNET = Potential(
    name='chgnet',
    calculator='chgnet.model.dynamics:CHGNetCalculator',
    arguments={'use_device': 'cpu'},
    distribution='chgnet',
    weights='chgnet/pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar',
    sha256='d14ab7c0f093efe64b60a7bcd540bca10e74fb7f46c86108a079af60524659d1',
    licence='BSD-3-Clause',
    convention='energies of the Materials Project (MPtrj) with its corrections for oxides and anions',
    install='chgnet',
    citations=('chgnet2023',),
)
EMT = Potential(
    name='emt',
    calculator='ase.calculators.emt:EMT',
    distribution='ase',
    licence='LGPL-2.1-or-later',
    convention='energies of effective medium theory, for a few metals; quick, for tests and lessons',
    elements=frozenset(('Al', 'Cu', 'Ag', 'Au', 'Ni', 'Pd', 'Pt', 'H', 'C', 'N', 'O')),
    install='ase',
    citations=('emt1996',),
)
