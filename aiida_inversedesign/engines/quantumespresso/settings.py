"""The section ``evaluate`` of the engine ``quantumespresso``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.section import Count, Finite, Integer, Model, Positive
from aiida_inversedesign.engines.ase.settings import Prerelax


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


class QuantumEspresso(EngineSection):
    """Relaxation and further properties with pw.x."""

    engine: Literal['quantumespresso'] = Field(description='density functional theory with pw.x')
    pw: str = Field(description='label of the pw.x code, e.g. pw@localhost')
    pseudos: str = Field(description='label of the pseudopotential family')
    protocol: Literal['fast', 'balanced', 'stringent'] = Field(
        'balanced', description='cutoffs, k-points and thresholds, as aiida-quantumespresso defines them'
    )
    electronic_type: Literal['metal', 'insulator', 'automatic'] = Field(
        'metal',
        description='metal: smeared occupations; insulator: fixed ones; automatic: by the gap of the relaxed crystal',
    )
    spin: bool = Field(False, description='collinear spin polarisation')
    kpoints_distance: Positive | None = Field(None, description='Å^-1; default: that of the protocol')
    cutoff_wfc: Positive | None = Field(None, description='Ry; default: the recommendation of the family')
    cutoff_rho: Positive | None = Field(None, description='Ry; default: the recommendation of the family')
    shared_cutoffs: bool | None = Field(
        None,
        description='whether cutoffs that are not named are the same in every calculation: the largest that the family '
        'recommends for an element of the space; default: if the goal compares energies of different compositions, '
        'such as formation energies. Otherwise each crystal has those of its own elements',
    )
    eos_points: Annotated[Integer, Field(ge=5, le=21)] = Field(7, description='volumes of the equation of state')
    eos_strain: Annotated[Finite, Field(gt=0.005, le=0.3)] = Field(0.06, description='largest relative volume change')
    max_restarts: Annotated[Integer, Field(ge=0, le=10)] = Field(2, description='restarts of one calculation')
    dos: str | None = Field(None, description='label of the dos.x code: densities of states need it')
    projwfc: str | None = Field(None, description='label of the projwfc.x code: with it they are projected')
    dos_kpoints_distance: Positive | None = Field(
        None, description='Å^-1, between the k-points of densities of states; default: that of the protocol'
    )
    phonon_supercell: Annotated[Finite, Field(gt=0, le=100)] = Field(
        10.0, description='Å, least length of each axis of the supercells of phonons'
    )
    functionals: dict[str, dict[str, Any]] = Field({}, description='filled in from the goal')
    npool: Count | None = Field(None, description='k-point pools among which pw.x shares its processes')
    vacuum: Annotated[Finite, Field(ge=4, le=50)] = Field(
        10.0, description='Å between a molecule and its images: the edge of the cubic box is its extent and this'
    )
    assume_isolated: Literal['none', 'martyna-tuckerman'] = Field(
        'martyna-tuckerman',
        description='of molecules: whether their images are taken away. The box is then at least twice the molecule',
    )
    conformers: Annotated[Integer, Field(ge=1, le=500)] = Field(
        20, description='conformers of a molecule that are embedded; the lowest by a force field is relaxed'
    )
    prerelax: Prerelax | None = Field(None, description='relax with an ASE calculator first; default: do not')
    slices: Slices | None = Field(None, description='relax in slices; default: each relaxation in one piece')
