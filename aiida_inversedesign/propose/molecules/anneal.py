"""Sequential Monte Carlo over strings with annealing: inverse QSPR (Ikebata et al. 2017).

The target is p(S | Y in U) ∝ p(Y in U | S)^β p(S): p(S) is the language model within the limits of the space, and β =
1/T rises to 1 as the temperature falls by 5 % a step. Particles are reweighted by the change of β and resampled when
fewer than half of them count. Then each is cut at a random token and written again by the language model. Such a
proposal has the density of the prior, so that a Metropolis–Hastings step accepts it with probability min(1, (L'/L)^β
n/n'), where n and n' are the numbers of places for the cut. One move in five first writes the molecule from another
atom, as in the paper; that is not corrected for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_inversedesign.campaign.contracts.space import Array, RowError
from aiida_inversedesign.propose.molecules.language import LanguageModel
from aiida_inversedesign.propose.molecules.strings import text_of, tokens_of
from aiida_inversedesign.spaces.molecules.molecule import Molecule, parse

#: First temperature and its decay: 22 steps to 1. The decay is the paper's; with 3 the first region counts a third.
HOTTEST, DECAY = 3.0, 0.95
#: Share of moves that begin at another atom.
REORDERED = 0.2

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


def anneal(writer: Writer, start: Sequence[Molecule], score: Score, number: int) -> list[list[Molecule]]:
    """The particles after each step, the last step last.

    :param start: molecules from which the particles begin, in turn.
    :param score: log-likelihoods of the region, shape (n,).
    :param number: of particles.
    """
    rng = writer.rng
    usable = [(molecule, tokens) for molecule in start if (tokens := tokens_of(molecule.mol)) is not None]
    if not usable:
        return []
    particles = [usable[index % len(usable)] for index in range(number)]
    logs = score([molecule for molecule, _ in particles])
    beta, temperature, log_weights, history = 0.0, HOTTEST, np.zeros(number), []
    while beta < 1.0:
        temperature = max(temperature * DECAY, 1.0)
        log_weights += (1 / temperature - beta) * logs
        beta = 1 / temperature
        chosen = _resampled(log_weights, rng)
        if chosen is not None:
            particles, logs, log_weights = [particles[i] for i in chosen], logs[chosen], np.zeros(number)
        proposed = [_moved(writer, molecule, tokens) for molecule, tokens in particles]
        known = [item for item in proposed if item is not None]
        found = iter(score([molecule for molecule, _, _ in known]).tolist())
        for place, item in enumerate(proposed):
            if item is None:
                continue
            molecule, tokens, cuts = item
            own = next(found)
            ratio = beta * (own - float(logs[place])) + math.log(cuts / (len(tokens) + 1))
            if math.log(1.0 - rng.random()) < ratio:
                particles[place], logs[place] = (molecule, tokens), own
        history.append([molecule for molecule, _ in particles])
    return history


def _resampled(log_weights: Array, rng: random.Random) -> list[int] | None:
    """Places of the particles that go on, by systematic resampling; None while more than half of them count."""
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    if 1 / float((weights**2).sum()) > len(weights) / 2:
        return None
    positions = (rng.random() + np.arange(len(weights))) / len(weights)
    return np.minimum(np.searchsorted(np.cumsum(weights), positions), len(weights) - 1).tolist()  # type: ignore[no-any-return]


def _moved(writer: Writer, molecule: Molecule, tokens: list[str]) -> tuple[Molecule, list[str], int] | None:
    """Another molecule, its tokens, and in how many places the string was that it was written from could be cut."""
    if writer.rng.random() < REORDERED:
        tokens = tokens_of(molecule.mol, writer.rng.randrange(molecule.mol.GetNumAtoms())) or tokens
    written = writer.regrown(tokens, writer.rng.randrange(len(tokens) + 1))
    other = writer.molecule(written)
    return None if other is None or written is None else (other, written, len(tokens) + 1)
