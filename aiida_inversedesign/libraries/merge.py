"""Merges libraries: of structures that are the same, the one nearest to the hull stays."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.chemistry.matching import reduced, same_reduced
from aiida_inversedesign.libraries.collect import Filter, Progress
from aiida_inversedesign.libraries.entries import SAME_STRUCTURE, RefusedError
from aiida_inversedesign.libraries.library import Library, LibraryError, Skipped, Template


@dataclass(frozen=True)
class Merged:
    """What a merge gives.

    :param library: the templates that stayed, in the order of the libraries.
    :param dropped: the others, with what they are duplicates of, or why they are not wanted.
    :param renamed: new id of each template whose id another structure has.
    """

    library: Library
    dropped: list[Skipped]
    renamed: dict[str, str]


@dataclass(frozen=True)
class _Entry:
    """A template, where it comes from, and its index in the order of all."""

    template: Template
    library: str
    index: int

    @property
    def where(self) -> str:
        return f'{self.library}: {self.template.id}'

    @property
    def preference(self) -> tuple[float, int]:
        """Sorts what is kept to the front: nearest to the hull, then first named; unknown energies come last."""
        energy = self.template.e_above_hull
        return (math.inf if energy is None else energy, self.index)


def merge(
    libraries: Sequence[tuple[str, Library]],
    wanted: Filter | None = None,
    match: bool = True,
    progress: Progress | None = None,
) -> Merged:
    """One library of several, without duplicates.

    Two templates of one reduced formula are duplicates if their structures are equal, or if StructureMatcher with
    ltol 0.2, stol 0.3 and 5° finds them so. Of duplicates the one with the lowest energy above the hull stays; one
    without an energy yields to one with it, and of equals the one named first stays. Fingerprints go along where
    every library has them.

    :param wanted: which templates are taken.
    :param match: whether StructureMatcher is asked; if not, only equal structures are duplicates.
    :raises LibraryError: if nothing is left.
    """
    flat = [(name, item) for name, library in libraries for item in library]
    dropped: list[Skipped] = []
    groups: dict[str, list[_Entry]] = defaultdict(list)
    for index, (name, template) in enumerate(flat):
        entry = _Entry(template, name, index)
        try:
            if wanted is not None:
                wanted.check(template)
        except RefusedError as error:
            dropped.append(Skipped(entry.where, str(error), error.kind))
            continue
        groups[template.crystal.formula].append(entry)
    kept: list[_Entry] = []
    done = 0
    for group in groups.values():
        stay, duplicates = _distinct(sorted(group, key=lambda entry: entry.preference), match)
        kept += stay
        dropped += duplicates
        done += len(group)
        if progress is not None:
            progress(done, done / len(flat))
    if not kept:
        raise LibraryError(f'none of {len(flat)} templates is left: nothing was merged')
    kept.sort(key=lambda entry: entry.index)
    templates, renamed = _unique_ids(kept)
    return Merged(Library(templates, _fingerprints(libraries, kept)), dropped, renamed)


def _distinct(entries: Sequence[_Entry], match: bool) -> tuple[list[_Entry], list[Skipped]]:
    """The entries of one formula, best first, without those that equal a better one."""
    kept: list[_Entry] = []
    cells: list[Any] = []
    dropped: list[Skipped] = []
    hashes: dict[str, _Entry] = {}
    for entry in entries:
        crystal = entry.template.crystal
        same = hashes.get(crystal.content_hash)
        structure = None
        if same is None and match and len(entries) > 1:
            structure = reduced(crystal)
            same = next(
                (other for other, known in zip(kept, cells, strict=True) if same_reduced(known, structure)), None
            )
        if same is not None:
            dropped.append(Skipped(entry.where, f'the same structure as {same.where}', SAME_STRUCTURE))
            continue
        hashes[crystal.content_hash] = entry
        kept.append(entry)
        cells.append(structure)
    return kept, dropped


def _unique_ids(kept: Iterable[_Entry]) -> tuple[list[Template], dict[str, str]]:
    """The templates; an id that another structure has gets a number."""
    taken: set[str] = set()
    renamed: dict[str, str] = {}
    templates = []
    for entry in kept:
        name = entry.template.id
        if name in taken:
            name = next(new for number in itertools.count(2) if (new := f'{entry.template.id}~{number}') not in taken)
            renamed[entry.where] = name
        taken.add(name)
        templates.append(replace(entry.template, id=name))
    return templates, renamed


def _fingerprints(libraries: Sequence[tuple[str, Library]], kept: Sequence[_Entry]) -> Any:
    """The fingerprints of what stayed, shape (n, 244), or None unless every library has them."""
    arrays = [library.fingerprints for _, library in libraries]
    present = [array for array in arrays if array is not None]
    if len(present) < len(arrays):
        return None
    return np.concatenate(present)[[entry.index for entry in kept]]
