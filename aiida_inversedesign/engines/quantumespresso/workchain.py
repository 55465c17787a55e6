"""The ``quantumespresso`` engine: relaxation with pw.x, and single points where an equation of state is needed."""

from __future__ import annotations

from typing import Any, cast

from aiida import orm
from aiida.engine import ExitCode, ToContext, if_, while_
from aiida_quantumespresso.calculations.functions.create_kpoints_from_distance import create_kpoints_from_distance
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain
from aiida_quantumespresso.workflows.pw.relax import PwRelaxWorkChain

from aiida_inversedesign.chemistry.matching import same_crystal
from aiida_inversedesign.engines.ase.job import AseCalculation
from aiida_inversedesign.engines.common.calcfunctions import (
    fit_equation_of_state,
    relaxed_properties,
    scaled_structures,
    wanted,
)
from aiida_inversedesign.engines.common.crystal_properties import band_gap
from aiida_inversedesign.engines.common.eos import ENERGY_FLOOR, LEAST_POINTS
from aiida_inversedesign.engines.common.limits import LimitError, allot
from aiida_inversedesign.engines.common.options import job_options, processes, wall_seconds
from aiida_inversedesign.engines.quantumespresso.descriptor import AT_ONCE_UNSCHEDULED, ENGINE, RELAX_JOBS
from aiida_inversedesign.engines.quantumespresso.molecules import MoleculeInBox
from aiida_inversedesign.engines.quantumespresso.pw_inputs import protocol_of, relax_builder, single_point_builder
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso
from aiida_inversedesign.engines.quantumespresso.slices import SlicedRelaxation
from aiida_inversedesign.graph.diagnosis import explain
from aiida_inversedesign.nodes.structures import crystal_of

#: Relative difference of the volumes per atom up to which crystals that match are at the same point of their equation
#: of state: with a pressure derivative of 4 it changes a bulk modulus by 4 %; converged relaxations differ by a tenth.
SAME_VOLUME = 0.01


class QuantumEspressoEvaluateWorkChain(MoleculeInBox, SlicedRelaxation):
    """Relaxes a crystal with pw.x and computes its equation of state if a property needs it.

    Children: ``prerelax`` (:class:`~aiida_inversedesign.engines.ase.job.AseCalculation`) if the settings name one,
    ``relax`` (``PwRelaxWorkChain``; or, in slices, ``relax``, ``relax_slice_2`` …), ``eos_00`` …
    (``PwBaseWorkChain``, one for each volume), and ``stage_elastic_strain_00`` … (the same, one for each deformation).
    Of a molecule ``relax`` is a ``PwBaseWorkChain``.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('engine.code', valid_type=orm.AbstractCode, help='The code of pw.x.')
        spec.input(
            'engine.prerelax_code', valid_type=orm.AbstractCode, required=False, help='The Python of `prerelax`.'
        )
        spec.input(
            'engine.prerelax_calculator', valid_type=orm.Str, required=False, help='Import path of its calculator.'
        )
        spec.input_namespace('evaluated', required=False, help='What earlier evaluations of the formula have found.')
        spec.input_namespace('evaluated.relaxed', dynamic=True, valid_type=orm.StructureData, help='By candidate.')
        spec.input_namespace('evaluated.equation_of_state', dynamic=True, valid_type=orm.Dict, help='By candidate.')
        spec.outline(
            cls.check_inputs,
            cls.check_settings,
            if_(cls.is_molecule)(
                cls.embed_molecule,
                cls.run_molecule,
                cls.gather_molecule,
            ).else_(
                if_(cls.wants_prerelaxation)(
                    cls.run_prerelaxation,
                    cls.inspect_prerelaxation,
                ),
                if_(cls.wants_slices)(
                    while_(cls.needs_slice)(
                        cls.run_slice,
                        cls.inspect_slice,
                    ),
                ).else_(
                    cls.run_relax,
                    cls.inspect_relax,
                ),
                cls.look_for_known_crystal,
                if_(cls.needs_equation_of_state)(
                    cls.prepare_equation_of_state,
                    while_(cls.has_volumes_left)(
                        cls.run_single_points,
                        cls.inspect_single_points,
                    ),
                    cls.fit_energies,
                ),
                while_(cls.has_stage)(cls.run_stage, cls.inspect_stage),
                cls.gather_properties,
            ),
        )
        spec.output('equation_of_state', valid_type=orm.Dict, required=False, help='The fit and its points.')

    def check_settings(self) -> ExitCode | None:
        """Refuse what pw.x cannot do before anything runs."""
        settings = self.inputs.settings.get_dict()
        if settings['spin'] and settings['electronic_type'] == 'insulator':
            reason = 'spin: true needs electronic_type metal or automatic (the moment of an insulator is not known)'
            return self.exit_codes.ERROR_INVALID_SETTINGS.format(reason=reason)
        if self.wants_prerelaxation() and 'prerelax_code' not in self.inputs.engine:
            return self.exit_codes.ERROR_INVALID_SETTINGS.format(reason='prerelax needs engine.prerelax_code')
        return None

    def wants_prerelaxation(self) -> bool:
        """Whether the settings name a calculator to begin with."""
        return bool(self.inputs.settings['prerelax'])

    def run_prerelaxation(self) -> Any:
        """Submit the relaxation with an ASE calculator, within the core-hours that leave DFT its share."""
        settings = self.inputs.settings.get_dict()['prerelax']
        code, hours = self.inputs.engine.prerelax_code, self.limit('core_hours')
        try:
            allotment = allot(1, RELAX_JOBS, 0, wall_seconds(settings), processes(settings), None, hours)
        except LimitError as error:
            return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=error)
        importable = self.inputs.engine.get('prerelax_calculator')
        node = self.submit_once(
            'prerelax',
            AseCalculation,
            code=code,
            structure=self.inputs.candidate,
            settings=orm.Dict(settings),
            scan=orm.Bool(False),
            **({} if importable is None else {'importable': importable}),
            metadata={'options': job_options(settings, allotment.seconds, code.with_mpi)},
        )
        self.report(f'launching AseCalculation<{node.pk}>')
        return ToContext(prerelax=node)

    def inspect_prerelaxation(self) -> ExitCode | None:
        """Go on from what it reached, converged or not; where it reached nothing the evaluation has failed."""
        if 'structure' not in self.ctx.prerelax.outputs:
            return self.exit_codes.ERROR_PRERELAXATION_FAILED.format(reason=explain(self.ctx.prerelax))
        return None

    def run_relax(self) -> Any:
        """Submit the relaxation of cell and positions."""
        settings = self.inputs.settings.get_dict()

        def inputs() -> dict[str, Any]:
            allotment = self._allot(RELAX_JOBS, self.jobs_after_relaxation())
            builder = relax_builder(self.inputs.engine.code, self._start(), settings, allotment)
            return builder._inputs(prune=True)

        return self.launch_relaxation('relax', PwRelaxWorkChain, inputs)

    def inspect_relax(self) -> ExitCode | None:
        """Take the relaxed crystal, if there is one.

        The chain ends with 0 also where its last job ended with 501 (forces or pressure above their thresholds in the
        final calculation): the outputs are valid then, and ``pressure`` and ``max_force`` say how far off they are.
        """
        if failure := self.relaxation_failure('output_structure', 'output_parameters', 'output_trajectory'):
            return failure
        self.out('relaxed', self.ctx.relax.outputs.output_structure)
        return None

    def needs_equation_of_state(self) -> bool:
        """Whether a property that was asked for comes from the equation of state, and none was taken over."""
        return self.needs('eos') and 'equation_of_state' not in self.ctx

    def look_for_known_crystal(self) -> None:
        """Take the equation of state over of an earlier evaluation that ended in the same crystal."""
        known = self.inputs.get('evaluated', {}).get('relaxed', {})
        if not self.needs('eos') or not known:
            return
        relaxed = crystal_of(self.ctx.relax.outputs.output_structure)
        for name, node in sorted(known.items()):
            earlier = crystal_of(node)
            per_atom = relaxed.volume / relaxed.nsites, earlier.volume / earlier.nsites
            if abs(per_atom[0] / per_atom[1] - 1) <= SAME_VOLUME and same_crystal(relaxed, earlier):
                self.ctx.equation_of_state = self.inputs.evaluated.equation_of_state[name]
                self.out('equation_of_state', self.ctx.equation_of_state)
                self.report(f'the relaxed crystal is that of {name}: its equation of state is taken over')
                return

    def prepare_equation_of_state(self) -> ExitCode | None:
        """Make the scaled crystals, and the k-points of the relaxed one for all of them."""
        settings = self.inputs.settings.get_dict()
        try:
            points = settings['eos_points']
            allotment = self._allot(points, self.jobs_after_relaxation() - points)
        except LimitError as error:
            return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=error)
        relaxed = self.ctx.relax.outputs.output_structure
        self.ctx.jobs, self.ctx.seconds, self.ctx.submitted = list(allotment.jobs), allotment.seconds, 0
        self.ctx.volumes = self.run_once(
            'scale_volumes',
            scaled_structures,
            structure=relaxed,
            points=orm.Int(settings['eos_points']),
            strain=orm.Float(settings['eos_strain']),
        )
        self.ctx.kpoints = self.run_once(
            'create_kpoints',
            create_kpoints_from_distance,
            structure=relaxed,
            distance=orm.Float(protocol_of(settings)['kpoints_distance']),
            force_parity=orm.Bool(False),
        ).outputs.result
        self.ctx.insulator = self._is_insulator(settings)
        return None

    def has_volumes_left(self) -> bool:
        """Whether a volume has not been submitted yet."""
        return self.ctx.submitted < len(self.ctx.jobs)

    def run_single_points(self) -> Any:
        """Submit the next single points: all together, or two at a time where no scheduler would queue them."""
        code, settings, ctx = self.inputs.engine.code, self.inputs.settings.get_dict(), self.ctx
        labels = [f'eos_{index:02d}' for index in range(len(ctx.jobs))]

        def submit(index: int) -> orm.ProcessNode:
            label, structure = labels[index], ctx.volumes.outputs[labels[index]]
            jobs, seconds = ctx.jobs[index], ctx.seconds
            builder = single_point_builder(code, structure, ctx.kpoints, settings, jobs, seconds, ctx.insulator)
            return self.submit_once(label, PwBaseWorkChain, **builder._inputs(prune=True))

        return self.submit_next(labels, submit)

    def inspect_single_points(self) -> ExitCode | None:
        """Stop when so many single points failed that no fit is possible any more."""
        failed = [node for node in self._single_points().values() if not node.is_finished_ok]
        if len(self.ctx.jobs) - len(failed) < LEAST_POINTS:
            reason = f'{len(failed)} of {len(self.ctx.jobs)} single points failed; {explain(failed[0])}'
            return self._partial(self.exit_codes.ERROR_EQUATION_OF_STATE.format(reason=reason))
        return None

    def fit_energies(self) -> ExitCode | None:
        """Fit the Birch–Murnaghan equation of state."""
        points = {
            label: node.outputs.output_parameters
            for label, node in self._single_points().items()
            if node.is_finished_ok
        }
        relaxed = self.ctx.relax.outputs.output_structure
        floor = orm.Float(ENERGY_FLOOR)
        node = self.run_once('fit_equation_of_state', fit_equation_of_state, structure=relaxed, floor=floor, **points)
        if not node.is_finished_ok:
            return self._partial(self.exit_codes.ERROR_EQUATION_OF_STATE.format(reason=node.exit_message))
        self.ctx.equation_of_state = node.outputs.result
        self.out('equation_of_state', node.outputs.result)
        return None

    def gather_properties(self) -> ExitCode | None:
        """Attach the properties, and see that everything asked for is among them."""
        return self.finish(self._properties())

    def jobs_after_relaxation(self) -> int:
        """DFT jobs that have to follow the relaxation."""
        section = cast(QuantumEspresso, self.engine()[1])
        return ENGINE.jobs_after_relaxation(section, wanted(self.inputs.properties))

    def at_once(self) -> int | None:
        """All where a scheduler queues them."""
        return AT_ONCE_UNSCHEDULED if self.inputs.engine.code.computer.scheduler_type == 'core.direct' else None

    def stage_settings(self) -> dict[str, Any]:
        """With the occupations that single points have."""
        settings = self.inputs.settings.get_dict()
        return {**settings, 'electronic_type': 'insulator' if self._is_insulator(settings) else 'metal'}

    def _start(self) -> orm.StructureData:
        """The crystal that DFT starts from."""
        return self.ctx.prerelax.outputs.structure if 'prerelax' in self.ctx else self.inputs.candidate

    def _is_insulator(self, settings: dict[str, Any]) -> bool:
        """Whether the single points use fixed occupations: as the user said, or by the gap of the relaxed crystal."""
        outputs = self.ctx.relax.outputs
        if settings['electronic_type'] != 'automatic':
            return bool(settings['electronic_type'] == 'insulator')
        if settings['spin'] or 'output_band' not in outputs:
            return False
        electrons = outputs.output_parameters['number_of_electrons']
        return band_gap(outputs.output_band.get_bands(), electrons) > protocol_of(settings)['insulator_gap']

    def _single_points(self) -> dict[str, PwBaseWorkChain]:
        return {f'eos_{index:02d}': self.ctx[f'eos_{index:02d}'] for index in range(self.ctx.submitted)}

    def _properties(self) -> orm.Dict:
        """The properties of what is known so far."""
        outputs, known = self.ctx.relax.outputs, self.known_references()
        if 'output_band' in outputs:
            known['bands'] = outputs.output_band
        if 'equation_of_state' in self.ctx:
            known['equation_of_state'] = self.ctx.equation_of_state
        return self.run_once(
            'gather_properties',
            relaxed_properties,
            structure=outputs.output_structure,
            output_parameters=outputs.output_parameters,
            trajectory=outputs.output_trajectory,
            **known,
        ).outputs.result

    def _partial(self, exit_code: ExitCode) -> ExitCode:
        """Keep what the relaxation gave although what was asked for is missing."""
        self.out('properties', self._properties())
        return exit_code
