"""Density of states of a relaxed crystal: pw.x twice, then dos.x, then projwfc.x where it is there.

What is computed is in :mod:`aiida_inversedesign.chemistry.density_of_states`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ToContext, calcfunction, if_
from aiida_quantumespresso.calculations.dos import DosCalculation
from aiida_quantumespresso.calculations.projwfc import ProjwfcCalculation
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

from aiida_inversedesign.campaign.curves.curve import Curve
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.chemistry.density_of_states import (
    HIGHEST,
    LOWEST,
    STEP,
    bands_needed,
    complete_up_to,
    on_axis,
    reference_energy,
)
from aiida_inversedesign.engines.common.crystal_properties import band_gap
from aiida_inversedesign.engines.common.limits import Allotment
from aiida_inversedesign.engines.common.options import job_options
from aiida_inversedesign.engines.quantumespresso.descriptor import dense_distance
from aiida_inversedesign.engines.quantumespresso.pw_inputs import protocol_of, single_point_builder
from aiida_inversedesign.graph.diagnosis import explain
from aiida_inversedesign.nodes.curves import arrays_of
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain

#: Share of the time of pw.x that dos.x and projwfc.x may take each.
_SHARE_AFTER = 0.2
#: Exit status where there is no density of states.
NO_DENSITY = 410
_LETTERS = 'spdf'
_TOTAL = 'density_of_states'


class DensityOfStatesWorkChain(IdempotentWorkChain):
    """A self-consistent calculation, all bands on a denser mesh, and their density; the same order as PdosWorkChain.

    That one always needs projwfc.x, loses everything if it fails, and sums up all energies that pw.x found: with
    tetrahedra most of the time then goes into states that nobody asked for.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        for name in ('scf', 'nscf'):
            spec.expose_inputs(PwBaseWorkChain, namespace=name, exclude=('pw.parent_folder',))
        spec.expose_inputs(DosCalculation, namespace='dos', exclude=('parent_folder', 'parameters'))
        spec.expose_inputs(
            ProjwfcCalculation,
            namespace='projwfc',
            exclude=('parent_folder', 'parameters'),
            namespace_options={'required': False, 'populate_defaults': False},
        )
        spec.outline(
            cls.run_scf,
            cls.run_nscf,
            cls.run_dos,
            cls.inspect_dos,
            if_(cls.wants_projections)(cls.run_projwfc, cls.inspect_projwfc),
        )
        spec.output('parameters', valid_type=orm.Dict, help='Output of pw.x on the denser mesh.')
        spec.output('bands', valid_type=orm.BandsData, help='Bands on the denser mesh.')
        spec.output('dos', valid_type=orm.XyData, help='Total density of states, states/eV and cell.')
        for name in ('projections', 'projections_up', 'projections_down'):
            spec.output(name, valid_type=orm.ProjectionData, required=False, help='Projected onto atomic orbitals.')
        spec.exit_code(401, 'ERROR_PW', message='there is no density of states: {reason}')
        spec.exit_code(402, 'ERROR_DOS', message='dos.x gave no density of states: {reason}')

    def run_scf(self) -> Any:
        """The charge density."""
        return ToContext(scf=self.submit_once('scf', PwBaseWorkChain, **self.exposed_inputs(PwBaseWorkChain, 'scf')))

    def run_nscf(self) -> Any:
        """All bands on the denser mesh."""
        if not self.ctx.scf.is_finished_ok:
            return self.exit_codes.ERROR_PW.format(reason=explain(self.ctx.scf))
        inputs = self.exposed_inputs(PwBaseWorkChain, 'nscf')
        inputs['pw']['parent_folder'] = self.ctx.scf.outputs.remote_folder
        return ToContext(nscf=self.submit_once('nscf', PwBaseWorkChain, **inputs))

    def run_dos(self) -> Any:
        """Their density."""
        nscf = self.ctx.nscf
        if not nscf.is_finished_ok:
            return self.exit_codes.ERROR_PW.format(reason=explain(nscf))
        self.out('parameters', nscf.outputs.output_parameters)
        self.out('bands', nscf.outputs.output_band)
        return ToContext(dos=self._submit_after('dos', DosCalculation, 'DOS'))

    def inspect_dos(self) -> ExitCode | None:
        """Take the density."""
        if not self.ctx.dos.is_finished_ok:
            return self.exit_codes.ERROR_DOS.format(reason=explain(self.ctx.dos))
        self.out('dos', self.ctx.dos.outputs.output_dos)
        return None

    def wants_projections(self) -> bool:
        """Whether there is a projwfc.x."""
        return 'projwfc' in self.inputs

    def run_projwfc(self) -> Any:
        """Project onto atomic orbitals."""
        return ToContext(projwfc=self._submit_after('projwfc', ProjwfcCalculation, 'PROJWFC'))

    def inspect_projwfc(self) -> None:
        """Take the projections; without them the total density is still there."""
        if not self.ctx.projwfc.is_finished_ok:
            self.report(f'there are no projections: {explain(self.ctx.projwfc)}')
            return
        for name in ('projections', 'projections_up', 'projections_down'):
            if name in self.ctx.projwfc.outputs:
                self.out(name, self.ctx.projwfc.outputs[name])

    def _submit_after(self, name: str, process: Any, namelist: str) -> orm.ProcessNode:
        """Submit what reads the bands, for the energies of the axis."""
        outputs = self.ctx.nscf.outputs
        reference, _ = _reference(outputs.output_band, outputs.output_parameters)
        # one step more at either end, as the programs round
        low, high = reference + LOWEST - STEP, reference + HIGHEST + STEP
        energies = {'emin': round(low, 3), 'emax': round(high, 3), 'deltae': STEP}
        inputs = self.exposed_inputs(process, name)
        inputs['parent_folder'] = outputs.remote_folder
        return self.submit_once(name, process, parameters=orm.Dict({namelist: energies}), **inputs)


def density_of_states_inputs(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    settings: Mapping[str, Any],
    allotment: Allotment,
    dos_code: orm.AbstractCode,
    projwfc_code: orm.AbstractCode | None = None,
) -> tuple[type, dict[str, Any]]:
    """A :class:`DensityOfStatesWorkChain` within the limits: jobs of pw.x and those after it share their time."""
    protocol = protocol_of(settings)
    total = allotment.seconds * sum(allotment.jobs)
    seconds = int(allotment.seconds / (1 + 2 * _SHARE_AFTER))
    after = max(1, int(total * _SHARE_AFTER / (1 + 2 * _SHARE_AFTER)))
    insulator = settings['electronic_type'] == 'insulator'
    inputs: dict[str, Any] = {}
    distances = (protocol['kpoints_distance'], dense_distance(settings))
    for name, jobs, distance in zip(('scf', 'nscf'), allotment.jobs, distances, strict=True):
        builder = single_point_builder(code, structure, distance, settings, jobs, seconds, insulator)
        inputs[name] = builder._inputs(prune=True)
    pw = inputs['nscf']['pw']
    parameters = pw['parameters'].get_dict()
    parameters['CONTROL']['calculation'] = 'nscf'
    electrons = sum(pw['pseudos'][site.kind_name].z_valence for site in structure.sites)
    system = {name: value for name, value in parameters['SYSTEM'].items() if name not in ('smearing', 'degauss')}
    bands = bands_needed(electrons, structure.get_cell_volume())
    parameters['SYSTEM'] = system | {'occupations': 'tetrahedra_opt', 'nbnd': bands}
    pw['parameters'] = orm.Dict(parameters)
    for name, program in (('dos', dos_code), ('projwfc', projwfc_code)):
        if program is not None:
            options = job_options(settings, after, program.with_mpi)
            inputs[name] = {'code': program, 'metadata': {'options': options}}
    return DensityOfStatesWorkChain, inputs


@calcfunction
def density_of_states(
    structure: orm.StructureData,
    parameters: orm.Dict,
    bands: orm.BandsData,
    dos: orm.XyData,
    projections: orm.ProjectionData | None = None,
    projections_up: orm.ProjectionData | None = None,
    projections_down: orm.ProjectionData | None = None,
) -> dict[str, orm.Data] | ExitCode:
    """Densities of states per atom, energies from the reference; ``dos_at_fermi`` is 0 if there is a gap.

    :returns: ``result`` (``dos_at_fermi``, states/eV/atom) and ``curves``: the total, ``_up`` and ``_down`` for two
        spins; by angular momentum (``_s`` …) and by element and angular momentum (``_Cu_d`` …) where projected.
    """
    reference, gap = _reference(bands, parameters)
    atoms, complete = len(structure.sites), complete_up_to(bands.get_bands())
    if complete <= reference:
        return ExitCode(NO_DENSITY, f'the highest band lies {reference - complete:.2f} eV below the Fermi level')
    parts = []
    energies = dos.get_x()[1]
    for column, values, _ in dos.get_y():
        if column != 'integrated_dos':
            names = [_TOTAL] if column == 'dos' else [_TOTAL, f'{_TOTAL}_{column.removeprefix("dos_spin_")}']
            parts.append((names, energies, values))
    for node in filter(None, (projections, projections_up, projections_down)):
        for orbital, values, at in node.get_pdos():
            about = orbital.get_orbital_dict()
            letter, element = _LETTERS[about['angular_momentum']], structure.get_kind(about['kind_name']).symbol
            parts.append(([f'{_TOTAL}_{letter}', f'{_TOTAL}_{element}_{letter}'], at, values))
    sums: dict[str, Any] = {}
    for names, at, values in parts:
        axis, on_grid = on_axis(at, np.asarray(values) / atoms, reference, gap, complete)
        sums |= {name: sums.get(name, 0.0) + on_grid for name in names}
    known = PROPERTIES[_TOTAL]
    curves = {
        name: Curve.of(name, axis, values, known.curve_axis, known.unit, density=True) for name, values in sums.items()
    }
    at_fermi = 0.0 if gap > 0 else float(curves[_TOTAL].at(0.0)[0])
    return {'result': orm.Dict({'dos_at_fermi': at_fermi}), 'curves': arrays_of(curves)}


def _reference(bands: orm.BandsData, parameters: orm.Dict) -> tuple[float, float]:
    """What energies are counted from and the gap, eV."""
    levels, output = bands.get_bands(), parameters.get_dict()
    electrons, magnetization = output['number_of_electrons'], output.get('total_magnetization') or 0.0
    gap = band_gap(levels, electrons, magnetization)
    fermi = output.get('fermi_energy')
    if fermi is None:
        fermi = max(output['fermi_energy_up'], output['fermi_energy_down'])
    return reference_energy(levels, electrons, magnetization, gap, fermi), gap
