"""The section ``evaluate`` of the campaign file: what evaluates, and how."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from aiida_inversedesign.campaign.section import (
    ContradictionError,
    Count,
    Finite,
    Fraction,
    Integer,
    Model,
    Positive,
    Word,
    refuse,
)


class Options(Model):
    """Scheduler options of jobs; what is not named comes from the protocol (``evaluate/options.py``)."""

    num_machines: Count | None = Field(None, description='nodes of the cluster')
    num_mpiprocs_per_machine: Count | None = Field(None, description='MPI processes on each node')
    num_cores_per_mpiproc: Count | None = Field(None, description='cores of each MPI process')
    max_wallclock_seconds: Count | None = Field(None, description='longest run of one job')
    max_memory_gb: Positive | None = Field(None, description='memory on each node, GB')
    queue_name: Word | None = Field(None, description='queue, or partition')
    account: Word | None = Field(None, description='what the job is charged to')
    qos: Word | None = Field(None, description='quality of service')
    withmpi: bool | None = Field(None, description='default: what the code says, else with more than one process')


class Engine(Model):
    """What every engine may say."""

    reuse: bool = Field(
        False,
        description='whether evaluations that the profile has already, made with the same settings (of any campaign), '
        'are taken over instead of being computed again',
    )
    caching: bool = Field(
        False,
        description="whether AiiDA's caching of single jobs must be switched on in the profile; a launch without it is "
        'refused and told how',
    )
    options: Options = Options()
    clean_workdir: Literal['never', 'completed', 'always'] = Field(
        'never', description='whether the folders of its jobs on the computer are removed once an evaluation has ended'
    )
    free_space_gb: Annotated[Finite, Field(ge=0)] = Field(
        1.0, description="least free space, GB, on the profile's disk and where the computer runs its jobs"
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
        'emt', description='name for ase.calculators.calculator.get_calculator_class'
    )
    arguments: dict[str, float | int | str | bool] = Field(
        {}, description='of the calculator: numbers and single words; no commands, no paths'
    )
    fmax: Positive = Field(0.02, description='largest force after the relaxation, eV/Å')
    steps: Count = Field(300, description='most relaxation steps')
    relax_cell: bool = True

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
    options: Options = Options()


class Slices(Model):
    """A long relaxation in slices, given up when it cannot reach what the goal asks for (see docs/slices.md)."""

    steps: Annotated[Integer, Field(ge=2, le=100)] = Field(
        description='most ionic steps of one slice; the next begins at the crystal that the last one reached'
    )
    at_most: Annotated[Integer, Field(ge=2, le=100)] = Field(
        12, description='most slices of one relaxation; one that has not converged then has failed'
    )
    give_up: bool | None = Field(
        None,
        description='whether a relaxation ends as soon as even an optimistic estimate of its energy breaks the bound '
        'that the goal sets to formation_energy or e_above_hull; default: if the goal sets one',
    )
    margin: Annotated[Finite, Field(ge=0, le=10)] = Field(
        0.05, description='eV/atom by which the estimate must break the bound'
    )


class QuantumEspresso(Engine):
    """Relaxation and further properties with pw.x."""

    engine: Literal['quantumespresso']
    pw: str = Field(description='label of the pw.x code, e.g. pw@localhost')
    pseudos: str = Field(description='label of the pseudopotential family')
    protocol: Literal['fast', 'balanced', 'stringent'] = 'balanced'
    electronic_type: Literal['metal', 'insulator', 'automatic'] = 'metal'
    spin: bool = Field(False, description='collinear spin polarisation')
    kpoints_distance: Positive | None = Field(None, description='Å^-1; default: that of the protocol')
    cutoff_wfc: Positive | None = Field(None, description='Ry; default: the recommendation of the family')
    cutoff_rho: Positive | None = Field(None, description='Ry; default: the recommendation of the family')
    eos_points: Annotated[Integer, Field(ge=5, le=21)] = Field(7, description='volumes of the equation of state')
    eos_strain: Annotated[Finite, Field(gt=0.005, le=0.3)] = Field(0.06, description='largest relative volume change')
    max_restarts: Annotated[Integer, Field(ge=0, le=10)] = Field(2, description='restarts of one calculation')
    npool: Count | None = Field(None, description='k-point pools among which pw.x shares its processes')
    prerelax: Prerelax | None = Field(None, description='relax with an ASE calculator first; default: do not')
    slices: Slices | None = Field(None, description='relax in slices; default: each relaxation in one piece')


class Ase(Calculator, Engine):
    """Any ASE calculator, as a job on any computer."""

    engine: Literal['ase']
    eos_points: Annotated[Integer, Field(ge=5, le=21)] = 7
    eos_strain: Annotated[Finite, Field(gt=0.005, le=0.3)] = 0.06


class Table(Engine):
    """Looks the answers up in a data set: for rehearsals, benchmarks and tests."""

    engine: Literal['table']
    data: str = Field(description='label of a library that carries the properties')
    units: dict[str, str] = Field({}, description="unit of each of the data set's own properties")
    match: Literal['exact', 'structure'] = Field(
        'exact', description='find an entry by identical structure, or by StructureMatcher within the formula'
    )
    code: str | None = Field(None, description='label of a Python code; with it each look-up is a job')
    delay_seconds: Annotated[Finite, Field(ge=0, le=86400)] = Field(0.0, description='median duration of a look-up')
    delay_sigma: Annotated[Finite, Field(ge=0, le=3)] = Field(0.0, description='σ of its log-normal spread')
    fail_fraction: Fraction = Field(0.0, description='share of look-ups that fail on purpose')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if self.delay_seconds > 0 and self.code is None:
            yield ContradictionError('needs code: a look-up that takes time runs as a job', ('delay_seconds',))


Evaluate = Annotated[QuantumEspresso | Ase | Table, Field(discriminator='engine')]
