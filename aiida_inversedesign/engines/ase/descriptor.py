"""What the engine ``ase`` says of itself. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiida_inversedesign.campaign.contracts.engine import Engine, JobKind, Jobs, Need, Repeatable
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.section import ContradictionError
from aiida_inversedesign.engines.ase.settings import WITHOUT_STRESS, Ase
from aiida_inversedesign.engines.common.properties import (
    ELASTICITY,
    MECHANICAL,
    MOLECULES,
    PHONON_PROPERTIES,
    names,
    not_of_the_space,
)

_FUNCTIONS = 'aiida_inversedesign.engines.common.calcfunctions'
_MOLECULES = 'aiida_inversedesign.engines.ase.molecules'


class AseEngine(Engine):
    """Any ASE calculator, as a job on any computer; molecules by their lowest conformer."""

    name = 'ase'
    spaces = ('crystals', 'molecules')
    section = Ase
    workchain = 'inversedesign.evaluate.ase'
    first_child = 'relax'
    job_kinds = (JobKind('aiida.calculations:inversedesign.ase', 'ase', 'ASE calculator'),)
    not_physical = frozenset(('code',))
    repeatable = (
        Repeatable('evaluation', _FUNCTIONS, 'fit_scan', finding='equation_of_state'),
        Repeatable('evaluation', _FUNCTIONS, 'job_properties', finding='property'),
        Repeatable(
            'evaluation', 'aiida_inversedesign.engines.common.elastic', 'elastic_constants_of_job', finding='property'
        ),
        Repeatable('evaluation', 'aiida_inversedesign.engines.common.phonons', 'phonons_of_job', finding='property'),
        Repeatable('evaluation', _MOLECULES, 'embed', tolerance=1e-5, finding='property'),
        Repeatable('evaluation', _MOLECULES, 'molecule_properties', finding='property'),
    )
    prepare = 'aiida_inversedesign.engines.ase.calculators:prepare'
    tries = 'aiida_inversedesign.engines.ase.calculators:tries'
    methods = 'aiida_inversedesign.engines.ase.paper:methods'
    citations = 'aiida_inversedesign.engines.ase.paper:citations'

    def properties(self, section: Ase) -> frozenset[str]:
        """Of crystals all but what depends on electrons; of molecules :data:`MOLECULES` and the energy per atom."""
        return MECHANICAL | names(ELASTICITY, PHONON_PROPERTIES, MOLECULES)

    def needs(self, section: Ase) -> tuple[Need, ...]:
        """A Python with ASE."""
        return (Need('code', 'code', 'evaluate.code', section.code, 'inversedesign.ase'),)

    def jobs(self, section: Ase, properties: Iterable[str]) -> Jobs:
        """One job, volumes, deformations and phonons included; whatever the calculator is, it is not charged as DFT."""
        return Jobs(1, 0)

    def contradictions(self, section: Ase, others: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """Crystals have no frontier orbitals, molecules no volume."""
        if not {'goal', 'space'} <= set(others):
            return
        of_molecules = names(MOLECULES) | {'energy', 'max_force'}
        yield from not_of_the_space(others, self.name, self.properties(section), of_molecules)

    def unanswered(self, section: Ase, name: str) -> str:
        """What a fixed cell has from the proposal, and a pressure without stress."""
        item = PROPERTIES[name]
        if item.cell and not section.relax_cell:
            return (
                'would be that of the crystal as proposed, because the cell is not relaxed: write evaluate.relax_cell: '
                'true'
            )
        if item.stress and section.calculator in WITHOUT_STRESS:
            return f'needs the stress, which the calculator {section.calculator!r} does not compute: take another one'
        return ''


ENGINE = AseEngine()
