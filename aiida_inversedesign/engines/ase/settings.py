"""The settings of an ASE calculator, and the section ``evaluate`` of the engine ``ase``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from aiida_inversedesign.campaign.engine_settings import EngineSection, Options
from aiida_inversedesign.campaign.section import (
    ContradictionError,
    Count,
    Finite,
    Integer,
    Model,
    Positive,
    refuse,
)

#: Calculators of ASE (3.29) that have energies and forces, but no stress.
WITHOUT_STRESS = frozenset(
    (
        *('ace', 'amber', 'demon', 'demonnano', 'dmol', 'ff', 'gamess_us', 'gaussian', 'gromacs', 'mopac', 'psi4'),
        *('qchem', 'tip3p', 'tip4p', 'turbomole'),
    )
)


def _command(name: str, item: float | int | str | bool) -> ContradictionError | None:
    """What is wrong with an argument of a calculator, if anything."""
    if not re.fullmatch(r'[A-Za-z_]\w{0,49}', name) or re.search(r'command|cmd|exec|binary|profile', name, re.I):
        return ContradictionError(
            f'{name[:60]!r} may not be set here: commands are set up on the computer, for ASE or the code'
        )
    if isinstance(item, str) and not re.fullmatch(r'[\w.:+-]{0,60}', item):
        return ContradictionError('only single words and numbers, no paths, addresses or commands', (name,))
    if isinstance(item, float) and not math.isfinite(item):
        return ContradictionError('the number must be finite', (name,))
    return None


class Calculator(Model):
    """An ASE calculator and how it relaxes."""

    code: str = Field(description='label of a Python code with ASE installed')
    calculator: Annotated[str, Field(pattern=r'^[A-Za-z][A-Za-z0-9_]{0,49}$')] = Field(
        'emt',
        description='name in the list of ASE, or of a calculator that was set up with the code '
        '(aiida-inversedesign calculators add)',
    )
    arguments: dict[str, float | int | str | bool] = Field(
        {}, description='of the calculator: numbers and single words; no commands, no paths'
    )
    fmax: Positive = Field(0.02, description='largest force after the relaxation, eV/Å')
    steps: Count = Field(300, description='most relaxation steps')
    relax_cell: bool = Field(True, description='whether the cell is relaxed too; needs a calculator with stress')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if self.relax_cell and self.calculator in WITHOUT_STRESS:
            yield ContradictionError(
                'computes no stress, without which no cell can be relaxed: write relax_cell: false, or take another '
                'calculator',
                ('calculator',),
            )

    @field_validator('arguments')
    @classmethod
    def _no_commands(cls, value: dict[str, float | int | str | bool]) -> dict[str, float | int | str | bool]:
        """A campaign file is data: what starts a program or names a file to load is set up on the computer."""
        refuse('arguments', (found for name, item in value.items() if (found := _command(name, item)) is not None))
        return value


class Prerelax(Calculator):
    """A cheap relaxation, with an interatomic potential for example, that DFT then starts from."""

    fmax: Positive = Field(0.05, description='largest force after the relaxation, eV/Å')
    steps: Count = Field(200, description='most relaxation steps; what they reach is taken')
    options: Options = Field(Options(), description='scheduler options of its jobs')


class Ase(Calculator, EngineSection):
    """Any ASE calculator, as a job on any computer."""

    engine: Literal['ase'] = Field(description='a calculator of ASE')
    eos_points: Annotated[Integer, Field(ge=5, le=21)] = Field(7, description='volumes of the equation of state')
    eos_strain: Annotated[Finite, Field(gt=0.005, le=0.3)] = Field(0.06, description='largest relative volume change')
    conformers: Annotated[Integer, Field(ge=1, le=500)] = Field(
        20, description='conformers of a molecule that are embedded; the lowest by a force field is relaxed'
    )
    phonon_supercell: Annotated[Finite, Field(gt=0, le=100)] = Field(
        10.0, description='Å, least length of each axis of the supercells of phonons'
    )
    functionals: dict[str, dict[str, Any]] = Field({}, description='filled in from the goal')
