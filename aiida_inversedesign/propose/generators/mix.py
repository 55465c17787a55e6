"""Several generators together, each with its share of the formulas wanted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.propose.generators.enumeration import Enumeration
from aiida_inversedesign.propose.generators.evolution import Evolution
from aiida_inversedesign.propose.generators.gradient import Gradient
from aiida_inversedesign.propose.generators.inverse_kmd import InverseKmd
from aiida_inversedesign.propose.generators.request import (
    FormulaGenerator,
    GeneratorError,
    NotReadyError,
    Proposed,
    Request,
)
from aiida_inversedesign.propose.generators.tree_search import TreeSearch

#: every generator by its name
GENERATORS: dict[str, type[Enumeration | InverseKmd | Evolution | TreeSearch | Gradient]] = {
    generator.name: generator for generator in (Enumeration, InverseKmd, Evolution, TreeSearch, Gradient)
}


class Mix:
    """Generators with shares; every formula keeps the name of the generator that found it first.

    :param shares: name or generator → share, not negative; only their ratios count.
    :raises GeneratorError: if a name is unknown or no share is positive.
    """

    name = 'mix'

    def __init__(self, shares: Mapping[str, float] | Sequence[tuple[FormulaGenerator, float]]) -> None:
        pairs = (
            [(make_generator(name), share) for name, share in shares.items()]
            if isinstance(shares, Mapping)
            else list(shares)
        )
        if any(not share >= 0 for _, share in pairs) or not any(share > 0 for _, share in pairs):
            raise GeneratorError('the shares of the generators must not be negative, and one must be positive')
        self.parts = [(generator, share) for generator, share in pairs if share > 0]

    def propose(self, request: Request) -> list[Proposed]:
        """The formulas of all generators in turn; what one does not find, enumeration makes up for.

        Without a score everything is enumerated.
        """
        wanted = shared_out(request.number, [share for _, share in self.parts])
        found: list[list[Proposed]] = []
        taken: set[str] = set()
        for (generator, _), number in zip(self.parts, wanted, strict=True):
            found.append(_without(generator, _reduced(request, number, taken), taken) if number else [])
        missing = request.number - sum(map(len, found))
        if missing:
            found.append(_without(Enumeration(), _reduced(request, missing, taken), taken))
        longest = max(map(len, found))
        return [part[index] for index in range(longest) for part in found if index < len(part)]


def make_generator(name: str) -> FormulaGenerator:
    """The generator of a name with its defaults.

    :raises GeneratorError: if there is none.
    """
    if name not in GENERATORS:
        raise GeneratorError(f'unknown generator {name!r}: use {", ".join(GENERATORS)}')
    return GENERATORS[name]()


def shared_out(number: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to the shares, with this sum: the largest remainders are rounded up."""
    exact = [number * share / sum(shares) for share in shares]
    parts = [int(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda index: (parts[index] - exact[index], index))
    for index in order[: number - sum(parts)]:
        parts[index] += 1
    return parts


def _reduced(request: Request, number: int, taken: set[str]) -> Request:
    """The same request for fewer formulas, without those taken."""
    return dataclasses.replace(request, number=number, considered=frozenset(request.considered) | taken)


def _without(generator: FormulaGenerator, request: Request, taken: set[str]) -> list[Proposed]:
    """What a generator finds; its formulas count as taken from now on."""
    try:
        found = generator.propose(request)
    except NotReadyError:
        return []
    taken |= {reduced_formula(item.counts) for item in found}
    return found
