"""What a ranking of templates is: which ones may be used, which were kept for a formula, and the contract of a ranker.

Every ranker of this package (ours, the published network, the plain rules they are compared with) takes the same
templates and returns the same record, so that one benchmark and one pipeline serve all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.assign import element_rows

Counts = Mapping[str, int]

#: fingerprint distances for which a ranker may tell the probability that a template is so near to the truth
TAUS = (0.1, 0.2, 0.3)


@dataclass(frozen=True, eq=False)
class Ranked:
    """The templates kept for one formula, best first.

    :param indices: their indices in the library, shape (k,).
    :param scores: what they were ranked by, shape (k,): larger is better; comparable within one formula only.
    :param prototype: probability that the template has the formula's own prototype and is the first here that is
        right, shape (k,); None if the ranker gives none.
    :param within: probability that the template's structure lies within each of :data:`TAUS` of the formula's own,
        shape (k, 3); None if the ranker gives no probabilities.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    within: NDArray[np.float64] | None = None
    prototype: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.indices)


class Templates:
    """The usable templates of a library, by ratio label.

    :param max_sites: largest primitive cell that is used; None for no limit.
    :param exclude_formulas: reduced formulas whose templates are not used.
    """

    def __init__(
        self, library: Library, max_sites: int | None = None, exclude_formulas: Collection[str] = frozenset()
    ) -> None:
        self.library = library
        self._groups: dict[str, Group] = {}
        excluded = frozenset(exclude_formulas)
        for label in library.ratios:
            indices = [
                index
                for index in library.by_ratio(label)
                if (max_sites is None or library[index].crystal.nsites <= max_sites)
                and not unknown_elements(library[index].crystal.counts)
                and (not excluded or library[index].crystal.formula not in excluded)
            ]
            if indices:
                self._groups[label] = Group(library, label, np.array(indices, dtype=np.int64), excluded)

    @property
    def labels(self) -> list[str]:
        """Ratio labels that have a template."""
        return list(self._groups)

    def group(self, label: str) -> Group | None:
        """The templates of a ratio label, or None if there are none."""
        return self._groups.get(label)


@dataclass(frozen=True, eq=False)
class Group:
    """The templates of one ratio label, with what rankers ask of them, computed once.

    :param indices: indices in the library, shape (n,).
    :param excluded: reduced formulas that a ranker must not use, wherever it may know them from.
    """

    library: Library
    label: str
    indices: NDArray[np.int64]
    excluded: frozenset[str] = frozenset()
    #: a ranker keeps here what it computed for these templates, under its own name
    cache: dict[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def counts(self) -> list[dict[str, int]]:
        """Reduced element counts of each template."""
        return [reduced(self.library[int(index)].crystal.counts) for index in self.indices]

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the element table by falling count, shape (n, elements)."""
        return element_rows(self.counts)

    @cached_property
    def e_above_hull(self) -> NDArray[np.float64]:
        """Energy above the hull, eV/atom, shape (n,); NaN where it is not known."""
        values = [self.library[int(index)].e_above_hull for index in self.indices]
        return np.array([np.nan if value is None else value for value in values])

    @cached_property
    def fingerprints(self) -> NDArray[np.float32] | None:
        """Structure fingerprints, shape (n, 244), NaN where there is none; None if the library has none."""
        whole = self.library.fingerprints
        return None if whole is None else whole[self.indices]

    @cached_property
    def prototypes(self) -> list[str]:
        """Anonymous prototype of each template; empty where it cannot be determined."""
        return [label_of(self.library[int(index)]) for index in self.indices]

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Rank of each template, shape (n,), where nothing else decides: stable, small and symmetric ones first."""

        def key(position: int) -> tuple[float, int, int, str]:
            template = self.library[int(self.indices[position])]
            energy = template.e_above_hull if template.e_above_hull is not None else 0.0
            return energy, template.crystal.nsites, -template.spacegroup, template.id

        template_indices = np.empty(len(self.indices), dtype=np.int64)
        template_indices[sorted(range(len(self.indices)), key=key)] = np.arange(len(self.indices))
        return template_indices


class Ranker(Protocol):
    """Ranks the templates of formulas that share one ratio label."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        """The ``top_k`` best templates of each formula; fewer if the group is smaller.

        :param queries: reduced element counts, all of the group's ratio label.
        """
        ...


def reduced(counts: Counts) -> dict[str, int]:
    """The counts divided by their greatest common divisor."""
    divisor = int(np.gcd.reduce(list(counts.values())))
    return {symbol: count // divisor for symbol, count in counts.items()}
