"""Annealing of strings towards a region of properties: inverse QSPR (Ikebata et al. 2017).

The target is p(S | Y in U) ∝ p(Y in U | S)^β p(S): p(S) is the language model within the limits of the space, and β =
1/T rises as the temperature falls. The population is all molecules met so far. In each step parents are drawn from it
without replacement with probabilities ∝ p(Y in U | S)^β (Kool et al., ICML 2019), cut at the right, and written again
by the language model, half of them from another atom on; new molecules join. As in the package iqspr, the result is
the best that was ever met, not the last particles.

The paper's particles move and are resampled with replacement: copies of a few crowd out all others, and what a particle
leaves is lost. It also ends at T = 1, where the region must outweigh the prior: of a region that few molecules of the
language model reach, the posterior holds mostly what lies just outside of it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_inversedesign.campaign.contracts.space import Array, RowError
from aiida_inversedesign.propose.molecules.language import LanguageModel
from aiida_inversedesign.propose.molecules.strings import text_of, tokens_of
from aiida_inversedesign.spaces.molecules.molecule import Molecule, parse

#: First and last temperature. The first is the paper's; a last one of 1 samples the posterior, see above. Of the best
#: 30 with two seeds, in a region that was not the benchmark's, 2 and 24 lay in it down to 0.2, 30 and 29 down to 0.05,
#: 24 and 28 down to 0.02.
HOTTEST, COLDEST = 3.0, 0.05
#: Steps; each writes as many strings as molecules are wanted. Tree search and mutation write as many.
STEPS = 40
#: Share of parents that are written from another atom on, as in XenonPy's iQSPR: cuts then reach every part of a
#: molecule.
REORDERED = 0.5
#: Share of cuts that take away one to ten tokens, the range of the paper's n-grams; the others are anywhere.
SHORT, MOST_CUT = 0.5, 10

Score = Callable[[Sequence[Molecule]], Array]


@dataclass
class Tally:
    """What became of strings that were written.

    :param written: all. :param valid: those that are molecules. :param admitted: those within the limits.
    """

    written: int = 0
    valid: int = 0
    admitted: int = 0


@dataclass
class Writer:
    """Writes molecules with a language model.

    :param admits: whether an RDKit molecule keeps the limits of the space.
    """

    model: LanguageModel | None
    admits: Callable[[Any], bool]
    rng: random.Random
    tally: Tally = field(default_factory=Tally)

    def molecule(self, tokens: Sequence[str] | None) -> Molecule | None:
        """The molecule of a string; None if it is none, or not within the limits."""
        return self.read('' if tokens is None else text_of(tokens))

    def read(self, text: str) -> Molecule | None:
        """The molecule of a SMILES; None if it is none, or not within the limits."""
        self.tally.written += 1
        try:
            mol = parse(text)
            self.tally.valid += 1
            if not self.admits(mol):
                return None
            self.tally.admitted += 1
            return Molecule.of_mol(mol)
        except RowError:
            return None

    def regrown(self, tokens: Sequence[str], cut: int) -> list[str] | None:
        """A string whose first ``cut`` tokens are kept."""
        assert self.model is not None  # noqa: S101  (only a search on other strings has none)
        return self.model.finish(self.model.begun(tokens[:cut]), self.rng)

    def draws(self, number: int, most: int) -> list[Molecule]:
        """Different molecules from the language model alone, at most ``number`` of ``most`` strings."""
        found: dict[str, Molecule] = {}
        for _ in range(most):
            if len(found) >= number:
                break
            molecule = self.molecule(self.regrown((), 0))
            if molecule is not None:
                found.setdefault(molecule.inchikey, molecule)
        return list(found.values())


def anneal(writer: Writer, start: Sequence[Molecule], score: Score, number: int) -> list[Molecule]:
    """All molecules that were met, those of the start among them, the most probable in the region first.

    :param start: molecules from which the search begins.
    :param score: log-likelihoods of the region, shape (n,).
    :param number: of strings that are written in each step.
    """
    draws = np.random.default_rng(writer.rng.getrandbits(64))
    usable = {molecule.inchikey: molecule for molecule in start if tokens_of(molecule.mol) is not None}
    if not usable:
        return []
    met, logs = list(usable.values()), score(list(usable.values()))
    for temperature in np.geomspace(HOTTEST, COLDEST, STEPS):
        # the largest of logarithms with Gumbel noise are draws without replacement
        order = np.argsort(-(logs / temperature + draws.gumbel(size=len(met))), kind='stable')
        parents = itertools.islice(itertools.cycle(order[:number].tolist()), number)
        new: dict[str, Molecule] = {}
        for index in parents:
            child = _rewritten(writer, met[index])
            if child is not None and child.inchikey not in usable:
                new.setdefault(child.inchikey, child)
        usable |= new
        met += new.values()
        logs = np.concatenate([logs, score(list(new.values()))])
    return [met[index] for index in np.argsort(-logs, kind='stable').tolist()]


def _rewritten(writer: Writer, molecule: Molecule) -> Molecule | None:
    """A molecule whose string begins as that of another one."""
    rng = writer.rng
    root = rng.randrange(molecule.mol.GetNumAtoms()) if rng.random() < REORDERED else -1
    tokens = tokens_of(molecule.mol, root)
    if tokens is None:
        return None
    most = MOST_CUT if rng.random() < SHORT else len(tokens)
    return writer.molecule(writer.regrown(tokens, len(tokens) - rng.randint(1, min(most, len(tokens)))))
