"""Which candidates are crystals that have been computed already, or that stand in the same batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal

if TYPE_CHECKING:
    from pymatgen.core import Structure


class Duplicates:
    """Compares candidates with the crystals of evaluations by pymatgen's StructureMatcher within a formula.

    Its defaults (ltol 0.2, stol 0.3, 5°, volumes scaled) are those of the novelty figures of the audit. Answers are
    kept, because a selection asks again about the same candidates for each place of the batch.
    """

    def __init__(self, rows: Sequence[EvaluationRow], running: Iterable[Candidate] = ()) -> None:
        self._known: dict[str, list[Crystal]] = {}
        for row in rows:
            # what it relaxed to comes first: most candidates that match at all match that
            for crystal in (row.relaxed, row.proposed):
                if crystal is not None:
                    self._known.setdefault(crystal.formula, []).append(crystal)
        for candidate in running:
            if candidate.crystal is not None:
                self._known.setdefault(candidate.crystal.formula, []).append(candidate.crystal)
        self._structures: dict[int, Structure] = {}
        self._new: dict[str, bool] = {}

    def is_new(self, candidate: Candidate) -> bool:
        """Whether no evaluated or running crystal equals the candidate's."""
        crystal = candidate.crystal
        if crystal is None:
            return False
        if candidate.id not in self._new:
            known = self._known.get(crystal.formula, [])
            self._new[candidate.id] = not any(self._same(crystal, other) for other in known)
        return self._new[candidate.id]

    def differs(self, candidate: Candidate, others: Iterable[Candidate]) -> bool:
        """Whether no crystal of ``others`` equals the candidate's."""
        crystal = candidate.crystal
        return crystal is not None and not any(
            other.crystal is not None
            and other.crystal.formula == crystal.formula
            and self._same(crystal, other.crystal)
            for other in others
        )

    def _same(self, first: Crystal, second: Crystal) -> bool:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        return bool(StructureMatcher().fit(self._structure(first), self._structure(second)))

    def _structure(self, crystal: Crystal) -> Structure:
        # keyed by identity: the rows and candidates that own the crystals outlive this object
        if id(crystal) not in self._structures:
            self._structures[id(crystal)] = crystal.to_pymatgen()
        return self._structures[id(crystal)]
