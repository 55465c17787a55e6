"""The space ``molecules``: which molecules are considered, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.space import Coordinate, SpaceSection
from aiida_inversedesign.campaign.section import ContradictionError, Count, Symbol, without_repeats
from aiida_inversedesign.spaces.molecules.molecule import Molecule, SmilesReader

#: Evaluations from which fingerprints are descriptors besides RDKit's numbers. R² of the HOMO–LUMO gap on other
#: molecules of the CRAN package iqspr, Gaussian process and forest: with 60 rows .57 and .60 (with fingerprints .59 and
#: .60), 200 rows .70 and .69 (.67 and .69), 600 rows .79 and .76 (.78 and .77).
ROWS_FOR_FINGERPRINTS = 1000


class MoleculeSpace(SpaceSection):
    """Molecules within limits of elements, size, rings and charge."""

    noun: ClassVar[str] = 'molecule'
    nouns: ClassVar[str] = 'molecules'
    key_name: ClassVar[str] = 'SMILES'
    source: ClassVar[str] = 'library'
    screens: ClassVar[tuple[str, ...]] = ('constraints', 'duplicate')
    nodes: ClassVar[str] = 'aiida_inversedesign.nodes.points'

    kind: Literal['molecules'] = Field(description='candidates are molecules')
    elements: list[Symbol] = Field(
        ['H', 'B', 'C', 'N', 'O', 'F', 'Si', 'P', 'S', 'Cl', 'Br', 'I'], description='elements that may occur'
    )
    min_atoms: Count = Field(2, description='fewest atoms, hydrogen not counted')
    max_atoms: Count = Field(40, description='most atoms, hydrogen not counted')
    max_rings: int = Field(8, ge=0, description='most rings (smallest set of smallest rings)')
    ring_sizes: list[Count] = Field([3, 4, 5, 6, 7, 8], description='sizes that rings may have')
    charged: bool = Field(False, description='whether a molecule may have a net charge; zwitterions always may')
    radicals: bool = Field(False, description='whether there may be unpaired electrons')

    _unique = field_validator('elements', 'ring_sizes')(without_repeats)

    def contradictions(self) -> Iterator[ContradictionError]:
        """Whether anything is left."""
        if not set(self.elements) - {'H'}:
            yield ContradictionError('names no element besides hydrogen', ('elements',))
        if self.min_atoms > self.max_atoms:
            yield ContradictionError(f'is above max_atoms: {self.min_atoms} > {self.max_atoms}', ('min_atoms',))

    def contradictions_with(self, sections: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """A data set whose rows are the candidates has to be named: the default library has crystals."""
        propose = sections.get('propose')
        if propose is not None and propose.library == 'aflow':
            yield ContradictionError(
                'needs a CSV file with a column smiles, next to the campaign file', ('propose', 'library')
            )

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Molecule:
        """The molecule of plain data."""
        return Molecule.from_dict(data)

    @classmethod
    def identity(cls, content: Molecule) -> str:
        """The InChIKey: tautomers have different SMILES."""
        return content.inchikey

    @property
    def reader(self) -> SmilesReader:
        """The column of SMILES."""
        return SmilesReader()

    def violation(self, content: Molecule) -> str:
        """Which limit a molecule breaks, in words; empty if it keeps all."""
        return self.violation_of(content.mol)

    def violation_of(self, mol: Any) -> str:
        """The same of an RDKit molecule."""
        foreign = sorted({atom.GetSymbol() for atom in mol.GetAtoms()} - set(self.elements))
        if foreign:
            return f'elements that the space does not have: {", ".join(foreign)}'
        size = mol.GetNumHeavyAtoms()
        if not self.min_atoms <= size <= self.max_atoms:
            return f'{size} non-hydrogen atom{"s" if size != 1 else ""}, not {self.min_atoms} to {self.max_atoms}'
        charge = sum(atom.GetFormalCharge() for atom in mol.GetAtoms())
        if charge and not self.charged:
            return f'net charge {charge:+d}'
        unpaired = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
        if unpaired and not self.radicals:
            return f'a radical: {unpaired} unpaired electron{"s" if unpaired > 1 else ""}'
        rings = mol.GetRingInfo().AtomRings()
        if len(rings) > self.max_rings:
            return f'{len(rings)} ring{"s" if len(rings) > 1 else ""}, more than {self.max_rings}'
        odd = sorted({len(ring) for ring in rings} - set(self.ring_sizes))
        if odd:
            return f'a ring of {odd[0]} atoms'
        return ''

    def describe(self, contents: Sequence[Molecule], probabilities: Sequence[float | None]) -> tuple[Array, list[str]]:
        """RDKit's numbers and folded Morgan counts, shape (n, d); see ``molecules.features``."""
        from aiida_inversedesign.spaces.molecules.features import featurize

        return featurize(contents)

    def columns(self, names: Sequence[str], rows: int) -> Sequence[int] | None:
        """RDKit's numbers alone where evaluations are few; all descriptors from 1 000 evaluations on."""
        from aiida_inversedesign.spaces.molecules.features import count_properties

        return None if rows >= ROWS_FOR_FINGERPRINTS else np.arange(count_properties()).tolist()

    def coordinates(self, contents: Sequence[Molecule]) -> list[Coordinate]:
        """None: molecules are read by their pictures and SMILES."""
        return []

    @classmethod
    def picture(cls, content: Molecule) -> str:
        """The structural formula, drawn by RDKit."""
        from aiida_inversedesign.spaces.molecules.picture import structural_formula

        return structural_formula(content)

    @property
    def elements_used(self) -> frozenset[str]:
        """Every element that may occur."""
        return frozenset(self.elements)

    def plan(self) -> list[tuple[str, str]]:
        """The limits."""
        return [('space', f'molecules of {self._limits()}')]

    def methods(self) -> str:
        """The limits in a sentence."""
        return f'Molecules of {self._limits()} were considered; equal standard InChIKeys counted as one molecule.'

    def _limits(self) -> str:
        kinds = [word for word, may in (('uncharged', not self.charged), ('closed-shell', not self.radicals)) if may]
        words = [f'{" ".join(self.elements)} with {self.min_atoms} to {self.max_atoms} non-hydrogen atoms']
        sizes = ', '.join(map(str, sorted(self.ring_sizes)))
        words.append(f'at most {self.max_rings} rings of {sizes} atoms' if self.ring_sizes else 'no rings')
        return ', '.join([*words, *kinds])
