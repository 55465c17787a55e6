"""Whether a relaxation is hopeless, from trajectories as pw.x leaves them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from aiida_inversedesign.engines.common.eos import GPA


def trajectory(energies: list[float], stresses: list[float], frames: int | None = None) -> Any:
    """Two atoms of silicon in a cell that does not change, hydrostatic stresses in GPa."""
    from aiida.orm import StructureData, TrajectoryData

    structure = StructureData(ase=bulk('Si', 'diamond', 5.43))
    steps = len(stresses) if frames is None else frames
    node = TrajectoryData()
    node.set_trajectory(
        symbols=['Si', 'Si'],
        positions=np.array([[site.position for site in structure.sites]] * steps),
        stepids=np.arange(steps),
        pbc=[True] * 3,
        cells=np.array([structure.cell] * steps),
    )
    node.set_array('energy', np.array(energies))
    node.set_array('forces', np.zeros((len(energies), 2, 3)))
    node.set_array('stress', np.array([np.eye(3) * value for value in stresses]))
    return node


def look(limit: float, *trajectories: Any) -> Any:
    from aiida.orm import Dict, Float, StructureData

    from aiida_inversedesign.engines.quantumespresso.outlook import relaxation_outlook

    return relaxation_outlook.run_get_node(
        structure=StructureData(ase=bulk('Si', 'diamond', 5.43)),
        references=Dict({'Si': -10.0}),
        energy_limit=Dict({'value': limit, 'condition': f'formation_energy of at most {limit:g} eV/atom'}),
        margin=Float(0.05),
        **{f'slice_{number:03d}': item for number, item in enumerate(trajectories, 1)},
    )[1]


#: eV in the cell of two atoms, and GPa: on the way to −9.7 eV/atom
ENERGIES, STRESSES = [-18.0, -19.0, -19.3, -19.39], [20.0, 8.0, 3.0, 0.1]


def test_a_relaxation_far_above_its_bound_is_hopeless(aiida_profile_clean: Any) -> None:
    found = look(-1.0, trajectory(ENERGIES, STRESSES)).outputs.result.get_dict()
    assert found['hopeless']
    assert found['steps'] == 4
    assert found['formation_energy'] == pytest.approx(10 - 19.39 / 2)
    assert -1.0 + 0.05 < found['optimistic_formation_energy'] < found['formation_energy']
    assert 'after 4 ionic steps the formation energy is 0.305 eV/atom' in found['reason']
    assert found['reason'].endswith('but the goal asks for formation_energy of at most -1 eV/atom')


def test_one_that_may_come_below_it_is_not(aiida_profile_clean: Any) -> None:
    estimate = look(-1.0, trajectory(ENERGIES, STRESSES)).outputs.result['optimistic_formation_energy']
    for limit, hopeless in ((estimate + 0.01, False), (estimate - 0.04, False), (estimate - 0.06, True)):
        found = look(limit, trajectory(ENERGIES, STRESSES)).outputs.result.get_dict()
        assert found['hopeless'] is hopeless
        assert bool(found['reason']) is hopeless


def test_without_an_estimate_nothing_is_concluded(aiida_profile_clean: Any) -> None:
    found = look(-9.0, trajectory(ENERGIES[:2], STRESSES[:2])).outputs.result.get_dict()
    assert found['optimistic_formation_energy'] is None
    assert (found['hopeless'], found['reason']) == (False, '')


def test_slices_are_taken_together_in_their_order_and_spare_frames_left_out(aiida_profile_clean: Any) -> None:
    whole = look(-1.0, trajectory(ENERGIES, STRESSES)).outputs.result.get_dict()
    # pw.x repeats the last energy, or adds that of the final calculation
    sliced = look(-1.0, trajectory([*ENERGIES[:2], -19.0], STRESSES[:2]), trajectory(ENERGIES[2:], STRESSES[2:]))
    assert sliced.outputs.result.get_dict() == whole


def test_the_stress_is_read_in_gpa(aiida_profile_clean: Any) -> None:
    from aiida_inversedesign.engines.quantumespresso.outlook import steps_of

    assert steps_of(trajectory([-18.0], [GPA]))[0].stress == pytest.approx(1 / 3)


def test_numbers_that_are_none_end_in_an_exit_code(aiida_profile_clean: Any) -> None:
    node = look(-1.0, trajectory([float('nan'), *ENERGIES[1:]], STRESSES))
    assert node.exit_status == 420
    assert 'not a finite number' in node.exit_message
