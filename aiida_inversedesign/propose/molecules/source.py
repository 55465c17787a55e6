"""Sources that generate molecules: what they share, and ``iqspr``."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import ProposalError, Source, SourceRequest
from aiida_inversedesign.libraries.points import PointsError, PointSet
from aiida_inversedesign.propose.molecules.anneal import Score, Tally, Writer, anneal
from aiida_inversedesign.propose.molecules.language import LanguageError, LanguageModel, learned
from aiida_inversedesign.propose.molecules.region import region_of, scorer
from aiida_inversedesign.spaces.molecules.molecule import Molecule

#: Strings written for each molecule wanted before a model counts as exhausted.
MOST_DRAWS = 20


@dataclass(frozen=True)
class Task:
    """What a search of one generation starts from.

    :param library: molecules of the library within the space.
    :param best: those evaluated, the most probable to lie in the region first.
    :param score: log-likelihoods of the region; None while there is no surrogate.
    :param tally: of all strings that the search wrote.
    """

    space: Any
    library: Sequence[Molecule]
    best: Sequence[Molecule]
    score: Score | None
    number: int
    rng: random.Random
    tally: Tally = field(default_factory=Tally)

    @property
    def model(self) -> LanguageModel:
        """The language model of the library.

        :raises ProposalError: if nothing can be learned from it.
        """
        try:
            return learned(tuple(molecule.smiles for molecule in self.library))
        except LanguageError as error:
            raise ProposalError(str(error)) from error

    def admits(self, mol: Any) -> bool:
        """Whether an RDKit molecule lies in the space."""
        return not self.space.violation_of(mol)

    def writer(self) -> Writer:
        """A writer with the language model."""
        return Writer(self.model, self.admits, self.rng, self.tally)


class MoleculeSource(Source):
    """The base of sources that generate molecules after a library: before there is a surrogate and after."""

    spaces = ('molecules',)
    needs = ('library',)
    packages: ClassVar[Mapping[str, str]] = MappingProxyType({'rdkit': 'molecules'})
    renews = 200

    @abstractmethod
    def search(self, task: Task) -> Iterator[tuple[Molecule, str]]:
        """Molecules within the space, the wanted ones first, each with what found it; repeats are left out later."""

    def propose(self, request: SourceRequest) -> list[Candidate]:
        """New molecules that no proposal considered, compared by their InChIKeys.

        :raises ProposalError: if the library has no molecules of the space, or the search finds no new one.
        """
        task = _task(request)
        seen = {item.content.inchikey for item in request.earlier if item.content is not None}
        found: dict[str, Candidate] = {}
        for molecule, generator in self.search(task):
            if len(found) >= task.number:
                break
            if molecule.inchikey not in seen:
                candidate = Candidate('', molecule.key, molecule, self.name, generator=generator)
                found.setdefault(molecule.inchikey, candidate)
        if not found:
            raise ProposalError(f'{self.name} found no new molecule within the space: widen it, or add to the library')
        return list(found.values())


def _task(request: SourceRequest) -> Task:
    space: Any = request.spec.space
    if not isinstance(request.library, PointSet):
        raise ProposalError('propose.library has crystals: name a CSV file with a column smiles')
    try:
        library = [molecule for molecule in request.library.contents(space) if not space.violation(molecule)]
    except PointsError as error:
        raise ProposalError(str(error)) from error
    if not library:
        raise ProposalError(f'none of the {len(request.library)} rows of the library is a molecule of the space')
    best = [row.proposed for row in request.rows if row.status == 'completed']
    score = None
    if request.surrogate is not None and best:
        score = scorer(request.surrogate, space, region_of(request.spec.goal, request.rows))
        logs = score(best)
        best = [best[index] for index in sorted(range(len(best)), key=lambda index: -float(logs[index]))]
    # of its own for each generation and independent of what else draws
    rng = random.Random(f'molecules {request.seed}')  # noqa: S311
    return Task(space, library, best, score, request.spec.renewed, rng)


class Iqspr(MoleculeSource):
    """Molecules of a chemical language model, annealed towards the region that the surrogate holds for probable."""

    name = 'iqspr'
    words = 'annealing with a chemical language model of the library (inverse QSPR)'
    citations = ('ikebata2017',)

    def search(self, task: Task) -> Iterator[tuple[Molecule, str]]:
        """The best of all that were met first; draws from the language model before anything was learned."""
        writer = task.writer()
        if task.score is not None:
            # half of the population begins at what was evaluated, half at the library
            begin = [*task.best[: task.number // 2]]
            begin += task.rng.sample(list(task.library), min(task.number - len(begin), len(task.library)))
            yield from ((molecule, 'annealing') for molecule in anneal(writer, begin, task.score, task.number))
        drawn = writer.draws(MOST_DRAWS * task.number, MOST_DRAWS * task.number)
        yield from ((molecule, 'language model') for molecule in drawn)
