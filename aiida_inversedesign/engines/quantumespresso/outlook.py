"""What a relaxation that goes on can still reach, against what the goal asks for."""

from __future__ import annotations

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, Float, StructureData, TrajectoryData

from aiida_inversedesign.engines.common.crystal_properties import formation_energy
from aiida_inversedesign.engines.common.eos import GPA
from aiida_inversedesign.engines.quantumespresso.laqa import (
    IonicStep,
    TrajectoryError,
    ionic_steps,
    laqa_score,
    optimistic_energy,
)
from aiida_inversedesign.nodes.structures import crystal_of


@calcfunction
def relaxation_outlook(
    structure: StructureData, references: Dict, energy_limit: Dict, margin: Float, **trajectories: TrajectoryData
) -> Dict | ExitCode:
    """Whether a relaxation may still come below the highest formation energy that a hit can have.

    :param structure: the crystal that is relaxed.
    :param references: energy of each elemental crystal, eV/atom.
    :param energy_limit: ``value`` (eV/atom) and ``condition``, in words.
    :param margin: eV/atom by which the estimate must be above the limit for the relaxation to be hopeless.
    :param trajectories: of its slices so far, one after the other in the order of their names.
    :returns: ``steps``, ``formation_energy`` (the lowest of the last slice) and ``optimistic_formation_energy`` (None
        where there is no estimate), both eV/atom, ``limit``, ``laqa_score``, ``hopeless``, and ``reason`` in words if
        it is.
    """
    counts = crystal_of(structure).counts
    try:
        slices = [steps_of(trajectories[name]) for name in sorted(trajectories)]
    except TrajectoryError as error:
        return ExitCode(420, str(error))
    steps = [step for made in slices for step in made]
    reached = formation_energy(counts, min(step.energy for step in slices[-1]), references.get_dict())
    energy = optimistic_energy(steps, since=len(steps) - len(slices[-1]))
    optimistic = None if energy is None else formation_energy(counts, energy, references.get_dict())
    hopeless = optimistic is not None and optimistic > energy_limit['value'] + margin.value
    reason = ''
    if hopeless:
        reason = (
            f'after {len(steps)} ionic steps the formation energy is {reached:.3f} eV/atom and at best falls to '
            f'{optimistic:.3f}, but the goal asks for {energy_limit["condition"]}'
        )
    return Dict(
        {
            'steps': len(steps),
            'formation_energy': reached,
            'optimistic_formation_energy': optimistic,
            'limit': energy_limit['value'],
            'laqa_score': laqa_score(steps),
            'hopeless': hopeless,
            'reason': reason,
        }
    )


def steps_of(trajectory: TrajectoryData) -> list[IonicStep]:
    """The ionic steps of a pw.x job: its trajectory has the energy in eV, forces in eV/Å and the stress in GPa.

    Only frames with all of them are steps: after the last there is the final calculation in the new basis, or the last
    once more.
    """
    energies, forces = trajectory.get_array('energy'), trajectory.get_array('forces')
    stresses, cells = trajectory.get_array('stress') / GPA, trajectory.get_cells()
    steps = min(len(item) for item in (energies, forces, stresses, cells))
    return ionic_steps(energies[:steps], forces[:steps], stresses[:steps], cells[:steps])
