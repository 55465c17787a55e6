"""A molecule: canonical SMILES to show it by, InChIKey to compare it by. Needs RDKit (extra ``molecules``).

Two molecules are one and the same if their standard InChIKeys are equal. Standard InChI ignores where mobile hydrogen
atoms sit, so that most tautomers count as one molecule; charges, isotopes and stereo centres tell molecules apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aiida_inversedesign.campaign.contracts.space import RowError, Value

#: Longer texts are not read: about 300 heavy atoms, more than any of the engines computes.
MOST_CHARACTERS = 1000
#: Headings of a column of SMILES, in lower case, the first that is there counts.
HEADINGS = ('smiles', 'canonical_smiles', 'isomeric_smiles')

#: Kinds of texts that are not usable molecules.
NOT_SMILES, VALENCE, AROMATIC, MIXTURE, DUMMY, EMPTY, TOO_LONG, NO_INCHI = (
    *('not SMILES', 'valence', 'aromatic ring', 'mixture or salt', 'open position', 'empty', 'too long', 'no InChI'),
)


def parse(text: str) -> Any:
    """The RDKit molecule of a SMILES, sanitised.

    :raises RowError: if it is not the SMILES of one complete molecule, with the kind of what is wrong.
    """
    from rdkit import Chem, rdBase

    text = text.strip()
    if not text:
        raise RowError(EMPTY, 'no SMILES')
    if len(text) > MOST_CHARACTERS:
        raise RowError(TOO_LONG, f'{len(text)} characters; at most {MOST_CHARACTERS}')
    # RDKit would read what follows a blank as a name
    if len(text.split()) > 1:
        raise RowError(NOT_SMILES, f'{text[:60]!r} has a blank: write the SMILES alone')
    with rdBase.BlockLogs():
        raw = Chem.MolFromSmiles(text, sanitize=False)
        if raw is None:
            raise RowError(NOT_SMILES, f'{text[:60]!r} is not a SMILES')
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            problems = Chem.DetectChemistryProblems(raw)
            said = problems[0].Message() if problems else 'RDKit cannot sanitise it'
            kind = VALENCE if problems and 'Valence' in problems[0].GetType() else AROMATIC
            raise RowError(kind, f'{text[:60]!r}: {said}')
    if len(Chem.GetMolFrags(mol)) != 1:
        raise RowError(MIXTURE, f'{text[:60]!r} has {len(Chem.GetMolFrags(mol))} parts: write one molecule')
    if any(atom.GetAtomicNum() == 0 for atom in mol.GetAtoms()):
        raise RowError(DUMMY, f'{text[:60]!r} has an open position (*): write a whole molecule')
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return mol


@dataclass(frozen=True, eq=False)
class Molecule:
    """One molecule; make it of any SMILES with :meth:`of`.

    :param smiles: RDKit's canonical SMILES.
    :param inchikey: standard InChIKey.
    """

    smiles: str
    inchikey: str

    @classmethod
    def of(cls, text: str) -> Molecule:
        """The molecule of a SMILES.

        :raises RowError: if it is not one; see :func:`parse`.
        """
        return cls.of_mol(parse(text))

    @classmethod
    def of_mol(cls, mol: Any) -> Molecule:
        """The molecule of a sanitised RDKit molecule.

        :raises RowError: if it has no standard InChI.
        """
        from rdkit import Chem, rdBase

        with rdBase.BlockLogs():
            smiles, inchikey = Chem.MolToSmiles(mol), Chem.MolToInchiKey(mol)  # type: ignore[no-untyped-call]
        if not inchikey:
            raise RowError(NO_INCHI, f'{smiles[:60]!r} has no standard InChI, by which molecules are compared')
        return cls(smiles, inchikey)

    @property
    def key(self) -> str:
        """The canonical SMILES."""
        return self.smiles

    @property
    def content_hash(self) -> str:
        """The InChIKey, which is a hash of the InChI."""
        return self.inchikey

    @cached_property
    def mol(self) -> Any:
        """The RDKit molecule; it must not be changed."""
        return parse(self.smiles)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {'kind': 'molecules', 'smiles': self.smiles, 'inchikey': self.inchikey}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Molecule:
        """The molecule of :meth:`to_dict`."""
        return cls(str(data['smiles']), str(data['inchikey']))

    @property
    def reader(self) -> SmilesReader:
        """How a row of a data set names a molecule."""
        return SmilesReader()


@dataclass(frozen=True)
class SmilesReader:
    """Reads the column of SMILES; what is not a molecule is left out with its reason, and the other rows are kept."""

    tolerant: bool = True

    def columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The column of SMILES.

        :raises RowError: if there is none.
        """
        lower = {name.lower(): name for name in reversed(names)}
        for heading in HEADINGS:
            if heading in lower:
                return (lower[heading],)
        raise RowError('column', f'the data have no column smiles; they have {", ".join(names[:20])}')

    def read(self, cells: Mapping[str, Value | None]) -> Molecule:
        """The molecule of a row.

        :raises RowError: if there is none.
        """
        (cell,) = cells.values()
        return Molecule.of('' if cell is None else str(cell))
