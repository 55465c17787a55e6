"""The chemical systems that are searched: what is asked for, and what is hidden."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.spaces.crystals.formula_space import draw_formulas
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

#: Ratios from which decoys are drawn, and which are asked for where only elements are given: the commonest ones.
RATIOS = 8


@dataclass(frozen=True, eq=False)
class System:
    """One chemical system to search.

    :param elements: in alphabetical order.
    :param formulas: reduced formulas that are asked for, decoys among them.
    :param decoys: those of them that the library does not have.
    :param own: every entry of the library within the system.
    :param max_sites: of the cells that are proposed.
    """

    elements: tuple[str, ...]
    formulas: tuple[str, ...]
    decoys: tuple[str, ...]
    own: tuple[Template, ...]
    max_sites: int

    @property
    def name(self) -> str:
        """``Na-Cl`` style."""
        return '-'.join(self.elements)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Formulas whose templates must not be used, nor their energies known to an arm."""
        return frozenset(item.crystal.formula for item in self.own) | frozenset(self.formulas)

    @cached_property
    def compounds(self) -> frozenset[str]:
        """Hidden formulas with all elements of the system: the others are known competing phases."""
        return frozenset(formula for formula in self.hidden if len(parse_formula(formula)) == len(self.elements))

    @cached_property
    def truths(self) -> tuple[Template, ...]:
        """The stable compounds that a search can find: on the hull of the library, with all elements, small enough."""
        return tuple(item for item in self.own if _is_truth(item, len(self.elements), self.max_sites))


@dataclass(frozen=True)
class Ask:
    """What is asked for in each system.

    :param decoys: formulas that the library does not have, for each system.
    :param elements_only: ask for all formulas of the commonest ratios, instead of those of the library and decoys.
    """

    decoys: int = 4
    elements_only: bool = False
    max_sites: int = 20
    seed: int = 0


def _is_truth(item: Template, elements: int, max_sites: int) -> bool:
    crystal = item.crystal
    stable = item.e_above_hull is not None and item.e_above_hull <= 0
    return stable and crystal.nsites <= max_sites and len(set(crystal.species)) == elements


def systems_of(library: Library) -> dict[frozenset[str], list[Template]]:
    """The entries of each chemical system, those of smaller systems not included."""
    found: dict[frozenset[str], list[Template]] = defaultdict(list)
    for item in library:
        found[frozenset(item.crystal.species)].append(item)
    return dict(found)


def drawn(library: Library, n: int, size: int, ask: Ask, able: Collection[str] = (), least: int = 2) -> list[System]:
    """``n`` systems of ``size`` elements with at least ``least`` stable compounds, drawn at random.

    :param able: elements that the potentials know; empty: all.
    :raises BenchmarkError: if there are fewer.
    """
    by_elements = systems_of(library)
    eligible = sorted(
        tuple(sorted(elements))
        for elements, items in by_elements.items()
        if len(elements) == size
        and not unknown_elements(elements)
        and (not able or elements <= frozenset(able))
        and len({item.crystal.formula for item in items if _is_truth(item, size, ask.max_sites)}) >= least
    )
    if len(eligible) < n:
        raise BenchmarkError(
            f'only {len(eligible)} systems of {size} elements have {least} or more stable compounds of at most '
            f'{ask.max_sites} atoms that the potentials know: lower --n or --least, or raise --max-sites'
        )
    chosen = random.Random(ask.seed).sample(eligible, n)  # noqa: S311
    return [made(library, elements, ask) for elements in sorted(chosen)]


def named(library: Library, names: Sequence[str], ask: Ask) -> list[System]:
    """Systems that are named, as ``Na-Cl``."""
    return [made(library, _elements(name), ask) for name in names]


def given(library: Library, formulas: Sequence[str], ask: Ask) -> list[System]:
    """The systems of formulas that are given; nothing else is asked for."""
    by_elements: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for formula in formulas:
        counts = parse_formula(formula)
        by_elements[tuple(sorted(counts))].append(reduced_formula(counts))
    return [made(library, elements, ask, asked) for elements, asked in sorted(by_elements.items())]


def made(library: Library, elements: Collection[str], ask: Ask, formulas: Sequence[str] = ()) -> System:
    """The system of these elements.

    :param formulas: what is asked for; default: by ``ask``.
    :raises BenchmarkError: if the library has no stable compound to find.
    """
    ordered = tuple(sorted(elements))
    if unknown := unknown_elements(ordered):
        raise BenchmarkError(f'the system {"-".join(ordered)}: no element data for {", ".join(unknown)}')
    own = tuple(item for item in library if set(item.crystal.species) <= set(ordered))
    known = sorted({item.crystal.formula for item in own if len(set(item.crystal.species)) == len(ordered)})
    asked = list(dict.fromkeys(formulas)) or list(_asked(library, ordered, known, ask))
    decoys = tuple(formula for formula in asked if formula not in known)
    system = System(ordered, tuple(asked), decoys, own, ask.max_sites)
    if not system.truths:
        raise BenchmarkError(
            f'the library has no compound of {system.name} on its hull with at most {ask.max_sites} atoms: '
            'there is nothing to find'
        )
    return system


def _asked(library: Library, elements: tuple[str, ...], known: Sequence[str], ask: Ask) -> Iterator[str]:
    counted = Counter(item.crystal.ratio_label for item in library if len(set(item.crystal.species)) == len(elements))
    ratios = [label for label, _ in counted.most_common(RATIOS)]
    if ask.elements_only:
        space = CrystalSpace(elements=list(elements), ratios=ratios, charge_neutral='off', max_formulas=10_000)
        yield from sorted(reduced_formula(counts) for counts in draw_formulas(space, ask.seed)[0])
        return
    yield from known
    if not ask.decoys:
        return
    # those that can be neutral come first: a decoy should not be recognisable by its charges
    space = CrystalSpace(elements=list(elements), ratios=ratios, charge_neutral='prefer', max_formulas=10_000)
    others = [reduced_formula(counts) for counts in draw_formulas(space, ask.seed)[0]]
    yield from [formula for formula in others if formula not in known][: ask.decoys]


def _elements(name: str) -> tuple[str, ...]:
    """The elements of ``Na-Cl``."""
    counts = parse_formula(name.replace('-', ''))
    if len(counts) < 2:
        raise BenchmarkError(f'--system {name}: name two elements or more joined by hyphens, e.g. Na-Cl')
    return tuple(sorted(counts))
