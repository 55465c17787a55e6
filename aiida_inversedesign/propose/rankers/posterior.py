"""The posterior ranker: a distribution over known structures for a formula, and the templates that cover it best.

The networks (:mod:`.set_transformer`) score all known compounds of the formula's ratio label, those of the library and
those the model remembers from its training (:mod:`.memory`). The mean of their softmaxes, weighted by how alike the
elements are, is the probability that the formula takes that compound's structure. Compounds of one anonymous prototype
vote for the same thing, and so do those of like structure (fingerprint distance): templates are chosen by the sum of
their prototype's votes and by how much of the distribution they cover (:mod:`.coverage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.propose.assign import dissimilarities, element_rows
from aiida_inversedesign.propose.npz import Arrays
from aiida_inversedesign.propose.rankers.coverage import cover, distances, looked_at
from aiida_inversedesign.propose.rankers.memory import Memory
from aiida_inversedesign.propose.rankers.ranking import TAUS, Counts, Group, Ranked
from aiida_inversedesign.propose.rankers.set_transformer import Floats, SetTransformer, Tokens

#: most structures that vote for one formula: the likeliest ones
VOTERS = 192
#: formulas scored in one pass
BLOCK = 64
#: what the element dissimilarity per atom takes from the logarithm of a voter's probability: the networks know which
#: structures go with a chemistry, the plain distance of the elements distinguishes the nearest relatives. Chosen on
#: held-out compounds.
DISSIMILARITY = 0.3
#: A further template of a prototype is the right one with the probability of the prototype times (1 + those before it)
#: to this power. Chosen on 654 held-out compounds of the Materials Project, 20 templates each, among 0 to 3: in the
#: order of the probabilities a template within τ = 0.2 is among the first five for 59.6 % (59.2 in the order of choice;
#: 43.3 where each template had the probability of its prototype), and the right prototype among ten for 84.6 % (84.9).
FURTHER = -2.0
#: names of the numbers that the probabilities are calibrated on, see :func:`evidence`
EVIDENCE = ('logit of the mass', 'log of the voters', 'entropy', 'rank')


@dataclass(frozen=True, eq=False)
class Voters:
    """What votes for the formulas of one ratio label: the group's templates first, then remembered compounds.

    :param keys: of each network, shape (n, 2 o).
    :param bias: of each network from the energies above the hull, shape (n,).
    :param prints: projected fingerprints, shape (n, p); NaN where there is none.
    :param rows: rows of the element table by falling count, shape (n, elements).
    :param remembered: index of each remembered formula among the voters.
    :param prototypes: number of the prototype of each voter, shape (n,); a voter without one has a number of its own.
    """

    templates: int
    keys: tuple[Floats, ...]
    bias: tuple[Floats, ...]
    prints: Floats
    rows: NDArray[np.int64]
    remembered: dict[str, list[int]]
    prototypes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PosteriorRanker:
    """Trained networks with the compounds they were trained on.

    :param calibration: for each τ of :data:`~.ranking.TAUS`, and last for the prototype, the weights of the evidence
        and a constant, shape (4, 5); (3, 5) of models that know no prototypes.
    """

    members: tuple[SetTransformer, ...]
    memory: Memory
    calibration: NDArray[np.float64]
    name: str = 'ours'

    def voters(self, group: Group) -> Voters:
        """The voters for a group of templates, computed once for each group."""
        known = group.cache.get(self.name)
        if isinstance(known, Voters):
            return known
        recalled = self.memory.beyond(group)
        tokens = Tokens.of([*group.counts, *recalled.compositions])
        remembered_energies = self.memory.e_above_hull[recalled.template_indices].astype(np.float64)
        energies = np.concatenate([group.e_above_hull, remembered_energies])
        whole, own = group.fingerprints, recalled.templates
        if whole is None or own is None:
            whole = np.full((len(group), recalled.fingerprints.shape[1]), np.nan, dtype=np.float32)
            own = np.full((len(group), recalled.prints.shape[1]), np.nan, dtype=np.float32)
        full = np.concatenate([whole, recalled.fingerprints]).astype(np.float32)
        found = Voters(
            len(group),
            tuple(member.keys(tokens, full) for member in self.members),
            tuple(member.hull_bias(energies) for member in self.members),
            np.concatenate([own, recalled.prints]).astype(np.float32),
            element_rows([*group.counts, *recalled.compositions]),
            {formula: [len(group) + index for index in at] for formula, at in recalled.positions.items()},
            _numbers([*group.prototypes, *recalled.prototypes]),
        )
        group.cache[self.name] = found
        return found

    def posterior(self, queries: Sequence[Counts], group: Group) -> NDArray[np.float32]:
        """Probability of each voter for each formula, shape (queries, voters).

        A formula's own remembered entry never votes: the memory is there for analogies, not for answers.
        """
        voters = self.voters(group)
        tokens = Tokens.of(queries)
        total = np.zeros((len(queries), len(voters.prints)), dtype=np.float32)
        own = [(row, voters.remembered.get(reduced_formula(counts), [])) for row, counts in enumerate(queries)]
        for member, keys, bias in zip(self.members, voters.keys, voters.bias, strict=True):
            scores = member.queries(tokens) @ keys.T
            scores += bias
            for row, template_indices in own:
                scores[row, template_indices] = -np.inf
            scores -= scores.max(axis=1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=1, keepdims=True)
            total += scores
        for row, counts in enumerate(queries):
            total[row] *= np.exp(-DISSIMILARITY * dissimilarities(counts, voters.rows))
        total /= np.maximum(total.sum(axis=1, keepdims=True), 1e-30)
        return total

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        """The ``top_k`` templates of the likeliest prototypes of each formula, best first."""
        out = []
        for start in range(0, len(queries), BLOCK):
            block = queries[start : start + BLOCK]
            out += [self._choose(row, group, top_k)[0] for row in self.posterior(block, group)]
        return out

    def explain(self, counts: Counts, group: Group, top_k: int) -> tuple[Ranked, NDArray[np.float64]]:
        """What :meth:`rank` keeps for one formula, and the evidence its probabilities follow from, shape (k, 4, 4)."""
        return self._choose(self.posterior([counts], group)[0], group, top_k)

    def _choose(self, weights: NDArray[np.float32], group: Group, top_k: int) -> tuple[Ranked, NDArray[np.float64]]:
        """The templates kept for one formula, and the evidence for each, shape (k, 4, 4)."""
        voters = self.voters(group)
        asked = _largest(weights, VOTERS)
        candidates = _largest(weights[: voters.templates], looked_at(top_k))
        distance = distances(voters.prints[candidates], voters.prints[asked])
        # a template without fingerprint still stands for itself
        distance[candidates[:, None] == asked[None, :]] = 0
        mass = weights[asked]
        shares = np.bincount(voters.prototypes, weights=weights).astype(np.float64)
        kinds = voters.prototypes[candidates]
        chosen, gains = cover(distance, mass, top_k, voters.prints[candidates], kinds, shares)
        numbers = evidence(distance[chosen], mass, shares[kinds[chosen]], len(weights))
        known = len(self.calibration)
        logits = (numbers[:, :known] * self.calibration[None, :, :-1]).sum(axis=2) + self.calibration[None, :, -1]
        probabilities = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        within = np.maximum.accumulate(probabilities[:, : len(TAUS)], axis=1)
        prototype = _divided(probabilities[:, len(TAUS)], kinds[chosen]) if known > len(TAUS) else None
        return Ranked(group.indices[candidates[chosen]], gains, within, prototype), numbers

    def to_arrays(self) -> Arrays:
        """Plain arrays by name."""
        arrays: Arrays = {'members': np.array(len(self.members)), 'calibration': self.calibration}
        for number, member in enumerate(self.members):
            arrays |= {f'member{number}.{name}': value for name, value in member.arrays.items()}
        return arrays | {f'memory.{name}': value for name, value in self.memory.to_arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> PosteriorRanker:
        """The ranker of :meth:`to_arrays`."""
        members = tuple(SetTransformer(select(arrays, f'member{n}.')) for n in range(int(arrays['members'])))
        return cls(members, Memory.from_arrays(select(arrays, 'memory.')), arrays['calibration'])


def evidence(
    distance: NDArray[np.float32], mass: NDArray[np.float32], shares: NDArray[np.float64], voters: int
) -> NDArray[np.float64]:
    """What the probabilities of a chosen template are calibrated on, shape (k, 4, 4), see :data:`EVIDENCE`.

    The mass is that of the structures within each τ, and last that of the template's prototype.

    :param distance: of each chosen template (in order of choice) to each structure, shape (k, m).
    :param mass: probability of each structure, shape (m,).
    :param shares: probability of the prototype of each chosen template, shape (k,).
    :param voters: number of all structures.
    """
    out = np.empty((len(distance), len(TAUS) + 1, len(EVIDENCE)))
    entropy = float(-(mass * np.log(mass + 1e-12)).sum())
    for column, tau in enumerate(TAUS):
        within = np.clip((distance <= tau) @ mass, 1e-4, 1 - 1e-4)
        out[:, column, 0] = np.log(within / (1 - within))
    right = np.clip(shares, 1e-4, 1 - 1e-4)
    out[:, len(TAUS), 0] = np.log(right / (1 - right))
    out[:, :, 1] = np.log(voters)
    out[:, :, 2] = entropy
    out[:, :, 3] = np.log1p(np.arange(len(distance)))[:, None]
    return out


def _divided(probabilities: NDArray[np.float64], prototypes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability that a template is the right one, from those of the prototypes; all of shape (k,).

    The first template of a prototype has the probability of the prototype, further ones less: they are right only where
    the first is not.
    """
    out, before = probabilities.copy(), dict[int, list[int]]()
    for index, kind in enumerate(prototypes.tolist()):
        same = before.setdefault(kind, [])
        same.append(index)
        out[index] = probabilities[same[0]] * len(same) ** FURTHER
    return out


def _numbers(labels: Sequence[str]) -> NDArray[np.int64]:
    """A number for each label; empty ones are all different."""
    known: dict[str | int, int] = {}
    return np.array(
        [known.setdefault(label or index, len(known)) for index, label in enumerate(labels)], dtype=np.int64
    )


def select(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _largest(values: NDArray[np.float32], number: int) -> NDArray[np.int64]:
    """Positions of the largest values, falling; equal ones in their order."""
    kept = np.sort(np.argpartition(-values, number - 1)[:number]) if len(values) > number else np.arange(len(values))
    return np.asarray(kept[np.argsort(-values[kept], kind='stable')])
