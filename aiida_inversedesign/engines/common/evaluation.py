"""The engine contract: inputs, outputs and exit codes that every ``inversedesign.evaluate.*`` shares."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import CalcJob, ExitCode, ToContext

from aiida_inversedesign.campaign.properties import required_stages
from aiida_inversedesign.engines.common.calcfunctions import wanted
from aiida_inversedesign.engines.common.cleaning import is_to_be_cleaned, remote_folders, remove_folders
from aiida_inversedesign.engines.common.crystal_properties import missing_references
from aiida_inversedesign.engines.common.further import FurtherProperties
from aiida_inversedesign.engines.common.limits import LimitError, allot
from aiida_inversedesign.engines.common.options import job_options, processes, wall_seconds
from aiida_inversedesign.graph.diagnosis import core_seconds, explain, jobs_below
from aiida_inversedesign.nodes.structures import crystal_of
from aiida_inversedesign.processes.attempts import attempt_label, is_due
from aiida_inversedesign.processes.earlier_attempts import folders_before


class EvaluateWorkChain(FurtherProperties):
    """Computes the properties of one crystal.

    An engine subclasses it, declares what it needs below ``engine`` and writes an outline that starts with
    ``check_inputs`` and ends with ``finish``. Whatever goes wrong, it ends with an exit code whose message says why in
    plain words.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('candidate', valid_type=orm.Data, help='What is evaluated: a crystal as proposed, or a point.')
        spec.input('properties', valid_type=orm.List, help='Names of the properties that are wanted.')
        spec.input('settings', valid_type=orm.Dict, help='The `evaluate` section of the campaign file.')
        given = {
            'limits': '`dft_calculations` and `core_hours` this evaluation never exceeds; null or missing: no limit.',
            'references': 'Energy of each elemental crystal in eV/atom at the same settings, for the formation energy.',
            'energy_limit': '`value`, the highest formation energy (eV/atom) of a hit, and `condition`, what it '
            'follows from; an engine may give up a crystal that cannot come below it.',
        }
        for name, text in given.items():
            spec.input(name, valid_type=orm.Dict, required=False, help=text)
        spec.input_namespace('engine', dynamic=True, help='What the engine computes with: codes or data.')
        found = {
            'relaxed': (orm.Data, 'The candidate as the evaluation left it: a relaxed crystal.'),
            'properties': (
                orm.Dict,
                '`value`, `unit` and `source` of every property that is known, also of those not asked for.',
            ),
            'curves': (
                orm.ArrayData,
                'Properties that are functions: an array of values and one of points of the axis for each.',
            ),
            'elastic_tensor': (
                orm.Dict,
                '`tensor` (6 × 6, GPa, order xx yy zz yz xz xy, axes of the cell), strains, stresses and residual.',
            ),
            'phonopy_data': (
                orm.ArrayData,
                'Supercells, displacements and forces of phonons, a PhonopyData of aiida-phonopy.',
            ),
        }
        for name, (node_class, text) in found.items():
            spec.output(name, valid_type=node_class, required=False, help=text)
        spec.exit_code(300, 'ERROR_UNKNOWN_PROPERTY', message='this engine does not compute {names}')
        spec.exit_code(301, 'ERROR_MISSING_REFERENCES', message='the formation energy needs references of {elements}')
        spec.exit_code(302, 'ERROR_INVALID_SETTINGS', message='the settings cannot be used: {reason}')
        spec.exit_code(303, 'ERROR_LIMIT_REACHED', message='stopped to keep the budget: {reason}')
        spec.exit_code(304, 'ERROR_PRERELAXATION_FAILED', message='the pre-relaxation failed: {reason}')
        spec.exit_code(305, 'ERROR_NO_CONFORMER', message='the molecule has no usable coordinates: {reason}')
        spec.exit_code(310, 'ERROR_RELAXATION_FAILED', message='the relaxation failed: {reason}')
        spec.exit_code(311, 'ERROR_JOB_FAILED', message='the evaluation failed: {reason}')
        spec.exit_code(312, 'ERROR_NO_ENTRY', message='the data set has no answer: {reason}')
        spec.exit_code(313, 'ERROR_GIVEN_UP', message='the relaxation was given up: {reason}')
        spec.exit_code(410, 'ERROR_EQUATION_OF_STATE', message='relaxed, but there is no equation of state: {reason}')
        spec.exit_code(411, 'ERROR_MISSING_PROPERTY', message='relaxed, but {names} could not be determined{reason}')

    def check_inputs(self) -> ExitCode | None:
        """See that every property is one this engine computes and that its references are there."""
        names, (engine, section) = wanted(self.inputs.properties), self.engine()
        if unknown := [name for name in names if not engine.yields(section, name)]:
            return self.exit_codes.ERROR_UNKNOWN_PROPERTY.format(names=', '.join(unknown))
        if 'references' in required_stages(names):
            elements = crystal_of(self.inputs.candidate).counts
            references = self.inputs.references.get_dict() if 'references' in self.inputs else None
            if missing := missing_references(elements, references):
                return self.exit_codes.ERROR_MISSING_REFERENCES.format(elements=', '.join(missing))
        return None

    def on_terminated(self) -> None:
        """Remove the folders of the jobs if the campaign asks for it; what fails there is no failure of this."""
        super().on_terminated()
        if not is_to_be_cleaned(self.inputs.settings['clean_workdir'], self.node):
            return
        removed, problems = remove_folders(remote_folders(jobs_below(self.node)))
        for problem in problems:
            self.report(f'folders could not be removed: {problem}; `aiida-inversedesign clean` tries again')
        self.report(f'removed the folders of {removed} jobs')

    def needs(self, stage: str) -> bool:
        """Whether a property that was asked for needs this stage."""
        return stage in required_stages(wanted(self.inputs.properties))

    def limit(self, name: str) -> Any:
        """One of the hard limits of this evaluation, or None."""
        return self.inputs.limits.get_dict().get(name) if 'limits' in self.inputs else None

    def known_references(self) -> dict[str, orm.Dict]:
        """The reference energies as a keyword argument, if they hold every element of the crystal."""
        if 'references' not in self.inputs:
            return {}
        missing = missing_references(crystal_of(self.inputs.candidate).counts, self.inputs.references.get_dict())
        return {} if missing else {'references': self.inputs.references}

    def job_is_due(self) -> bool:
        """Whether the one job of an engine that needs no more is to be submitted, for the first time or once more."""
        job, attempts = self.ctx.get('job'), self.ctx.get('attempts', 0)
        left = self._job_limit()
        return is_due(job, attempts) and (job is None or left is None or attempts < left)

    def _job_limit(self) -> int | None:
        """The limit on DFT calculations, if the one job counts against it."""
        engine, section = self.engine()
        charged = engine.jobs(section, wanted(self.inputs.properties)).charged
        return self.limit('dft_calculations') if charged else None

    def job_seconds(self) -> int:
        """Wall time that the limits of this evaluation leave to its one job, after the attempts that were lost.

        :raises LimitError: if they leave no job, or too short a time for one.
        """
        settings = self.inputs.settings.get_dict()
        jobs, hours = self._job_limit(), self.limit('core_hours')
        spent = [] if 'job' not in self.ctx else list(jobs_below(self.node))
        return allot(
            chains=1,
            later=0,
            max_restarts=0,
            max_seconds=wall_seconds(settings),
            processes=processes(settings),
            jobs_left=None if jobs is None else jobs - len(spent),
            core_hours_left=None if hours is None else hours - sum(map(core_seconds, spent)) / 3600,
        ).seconds

    def submit_job(self, job: type[CalcJob], **inputs: Any) -> ToContext | ExitCode:
        """Submit the one job of an engine that needs no more, as the child ``relax`` and in the context as ``job``.

        One that was lost to its machine is submitted again as ``relax_attempt_2``, and so on; where the limits leave no
        job, the evaluation ends.

        :param inputs: what it takes beside code and settings; ``structure`` instead of the candidate, if it is another.
        """
        try:
            seconds = self.job_seconds()
        except LimitError as error:
            return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=error)
        number = self.ctx.get('attempts', 0) + 1
        earlier = folders_before(self.ctx.get('job'), attempt_label('relax', number - 1))
        node = self.submit_once(
            attempt_label('relax', number),
            job,
            code=self.inputs.engine.code,
            structure=inputs.pop('structure', self.inputs.candidate),
            settings=self.inputs.settings,
            metadata={
                'options': job_options(self.inputs.settings.get_dict(), seconds, self.inputs.engine.code.with_mpi)
            },
            **earlier,
            **inputs,
        )
        self.ctx.attempts = number
        lost = f'{explain(self.ctx.job)}: ' if number > 1 else ''
        self.report(f'{lost}launching {job.__name__}<{node.pk}>')
        return ToContext(job=node)
