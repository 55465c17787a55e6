"""The job of the ``ase`` engine: relaxation and volume scan with any ASE calculator on any computer."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elasticity import deformations
from aiida_inversedesign.engines.ase.molecules import in_vacuum
from aiida_inversedesign.engines.common.eos import volume_factors
from aiida_inversedesign.engines.common.phonons import as_asked
from aiida_inversedesign.nodes.structures import crystal_of, structure_of
from aiida_inversedesign.processes.script_job import ScriptCalculation, ScriptParser, define_crystal_and_settings


class AseCalculation(ScriptCalculation):
    """Relaxes a crystal with the calculator named in the settings; the code is a Python interpreter with ASE."""

    SCRIPT = 'relax_ase.py'

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        define_crystal_and_settings(spec)
        spec.input('scan', valid_type=orm.Bool, help='Whether to compute the energy over volumes as well.')
        given = {
            'elastic': (
                orm.Bool,
                'Whether to compute stresses under strain too, as many as the symmetry asks for.',
            ),
            'phonons': (orm.Bool, 'Whether to compute phonons as well.'),
            'importable': (orm.Str, 'Import path of the calculator, if it is none of ASE: `package.module:Class`.'),
            'conformer': (orm.Dict, '`charge` and `unpaired` electrons: the structure is a molecule in vacuum.'),
        }
        for name, (node_class, text) in given.items():
            spec.input(name, valid_type=node_class, required=False, help=text)
        spec.output('structure', valid_type=orm.StructureData, help='The relaxed crystal.')
        spec.output(
            'results', valid_type=orm.Dict, help='Energy (eV/atom), pressure (GPa), force (eV/Å), versions, wall time.'
        )
        found = {
            'scan': '`volumes` (Å³/atom) and `energies` (eV/atom).',
            'deformed': '`strains` and `stresses` (GPa, positive under tension), each 3 × 3; or the `reason` why not.',
            'phonons': '`lowest` frequency (THz), `density` of states per THz and cell; or the `reason` why not.',
        }
        for name, text in found.items():
            spec.output(name, valid_type=orm.Dict, required=False, help=text)
        spec.inputs['metadata']['options']['parser_name'].default = 'inversedesign.ase'
        spec.exit_code(
            310, 'ERROR_CALCULATOR_MISSING', message='the ASE calculator {name!r} cannot be used here: {reason}'
        )
        spec.exit_code(311, 'ERROR_CRASH', message='the calculator stopped with an error: {reason}')
        spec.exit_code(
            410, 'ERROR_NOT_CONVERGED', message='the relaxation did not converge within {steps} steps (evaluate.steps)'
        )

    def job_input(self) -> dict[str, Any]:
        """The crystal, the calculator, the volumes and the strains."""
        settings = self.inputs.settings.get_dict()
        # only a scan needs volumes: the settings of a pre-relaxation name none
        factors = volume_factors(settings['eos_points'], settings['eos_strain']) if self.inputs.scan else []
        if 'conformer' in self.inputs:
            return self._molecule(settings)
        crystal = crystal_of(self.inputs.structure)
        # no symmetry that the crystal has now is lost in the relaxation
        elastic = 'elastic' in self.inputs and self.inputs.elastic.value
        names = ('calculator', 'arguments', 'fmax', 'steps', 'relax_cell')
        return (
            crystal.to_dict()
            | {name: settings[name] for name in names}
            | {
                'volume_factors': factors,
                'strains': [strain.tolist() for strain in deformations(crystal)] if elastic else [],
                'phonons': self._phonons(settings),
                'importable': self.inputs.importable.value if 'importable' in self.inputs else '',
            }
        )

    def _molecule(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The same for a molecule, which has no cell to relax, to scale or to strain."""
        atoms, conformer = self.inputs.structure.get_ase(), self.inputs.conformer
        return {
            'lattice': atoms.cell.tolist(),
            'species': atoms.get_chemical_symbols(),
            'frac_coords': atoms.get_scaled_positions(wrap=False).tolist(),
            **{name: settings[name] for name in ('calculator', 'arguments', 'fmax', 'steps')},
            'relax_cell': False,
            'molecule': {'charge': conformer['charge'], 'unpaired': conformer['unpaired']},
            'volume_factors': [],
            'strains': [],
            'importable': self.inputs.importable.value if 'importable' in self.inputs else '',
        }

    def _phonons(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Supercell and axis of phonons, if they are asked for."""
        if 'phonons' not in self.inputs or not self.inputs.phonons.value:
            return {}
        return {'supercell': settings['phonon_supercell'], **as_asked()}


class AseParser(ScriptParser):
    """Turns ``results.json`` of :class:`AseCalculation` into nodes."""

    def parse_results(self, results: dict[str, Any]) -> ExitCode | None:
        """Attach the relaxed crystal and its numbers, or say what went wrong."""
        settings = self.node.inputs.settings.get_dict()
        numbers = (
            *('energy', 'pressure', 'max_force', 'homo', 'lumo', 'homo_lumo_gap', 'dipole', 'separated'),
            *('steps', 'converged', 'versions', 'wall_time_seconds'),
        )
        self.out('results', orm.Dict({name: results[name] for name in numbers if name in results}))
        if 'missing_calculator' in results:
            return self.exit_codes.ERROR_CALCULATOR_MISSING.format(
                name=settings['calculator'], reason=results['missing_calculator']
            )
        if 'crash' in results:
            return self.exit_codes.ERROR_CRASH.format(reason=results['crash'])
        if 'conformer' in self.node.inputs:
            self.out('structure', in_vacuum(results['species'], results['positions']))
        else:
            self.out('structure', structure_of(Crystal.from_dict(results)))
        if not results['converged']:
            return self.exit_codes.ERROR_NOT_CONVERGED.format(steps=settings['steps'])
        if 'scan' in results:
            self.out('scan', orm.Dict(results['scan']))
        for name in ('deformed', 'phonons'):
            if name in results:
                self.out(name, orm.Dict(results[name]))
        return None
