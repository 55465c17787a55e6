"""Properties as pure functions."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_inversedesign.campaign.contracts.engine import Jobs, engine_named
from aiida_inversedesign.campaign.properties import PROPERTIES, required_stages
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.common.crystal_properties import (
    TooFewBandsError,
    band_gap,
    formation_energy,
    properties_record,
    structural_properties,
)
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso
from aiida_inversedesign.engines.table.settings import Table


def test_lattice_constant_is_that_of_the_conventional_cell() -> None:
    atoms = bulk('Si', 'diamond', 5.431)
    found = structural_properties(Crystal(atoms.cell[:], ('Si', 'Si'), atoms.get_scaled_positions()))
    assert found['lattice_constant'] == pytest.approx(5.431)
    assert found['space_group'] == 227
    assert found['volume'] == pytest.approx(5.431**3 / 8)
    assert found['density'] == pytest.approx(2.329, abs=0.01)


def test_stages_and_job_counts() -> None:
    qe = QuantumEspresso(engine='quantumespresso', pw='pw@x', pseudos='p', eos_points=9)
    assert required_stages(['band_gap']) == {'relax'}
    assert required_stages(['bulk_modulus', 'formation_energy']) == {'relax', 'eos', 'references'}
    assert required_stages(['colour']) == {'relax'}
    pw, ase, table = (engine_named(name) for name in ('quantumespresso', 'ase', 'table'))
    assert pw.jobs(qe, ['volume']) == Jobs(2, 2)
    assert pw.jobs(qe, ['bulk_modulus', 'volume']) == Jobs(11, 11)
    first = QuantumEspresso(engine='quantumespresso', pw='pw@x', pseudos='p', prerelax={'code': 'python@x'})
    assert pw.jobs(first, ['volume']) == Jobs(3, 2)
    assert ase.jobs(Ase(engine='ase', code='p'), ['bulk_modulus']) == Jobs(1, 0)
    assert table.jobs(Table(engine='table', data='d'), ['K_VRH']) == Jobs(0, 0)


def test_band_gap_by_counting() -> None:
    levels = np.array([[-5.0, 1.0, 3.0], [-4.0, 0.5, 2.5]])
    assert band_gap(levels, 4) == pytest.approx(1.5)
    assert band_gap(levels, 3) == 0
    assert band_gap(np.array([[-5.0, 1.0, 3.0], [-4.0, -2.0, 0.5]]), 4) == 0
    with pytest.raises(TooFewBandsError, match='3 filled bands'):
        band_gap(levels, 6)


def test_band_gap_of_two_spins_uses_both() -> None:
    up = np.array([[-5.0, 1.0, 3.0]])
    down = np.array([[-4.0, 2.0, 4.0]])
    assert band_gap(np.array([up, down]), 3, 1.0) == pytest.approx(1.0)
    assert band_gap(np.array([up, down]), 3, 0.5) == 0


def test_formation_energy() -> None:
    assert formation_energy({'Si': 1, 'C': 1}, -5.2, {'Si': -4.0, 'C': -6.0}) == pytest.approx(-0.2)
    with pytest.raises(KeyError):
        formation_energy({'Si': 1}, -5, {'C': -6})


def test_a_record_has_value_unit_and_source() -> None:
    record = properties_record({'bulk_modulus': 430, 'volume': 5.7}, {'bulk_modulus': 'equation_of_state'})
    assert record['bulk_modulus'] == {'value': 430.0, 'unit': 'GPa', 'source': 'equation_of_state'}
    assert record['volume']['source'] == 'relax'
    assert set(record) <= set(PROPERTIES)
