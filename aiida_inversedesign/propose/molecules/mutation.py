"""The source ``mutation``: a genetic algorithm on SELFIES, whose every string is a molecule.

SELFIES: Krenn et al., Mach. Learn.: Sci. Technol. 1, 045024 (2020). Mutations exchange, insert or remove one token,
as in STONED (Nigam et al., Chem. Sci. 12, 7079 (2021)); a crossing joins the beginning of one string to the end of
another.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from aiida_inversedesign.campaign.contracts.source import ProposalError
from aiida_inversedesign.propose.molecules.anneal import STEPS, Writer
from aiida_inversedesign.propose.molecules.source import MoleculeSource, Task
from aiida_inversedesign.spaces.molecules.molecule import Molecule

#: Generations; each makes as many children as molecules are wanted. As many as the annealing has steps.
GENERATIONS = STEPS
#: Share of children of two parents; attempts for each child, which may lie outside of the space.
CROSSED, ATTEMPTS = 0.2, 5


class Mutation(MoleculeSource):
    """Evolves the library and the best evaluations; before there is a surrogate all parents are as good."""

    name = 'mutation'
    packages: ClassVar[Mapping[str, str]] = MappingProxyType({'rdkit': 'molecules', 'selfies': 'molecules'})
    words = 'a genetic algorithm on SELFIES'
    citations = ('krenn2020', 'nigam2021')

    def search(self, task: Task) -> Iterator[tuple[Molecule, str]]:
        """The best of all that were met first."""
        rng, parents = task.rng, list(task.best[: task.number // 2])
        parents += rng.sample(list(task.library), min(task.number, len(task.library)))
        breeding = Breeding(parents, task)
        if task.score is None:
            yield from ((molecule, 'mutation') for molecule in breeding.children(parents, 2 * task.number))
            return
        known = {molecule.inchikey: molecule for molecule in parents}
        logs = dict(zip(known, task.score(list(known.values())).tolist(), strict=True))
        ranked = sorted(known, key=lambda key: -logs[key])
        for _ in range(GENERATIONS):
            survivors = [known[key] for key in ranked[: max(task.number // 2, 2)]]
            children = [item for item in breeding.children(survivors, task.number) if item.inchikey not in known]
            known |= {item.inchikey: item for item in children}
            logs |= zip((item.inchikey for item in children), task.score(children).tolist(), strict=True)
            ranked = sorted(known, key=lambda key: -logs[key])
        yield from ((known[key], 'mutation') for key in ranked)


class Breeding:
    """Makes children of molecules.

    :raises ProposalError: if no parent can be written as SELFIES.
    """

    def __init__(self, parents: Sequence[Molecule], task: Task) -> None:
        from selfies import get_alphabet_from_selfies

        self.rng: random.Random = task.rng
        self.writer = Writer(None, task.admits, task.rng, task.tally)
        self._tokens: dict[str, list[str]] = {}
        strings = [''.join(tokens) for parent in parents if (tokens := self._of(parent))]
        if not strings:
            raise ProposalError('no molecule of the library can be written as SELFIES')
        # sorted: the order of a set differs from run to run
        self.alphabet = sorted(get_alphabet_from_selfies(strings) - {'.'})

    def children(self, parents: Sequence[Molecule], number: int) -> list[Molecule]:
        """Different children within the space; the first parents are taken more often."""
        usable = [tokens for parent in parents if (tokens := self._of(parent))]
        found: dict[str, Molecule] = {}
        for _ in range(ATTEMPTS * number if usable else 0):
            if len(found) >= number:
                break
            tokens = self._mutated(self._parent(usable))
            if self.rng.random() < CROSSED:
                tokens = self._crossed(tokens, self._parent(usable))
            child = self._molecule(tokens)
            if child is not None:
                found.setdefault(child.inchikey, child)
        return list(found.values())

    def _parent(self, usable: Sequence[list[str]]) -> list[str]:
        """The better of two taken at random."""
        return usable[min(self.rng.randrange(len(usable)), self.rng.randrange(len(usable)))]

    def _mutated(self, tokens: Sequence[str]) -> list[str]:
        tokens, index = list(tokens), self.rng.randrange(len(tokens))
        kind = self.rng.choice(('exchange', 'insert', 'remove'))
        tokens[index : index + (kind != 'insert')] = [] if kind == 'remove' else [self.rng.choice(self.alphabet)]
        return tokens

    def _crossed(self, first: Sequence[str], second: Sequence[str]) -> list[str]:
        return [*first[: self.rng.randrange(len(first) + 1)], *second[self.rng.randrange(len(second)) :]]

    def _of(self, molecule: Molecule) -> list[str]:
        """The tokens of a molecule; none if SELFIES cannot say it."""
        from selfies import EncoderError, encoder, split_selfies

        if molecule.smiles not in self._tokens:
            try:
                self._tokens[molecule.smiles] = list(split_selfies(encoder(molecule.smiles)))
            except EncoderError:
                self._tokens[molecule.smiles] = []
        return self._tokens[molecule.smiles]

    def _molecule(self, tokens: Sequence[str]) -> Molecule | None:
        from selfies import DecoderError, decoder

        try:
            text = decoder(''.join(tokens))
        except DecoderError:
            text = ''
        return self.writer.read(text)
