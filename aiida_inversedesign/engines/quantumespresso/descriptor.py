"""What the engine ``quantumespresso`` says of itself. Imports no aiida."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from aiida_inversedesign.campaign.contracts.engine import Engine, JobKind, Jobs, Need, Repeatable
from aiida_inversedesign.campaign.properties import PROPERTIES, own_stages, property_text, required_stages
from aiida_inversedesign.campaign.section import ContradictionError
from aiida_inversedesign.chemistry.magnetism import magnetic_elements
from aiida_inversedesign.engines.common.paper import listed
from aiida_inversedesign.engines.common.properties import (
    DENSITIES_OF_STATES,
    ELASTICITY,
    ELECTRONS,
    MECHANICAL,
    PHONON_PROPERTIES,
    PHONONS,
    names,
    not_of_the_space,
)
from aiida_inversedesign.engines.common.protocols import protocol_inputs
from aiida_inversedesign.engines.quantumespresso import reasons
from aiida_inversedesign.engines.quantumespresso.error_block import error_block
from aiida_inversedesign.engines.quantumespresso.reasons import DOS, PROJWFC, PW
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso

#: The relaxation is two jobs: a loose one, then one in the basis and k-mesh of its result.
RELAX_JOBS = 2

#: Above the jobs of a relaxation: evaluation, ``PwRelaxWorkChain``, ``PwBaseWorkChain``.
RELAX_PARENTS = 3

#: Single points run at once where no scheduler queues them: they are short, and most of their time AiiDA is at work.
AT_ONCE_UNSCHEDULED = 2

#: Exit status of a relaxation that has made its ionic steps (``PwCalculation``'s ERROR_IONIC_CYCLE_EXCEEDED_NSTEP).
STEPS_USED = 502

#: ``PwCalculation``'s ERROR_IONIC_CONVERGENCE_REACHED_EXCEPT_IN_FINAL_SCF: the first relaxation, in the basis of the
#: crystal as proposed, often ends so; the second one begins from its result.
RESIDUAL = frozenset({501})

#: Largest distance between k-points, Å⁻¹, with which a gap is accepted: that of the coarsest protocol. Measured with
#: pw.x, the gap of silicon (PBE 0.62 eV) and of silicon compressed to a = 5.10 Å (0.18 eV) is off by 0.01 and 0.01 eV
#: at 0.15, by 0.01 and 0.08 at 0.30, by 0.12 and 0.01 at 0.5, by 0.10 and 0.18 at 0.9. Cold smearing of 0.0275 Ry
#: shifts it by less than 5 meV up to 0.30, since bands are filled by counting: it is not a reason to refuse.
COARSEST_MESH = 0.30

#: Of a molecule in its box.
OF_MOLECULES = frozenset(('total_energy', 'energy', 'homo_lumo_gap', 'homo', 'lumo'))

_PACKAGE = 'aiida_inversedesign.engines'
_KPOINTS = 'aiida_quantumespresso.calculations.functions.create_kpoints_from_distance'


class QuantumEspressoEngine(Engine):
    """Relaxation and further properties with pw.x; molecules by their lowest conformer in a box."""

    name = 'quantumespresso'
    spaces = ('crystals', 'molecules')
    section = QuantumEspresso
    workchain = 'inversedesign.evaluate.quantumespresso'
    runs_stages = True
    first_child = 'relax'
    job_kinds = (
        JobKind('aiida.calculations:inversedesign.ase', 'prerelax', 'pre-relaxation', 'prerelax'),
        # a slice is directly below the evaluation: with its steps made it has done what it should
        JobKind(PW, 'relax', 'relaxation', r'relax(_slice_\d+)?/[^/]+', True, frozenset({STEPS_USED}), RESIDUAL),
        JobKind(PW, 'relax', 'relaxation', r'relax/.+', True, residual=RESIDUAL),
        JobKind(PW, 'equation_of_state', 'equation of state', r'eos_\d+/.+', True),
        JobKind(PW, 'elastic', 'elastic constants', r'stage_elastic_.+', True),
        JobKind(PW, 'density_of_states', 'density of states', r'stage_density_of_states/.+', True),
        JobKind(DOS, 'dos', 'sum over states', r'stage_density_of_states/.+'),
        JobKind(PROJWFC, 'projwfc', 'projection onto orbitals', r'stage_density_of_states/.+'),
        JobKind(PW, 'phonons', 'phonons', r'stage_phonons_.+', True),
        JobKind(PW, 'further', 'further property', r'stage_.+', True),
        JobKind(PW, 'other', 'other', is_dft=True),
    )
    # what cutoffs were computed with is compared by `equal`, whoever chose them
    not_physical = frozenset(
        ('max_restarts', 'npool', 'pw', 'dos', 'projwfc', 'cutoff_wfc', 'cutoff_rho', 'shared_cutoffs')
    )
    repeatable = (
        Repeatable('evaluation', f'{_PACKAGE}.common.calcfunctions', 'scaled_structures', finding='structure'),
        Repeatable(
            'evaluation', f'{_PACKAGE}.common.calcfunctions', 'fit_equation_of_state', finding='equation_of_state'
        ),
        Repeatable('evaluation', f'{_PACKAGE}.common.calcfunctions', 'relaxed_properties', finding='property'),
        Repeatable(
            'evaluation',
            f'{_PACKAGE}.quantumespresso.molecules',
            'place_in_box',
            tolerance=1e-5,
            finding='property',
        ),
        Repeatable('evaluation', f'{_PACKAGE}.quantumespresso.molecules', 'box_properties', finding='property'),
        Repeatable('evaluation', f'{_PACKAGE}.quantumespresso.outlook', 'relaxation_outlook', finding='property'),
        Repeatable(
            'evaluation',
            _KPOINTS,
            'create_kpoints_from_distance',
            finding='settings',
            entry_point='aiida.calculations:quantumespresso.create_kpoints_from_distance',
        ),
    )
    protocols = f'{_PACKAGE}.quantumespresso'
    settle = f'{_PACKAGE}.quantumespresso.shared_cutoffs:settle'
    prepare = f'{_PACKAGE}.quantumespresso.pseudopotentials:prepare'
    examine = f'{_PACKAGE}.quantumespresso.pseudopotentials:examine'
    tries = f'{_PACKAGE}.quantumespresso.pseudopotentials:tries'
    equal = f'{_PACKAGE}.quantumespresso.pseudopotentials:same_pseudopotentials'
    methods = f'{_PACKAGE}.quantumespresso.paper:methods'
    citations = f'{_PACKAGE}.quantumespresso.paper:citations'

    def properties(self, section: QuantumEspresso) -> frozenset[str]:
        """Everything that the package knows of crystals, and orbitals of molecules."""
        return MECHANICAL | names(ELASTICITY, ELECTRONS, DENSITIES_OF_STATES, PHONON_PROPERTIES) | OF_MOLECULES

    def needs(self, section: QuantumEspresso) -> tuple[Need, ...]:
        """pw.x, dos.x and projwfc.x where they are named, and a Python with ASE where a pre-relaxation is asked for."""
        pw = Need('code', 'code', 'evaluate.pw', section.pw, 'quantumespresso.pw')
        found = [pw]
        for key, label in (('dos', section.dos), ('projwfc', section.projwfc)):
            if label is not None:
                found.append(Need(f'{key}_code', 'code', f'evaluate.{key}', label, f'quantumespresso.{key}'))
        if section.prerelax is not None:
            path = 'evaluate.prerelax.code'
            found.append(Need('prerelax_code', 'code', path, section.prerelax.code, 'inversedesign.ase'))
        return tuple(found)

    def jobs(self, section: QuantumEspresso, properties: Iterable[str]) -> Jobs:
        """Two relaxations, the single points of an equation of state, stages of properties; the pre-relaxation too.

        Of a molecule one relaxation; where the energy alone is asked for, it is counted as a crystal.
        """
        asked = self.computed(section, properties)
        if OF_MOLECULES >= set(asked) != {'energy'}:
            return Jobs(1, 1)
        charged = RELAX_JOBS + self.jobs_after_relaxation(section, asked)
        uncharged = sum(stage.uncharged for stage in own_stages(asked).values())
        return Jobs(charged + uncharged + int(section.prerelax is not None), charged)

    def least_jobs(self, section: QuantumEspresso, properties: Iterable[str]) -> Jobs:
        """With the stages' fewest jobs."""
        asked = self.computed(section, properties)
        most = self.jobs(section, asked)
        spared = sum(stage.jobs - stage.least for stage in own_stages(asked).values() if stage.least)
        return Jobs(most.total - spared, most.charged - spared)

    def jobs_after_relaxation(self, section: QuantumEspresso, properties: Iterable[str]) -> int:
        """DFT jobs that follow the relaxation, at most."""
        asked = self.computed(section, properties)
        points = section.eos_points if 'eos' in required_stages(asked) else 0
        return points + sum(stage.jobs for stage in own_stages(asked).values())

    def most_jobs(self, section: QuantumEspresso, properties: Iterable[str]) -> Jobs:
        """Every chain restarted; a relaxation in slices takes as many of them as it may."""
        once = self.jobs(section, properties)
        slices = 0 if section.slices is None else section.slices.at_most - RELAX_JOBS
        charged = (once.charged + slices) * (1 + section.max_restarts)
        return Jobs(charged + once.total - once.charged, charged)

    def slots(self, section: QuantumEspresso, properties: Iterable[str], queued: bool) -> tuple[int, int]:
        """Three parents of a relaxation, or the evaluation and a ``PwBaseWorkChain`` for each job that follows."""
        asked = self.computed(section, properties)
        stages = [stage.jobs for stage in own_stages(asked).values() if stage.crystals]
        points = max([section.eos_points if 'eos' in required_stages(asked) else 0, *stages])
        points = points if queued else min(AT_ONCE_UNSCHEDULED, points)
        return max(RELAX_PARENTS, 1 + points), max(1, points)

    def explain(self, process_type: str, exit_status: int | None) -> str:
        """Exit codes of aiida-quantumespresso."""
        return reasons.explain(process_type, exit_status)

    def quote(self, process_type: str, text: str) -> str:
        """The error block of pw.x, dos.x and their like, whatever calculation ran them."""
        return error_block(text)

    def contradictions(self, section: QuantumEspresso, others: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """Giving up needs a bound, an insulator with spin its moment; molecules have orbitals, crystals volumes."""
        slices, goal = section.slices, others.get('goal')
        if {'goal', 'space'} <= set(others):
            yield from not_of_the_space(others, self.name, self.properties(section), OF_MOLECULES)
            yield from self._of_molecules(section, others['space'])
        if slices is not None and slices.give_up and goal is not None and goal.energy_limit is None:
            yield ContradictionError(
                'needs a goal that bounds formation_energy or e_above_hull from above, such as a constraint with max: '
                'nothing else tells which relaxation is hopeless',
                ('evaluate', 'slices', 'give_up'),
            )
        if section.spin and section.electronic_type == 'insulator':
            yield ContradictionError(
                'needs electronic_type metal or automatic: the moment of an insulator is not known',
                ('evaluate', 'spin'),
            )

    @staticmethod
    def _of_molecules(section: QuantumEspresso, space: Any) -> Iterator[ContradictionError]:
        if space.kind != 'molecules':
            return
        for key in ('slices', 'prerelax'):
            if getattr(section, key) is not None:
                yield ContradictionError('is for crystals, and the space has molecules: remove it', ('evaluate', key))
        if section.spin:
            yield ContradictionError('molecules are computed without spin: write false', ('evaluate', 'spin'))
        if space.radicals:
            yield ContradictionError(
                'the engine quantumespresso computes molecules without spin: write false', ('space', 'radicals')
            )
        if space.charged and section.assume_isolated == 'none':
            yield ContradictionError(
                'must be martyna-tuckerman for molecules with a charge: their images would attract the background',
                ('evaluate', 'assume_isolated'),
            )

    def unanswered(self, section: QuantumEspresso, name: str) -> str:
        """A moment without spin, a gap on a coarse mesh, orbitals without the level of the vacuum."""
        item, distance = PROPERTIES[name], kpoints_distance(section)
        if name in ('homo', 'lumo') and section.assume_isolated == 'none':
            return 'counts from the vacuum, whose level needs evaluate.assume_isolated: martyna-tuckerman'
        if missing := [key for key in item.codes if getattr(section, key) is None]:
            codes = ', '.join(f'evaluate.{key}: {key}@localhost' for key in missing)
            return f'needs {" and ".join(f"{key}.x" for key in missing)}: name the code, e.g. {codes}'
        if item.stage is PHONONS and find_spec('aiida_phonopy') is None:
            return 'needs aiida-phonopy, which is not installed: pip install aiida-inversedesign[phonons-dft]'
        if item.spin and not section.spin:
            return (
                'is 0 by construction in a calculation without spin, whatever the crystal: write evaluate.spin: true '
                '(with electronic_type metal or automatic)'
            )
        if item.bands and distance > COARSEST_MESH + 1e-9:
            return (
                f'cannot be determined with evaluate.kpoints_distance {distance:g} Å⁻¹: so few k-points miss the edges '
                f'of the bands; at most {COARSEST_MESH:g} is accepted, and a gap below 0.5 eV needs 0.15 or less'
            )
        return ''

    def remarks(
        self, section: QuantumEspresso, properties: Iterable[str], elements: Collection[str]
    ) -> Iterator[tuple[str, str]]:
        """Magnetic elements without spin, gaps of bands that were filled with smearing."""
        magnetic = magnetic_elements(elements)
        if magnetic and not section.spin:
            one = len(magnetic) == 1
            yield (
                f'{listed(magnetic)} may carry {"a magnetic moment" if one else "magnetic moments"}, which '
                'calculations without spin polarisation leave out: energies, volumes, bulk moduli and gaps of '
                f'crystals with {"it" if one else "them"} can be far off',
                'write evaluate.spin: true',
            )
        asked = [property_text(name) for name in properties if name in PROPERTIES and PROPERTIES[name].bands]
        if asked and section.electronic_type == 'metal':
            yield (
                f'{listed(asked)} is read by counting the bands of calculations with smeared occupations, on k-points '
                f'that are {kpoints_distance(section):g} Å⁻¹ apart: an upper bound of the gap',
                '',
            )

    def gives_up(self, section: QuantumEspresso) -> bool:
        """With slices, unless it is switched off."""
        return section.slices is not None and section.slices.give_up is not False


def kpoints_distance(section: QuantumEspresso) -> float:
    """The distance between k-points, Å⁻¹: the section's own, else that of its protocol."""
    own = section.kpoints_distance
    return float(protocol_inputs('quantumespresso', section.protocol)['kpoints_distance'] if own is None else own)


def dense_distance(settings: Mapping[str, Any]) -> float:
    """The distance between k-points of densities of states, Å⁻¹: the settings' own, or no coarser than of energies."""
    own, usual = settings.get('dos_kpoints_distance'), settings.get('kpoints_distance')
    protocol = protocol_inputs('quantumespresso', settings['protocol'])
    return float(min(protocol['dos_kpoints_distance'], usual or protocol['kpoints_distance']) if own is None else own)


ENGINE = QuantumEspressoEngine()
