"""An extended n-gram model of SMILES (Ikebata et al., J. Comput. Aided Mol. Des. 31, 379 (2017)).

The next token depends on the last tokens of the string in which closed branches are contracted, and on how many rings
and branches are open: what stands in a branch that is closed says little about what follows it. Contexts of different
lengths are interpolated (Witten and Bell, IEEE Trans. Inf. Theory 37, 1085 (1991)):
p_m(w) = (count(w) + T p_(m-1)(w)) / (all + T), T the number of different tokens that followed the context of length m.
Tokens that break grammar or a valence are drawn again, which leaves the model's distribution among the others.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.propose.molecules.strings import END, Writing, bonds_seen, tokens_of

#: Longest context in tokens: of the paper's orders up to 10 the highest.
LONGEST = 9
#: A context of more than two tokens that was seen once says what one molecule does: it is left out.
FEWEST = 2
#: Molecules that are learned from at most; those of a larger library are thinned evenly.
MOST_MOLECULES = 20_000
#: Tokens of a string at most; longer ones are given up. 1 000 characters are the longest SMILES that are read.
MOST_TOKENS = 300
#: Draws of a token before the allowed ones are weighted one by one.
DRAWS = 12

Context = tuple[Any, ...]


class LanguageError(InverseDesignError):
    """Strings from which nothing can be learned."""


@dataclass(frozen=True)
class _Followers:
    tokens: tuple[str, ...]
    sums: tuple[int, ...]

    def draw(self, rng: random.Random) -> str:
        return rng.choices(self.tokens, cum_weights=self.sums)[0]


@dataclass(frozen=True)
class LanguageModel:
    """A model of strings; make it with :meth:`of`.

    :param followers: what followed each context, with running sums of the counts.
    :param most_bonds: largest sum of bond orders of each atom token.
    """

    followers: dict[Context, _Followers]
    most_bonds: dict[str, int]
    strings: int

    @classmethod
    def of(cls, molecules: Iterable[Any]) -> LanguageModel:
        """Learn from RDKit molecules.

        :raises LanguageError: if fewer than two can be written in tokens.
        """
        strings = [tokens for mol in molecules if (tokens := tokens_of(mol)) is not None]
        if len(strings) < 2:
            raise LanguageError(f'{len(strings)} molecules of the library can be learned from, at least 2 are needed')
        most_bonds = bonds_seen(strings)
        indices = [index for tokens in strings for index in _contexts(tokens)]
        followers: dict[Context, _Followers] = {}
        for length in range(-1, LONGEST + 1):
            counts: dict[Context, dict[str, int]] = {}
            longer = []
            for context, state, token in indices:
                key = _key(context, state, length)
                if key is None or (length > 0 and _key(context, state, length - 1) not in followers):
                    continue
                longer.append((context, state, token))
                own = counts.setdefault(key, {})
                own[token] = own.get(token, 0) + 1
            for key, own in counts.items():
                if length <= 2 or sum(own.values()) >= FEWEST:
                    followers[key] = _Followers(tuple(own), tuple(accumulate(own.values())))
            indices = longer
        return cls(followers, most_bonds, len(strings))

    def next_token(self, writing: Writing, rng: random.Random) -> str | None:
        """A token drawn from the model among those that are allowed; None if there is none."""
        chain = self._chain(writing)
        for _ in range(DRAWS):
            token = self._draw(chain, rng)
            if writing.allows(token):
                return token
        weights = {token: weight for token, weight in self.weights(writing).items() if writing.allows(token)}
        if not weights:
            return None
        return rng.choices(list(weights), list(weights.values()))[0]

    def weights(self, writing: Writing) -> dict[str, float]:
        """The probability of each token, allowed or not."""
        found: dict[str, float] = {}
        for one in reversed(self._chain(writing)):
            total, different = one.sums[-1], len(one.tokens)
            rest = different / (total + different) if found else 0.0
            found = {token: rest * weight for token, weight in found.items()}
            before = 0
            for token, running in zip(one.tokens, one.sums, strict=True):
                share = (running - before) / total
                found[token] = found.get(token, 0.0) + (1 - rest) * share
                before = running
        return found

    def finish(self, writing: Writing, rng: random.Random) -> list[str] | None:
        """Write a string to its end; None if it comes to a dead end or grows too long."""
        while len(writing.tokens) < MOST_TOKENS:
            token = self.next_token(writing, rng)
            if token is None:
                return None
            if token == END:
                return writing.tokens
            writing.add(token)
        return None

    def begun(self, tokens: Sequence[str]) -> Writing:
        """A string that begins with these tokens."""
        writing = Writing(self.most_bonds)
        for token in tokens:
            writing.add(token)
        return writing

    def _chain(self, writing: Writing) -> list[_Followers]:
        """What followed each suffix of the context that was seen, the longest first."""
        found = []
        for length in range(-1, LONGEST + 1):
            key = _key(writing.context, writing.state, length)
            one = None if key is None else self.followers.get(key)
            if one is None and length >= 0:
                break
            if one is not None:
                found.append(one)
        return found[::-1]

    @staticmethod
    def _draw(chain: Sequence[_Followers], rng: random.Random) -> str:
        """A draw from the interpolation: at each length it stays, or goes on to the next shorter one."""
        for one in chain[:-1]:
            total = one.sums[-1]
            if rng.random() * (total + len(one.tokens)) < total:
                return one.draw(rng)
        return chain[-1].draw(rng)


def _contexts(tokens: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[int, bool], str]]:
    """Context, state and next token at each position of a string."""
    writing, found = Writing({}), []
    for token in [*tokens, END]:
        found.append((tuple(writing.context[-LONGEST:]), writing.state, token))
        if token != END:
            writing.add(token)
    return found


def _key(context: Sequence[str], state: tuple[int, bool], length: int) -> Context | None:
    """The suffix of a context; None if the context is shorter. Length -1: without what is open."""
    if length < 0:
        return ()
    if length > len(context):
        return None
    return (state, *context[len(context) - length :])


@functools.lru_cache(maxsize=2)
def learned(smiles: tuple[str, ...]) -> LanguageModel:
    """The model of SMILES, kept because a campaign asks for the same one again and again.

    :raises LanguageError: if nothing can be learned from them.
    """
    from aiida_inversedesign.spaces.molecules.molecule import parse

    step = -(-len(smiles) // MOST_MOLECULES)
    return LanguageModel.of(parse(text) for text in smiles[::step])
