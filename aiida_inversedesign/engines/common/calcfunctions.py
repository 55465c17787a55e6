"""Calculation functions that turn what an engine computed into properties, so that each can be run again."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from aiida.engine import ExitCode, calcfunction
from aiida.orm import ArrayData, BandsData, Dict, Float, Int, List, StructureData, TrajectoryData

from aiida_inversedesign.campaign.curves.curve import CurveError
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.engines.common.crystal_properties import (
    TooFewBandsError,
    band_gap,
    formation_energy,
    properties_record,
    structural_properties,
)
from aiida_inversedesign.engines.common.eos import (
    EosError,
    compare_forms,
    errors_with_forms,
    fit_birch_murnaghan,
    volume_factors,
)
from aiida_inversedesign.nodes.curves import curves_of
from aiida_inversedesign.nodes.structures import crystal_of, structure_of

#: Exit status of a fit that cannot be trusted.
NO_EQUATION_OF_STATE = 410


@calcfunction
def scaled_structures(structure: StructureData, points: Int, strain: Float) -> dict[str, StructureData]:
    """The crystal at each volume of the equation of state, shape and fractional coordinates unchanged.

    :returns: ``eos_00`` (smallest) … , one structure per volume.
    """
    crystal = crystal_of(structure)
    return {
        f'eos_{index:02d}': structure_of(crystal.scaled_to(crystal.volume * factor))
        for index, factor in enumerate(volume_factors(points.value, strain.value))
    }


@calcfunction
def fit_equation_of_state(structure: StructureData, floor: Float | None = None, **points: Dict) -> Dict | ExitCode:
    """The Birch–Murnaghan fit through single points.

    :param structure: the crystal the volumes were scaled from, for the number of atoms.
    :param floor: least deviation of one energy (eV/atom), with which errors are computed and other forms compared.
        Fits of earlier versions have none, and neither of the two.
    :param points: ``output_parameters`` of each single point: ``energy`` (eV) and ``volume`` (Å³) of the cell.
    """
    atoms = len(structure.sites)
    results = [points[label].get_dict() for label in sorted(points)]
    volumes, energies = ([point[name] / atoms for point in results] for name in ('volume', 'energy'))
    return _fit(volumes, energies, floor)


@calcfunction
def fit_scan(scan: Dict, floor: Float | None = None) -> Dict | ExitCode:
    """The same fit for a scan made in one job: ``volumes`` (Å³/atom) and ``energies`` (eV/atom)."""
    return _fit(scan['volumes'], scan['energies'], floor)


def _fit(volumes: list[float], energies: list[float], floor: Float | None) -> Dict | ExitCode:
    try:
        fit = fit_birch_murnaghan(volumes, energies)
        errors = {} if floor is None else _errors(volumes, energies, floor.value)
    except EosError as error:
        return ExitCode(NO_EQUATION_OF_STATE, str(error))
    return Dict(
        {
            **errors,
            'form': 'third-order Birch-Murnaghan',
            'volumes': volumes,
            'energies': energies,
            'V0': fit.volume,
            'E0': fit.energy,
            'B0': fit.bulk_modulus,
            'B0_prime': fit.derivative,
            'residual': fit.residual,
            'units': {'V0': 'Å^3/atom', 'E0': 'eV/atom', 'B0': 'GPa', 'residual': 'eV/atom'},
        }
    )


def _errors(volumes: list[float], energies: list[float], floor: float) -> dict[str, Any]:
    """Standard errors of a fit, in the units of its values, and what other forms make of the energies."""
    fit = fit_birch_murnaghan(volumes, energies, floor)
    forms = compare_forms(volumes, energies, floor)
    return {
        'errors': {**fit.errors, **errors_with_forms(fit, forms)},
        'noise': fit.noise,
        'degrees_of_freedom': fit.degrees,
        'forms': {
            form.name: {
                'B0': form.modulus,
                'error': form.error,
                'B0_prime': form.derivative,
                'residual': form.residual,
                'probability': form.probability,
            }
            for form in forms
        },
    }


@calcfunction
def relaxed_properties(
    structure: StructureData,
    output_parameters: Dict,
    trajectory: TrajectoryData,
    bands: BandsData | None = None,
    equation_of_state: Dict | None = None,
    references: Dict | None = None,
) -> Dict:
    """Every property that a relaxation with pw.x and what followed it yield.

    The band gap is that of the k-mesh of the relaxation's final self-consistent calculation, no finer one.

    :param output_parameters: of the relaxation; its energies are those of the final self-consistent calculation.
    :param trajectory: of the relaxation; its last stress (GPa) and forces (eV/Å) belong to the same calculation.
    """
    crystal, output = crystal_of(structure), output_parameters.get_dict()
    values = structural_properties(crystal)
    values['energy'] = output['energy'] / crystal.nsites
    values['pressure'] = float(np.trace(trajectory.get_array('stress')[-1]) / 3)
    values['max_force'] = float(np.linalg.norm(trajectory.get_array('forces')[-1], axis=1).max())
    values['magnetization'] = abs(output.get('absolute_magnetization') or 0.0) / crystal.nsites
    if bands is not None:
        electrons, magnetization = output['number_of_electrons'], output.get('total_magnetization') or 0.0
        # without an empty band the gap is not known: it is left out rather than guessed
        with contextlib.suppress(TooFewBandsError):
            values['band_gap'] = band_gap(bands.get_bands(), electrons, magnetization)
    return Dict(_complete(crystal, values, equation_of_state, references))


@calcfunction
def job_properties(
    structure: StructureData,
    results: Dict,
    equation_of_state: Dict | None = None,
    references: Dict | None = None,
) -> Dict:
    """Every property that a job of the ``ase`` engine yields: its own results and the structure's."""
    crystal = crystal_of(structure)
    values = structural_properties(crystal)
    # a calculator without stress knows no pressure
    values |= {name: results[name] for name in ('energy', 'pressure', 'max_force') if name in results.get_dict()}
    return Dict(_complete(crystal, values, equation_of_state, references))


def _complete(
    crystal: Crystal, values: dict[str, float], equation_of_state: Dict | None, references: Dict | None
) -> dict[str, dict[str, Any]]:
    """Add what comes from the equation of state and the references, and say where each value comes from."""
    sources: dict[str, str] = {}
    errors: dict[str, float] = {}
    if equation_of_state is not None:
        fitted = {'bulk_modulus': 'B0', 'bulk_modulus_derivative': 'B0_prime', 'eos_residual': 'residual'}
        values |= {name: equation_of_state[key] for name, key in fitted.items()}
        sources |= dict.fromkeys(fitted, 'equation_of_state')
        known = equation_of_state.get_dict().get('errors', {})
        errors = {name: known[key] for name, key in fitted.items() if key in known}
    if references is not None:
        values['formation_energy'] = formation_energy(crystal.counts, values['energy'], references.get_dict())
        sources['formation_energy'] = 'relax and references'
    return properties_record(values, sources, errors=errors)


@calcfunction
def add_properties(properties: Dict, **found: Dict) -> Dict:
    """The properties of an engine with further ones.

    :param found: values by property name, by what they come from: ``stage_<name>`` or ``derive_<name>``; ``reason``
        is none of them, nor is ``units``, which names units of numbers of curves.
    """
    record = properties.get_dict()
    for source, node in found.items():
        values = node.get_dict()
        values.pop('reason', None)
        units = values.pop('units', {})
        record |= properties_record(values, dict.fromkeys(values, source), units)
    return Dict(record)


@calcfunction
def numbers_of_curves(curves: ArrayData, settings: Dict) -> Dict:
    """The numbers of curves that a goal asks for, by name, with their ``units``; ``reason`` says why one is missing.

    :param settings: the section ``evaluate``, in which ``functionals`` says what they are.
    """
    known, reasons = curves_of(curves), []
    found: dict[str, Any] = {'units': {}}
    for name, asked in settings['functionals'].items():
        try:
            curve, functional = known[asked['property']], Functional.from_dict(asked)
            found[name] = functional.of_curve(curve)
            found['units'][name] = functional.unit(curve.unit, curve.axis)
        except KeyError:
            reasons.append(f'{asked["property"]} is not among its curves ({", ".join(known)})')
        except CurveError as error:
            reasons.append(str(error))
    return Dict(found | ({'reason': '; '.join(reasons)} if reasons else {}))


def wanted(properties: List) -> list[str]:
    """The names asked for, without repeats."""
    return list(dict.fromkeys(properties.get_list()))
