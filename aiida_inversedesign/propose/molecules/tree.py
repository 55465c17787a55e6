"""The source ``mcts``: Monte-Carlo tree search over tokens, completed by the language model.

The scheme of ChemTS (Yang et al., Sci. Technol. Adv. Mater. 18, 972 (2017)), with the n-gram model of the library
instead of a recurrent network: a run goes down the tree by upper confidence bounds, adds one node, lets the model write
the string to its end, and hands the reward to all nodes it went through. The tree is the package's own
(:mod:`aiida_inversedesign.propose.tree`); tokens are looked at in the order of their probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.propose.molecules.anneal import STEPS, Writer
from aiida_inversedesign.propose.molecules.source import MOST_DRAWS, MoleculeSource, Task
from aiida_inversedesign.propose.molecules.strings import END
from aiida_inversedesign.propose.tree import Node, close_above
from aiida_inversedesign.spaces.molecules.molecule import Molecule

#: Runs for each molecule wanted, as many as the annealing makes moves; runs whose rewards are asked for at once.
RUNS, BATCH = STEPS, 32


class TreeSource(MoleculeSource):
    """Searches the strings of the language model by a tree."""

    name = 'mcts'
    words = 'Monte-Carlo tree search over SMILES tokens with a language model of the library'
    citations = ('yang2017', 'ikebata2017')

    def search(self, task: Task) -> Iterator[tuple[Molecule, str]]:
        """The best of all that were met first; draws from the language model before anything was learned."""
        writer = task.writer()
        if task.score is not None:
            yield from ((molecule, 'tree search') for molecule in _Tree(task, writer).best())
        drawn = writer.draws(MOST_DRAWS * task.number, MOST_DRAWS * task.number)
        yield from ((molecule, 'language model') for molecule in drawn)


class _Tree:
    def __init__(self, task: Task, writer: Writer) -> None:
        self.task, self.writer, self.model = task, writer, task.model
        self.vocabulary = sorted({token for one in self.model.followers.values() for token in one.tokens})
        self.found: dict[str, Molecule] = {}
        self.logs: dict[str, float] = {}
        first = self._score(writer.draws(4 * BATCH, 8 * BATCH))
        known = np.array(sorted(first)) if first else np.zeros(1)
        self.low, self.high = float(np.median(known)), float(known.max())
        self.rewards = [self._reward(value) for value in known.tolist()]
        self.root = Node.of(self._possible([]))

    def best(self) -> list[Molecule]:
        """Everything that was met, the most probable in the region first."""
        for _ in range(RUNS * self.task.number // BATCH):
            runs = []
            for _ in range(BATCH):
                if self.root.open.any():
                    runs.append(self._run())
            values = self._score([molecule for _, molecule in runs if molecule is not None])
            self.high = max([self.high, *values])
            for path, molecule in runs:
                reward = 0.0 if molecule is None else self._reward(self.logs[molecule.inchikey])
                self.rewards.append(reward)
                for node, choice in path:
                    node.total[choice] += reward
                    node.best[choice] = max(node.best[choice], reward)
        return [self.found[key] for key in sorted(self.found, key=lambda key: -self.logs[key])]

    def _run(self) -> tuple[list[tuple[Node, int]], Molecule | None]:
        """One way down: nodes and choices, which count as visited from now on, and the molecule at its end."""
        deviation, mean = float(np.std(self.rewards)) or 1.0, float(np.mean(self.rewards))
        node, path, tokens = self.root, list[tuple[Node, int]](), list[str]()
        while True:
            choice = node.choose(mean * self._weights(tokens), deviation, self.task.rng)
            path.append((node, choice))
            token = self.vocabulary[choice]
            if token == END:
                node.open[choice] = False
                break
            tokens.append(token)
            if choice not in node.children:
                node.children[choice] = below = Node.of(self._possible(tokens))
                if not below.open.any():
                    path.append((below, choice))
                    close_above(path)
                    path.pop()
                break
            node = node.children[choice]
        close_above(path)
        for visited, at in path:
            visited.visits[at] += 1
        return path, self.writer.molecule(tokens if token == END else self.writer.regrown(tokens, len(tokens)))

    def _possible(self, tokens: list[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        writing = self.model.begun(tokens)
        weights = self.model.weights(writing)
        return np.array([token in weights and writing.allows(token) for token in self.vocabulary])

    def _weights(self, tokens: list[str]) -> Array:
        """The probability of each token over the largest one."""
        weights = self.model.weights(self.model.begun(tokens))
        found = np.array([weights.get(token, 0.0) for token in self.vocabulary])
        return np.asarray(found / found.max())

    def _score(self, molecules: list[Molecule]) -> list[float]:
        """Log-likelihoods, those of new molecules kept."""
        new = list({item.inchikey: item for item in molecules if item.inchikey not in self.logs}.values())
        score = self.task.score
        if new and score is not None:
            self.logs |= zip((item.inchikey for item in new), score(new).tolist(), strict=True)
            self.found |= {item.inchikey: item for item in new}
        return [self.logs[item.inchikey] for item in molecules]

    def _reward(self, value: float) -> float:
        """0 at the median of the first draws and below, 1 at the best so far."""
        return min(max((value - self.low) / ((self.high - self.low) or 1.0), 0.0), 1.0)
