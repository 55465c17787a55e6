"""Builds the structures that are compared: the formula's elements in the template, at the predicted volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.propose.assign import assign_elements
from aiida_inversedesign.propose.library import Library
from aiida_inversedesign.propose.ranking import Counts, reduced
from aiida_inversedesign.propose.volume import estimate_volume

#: crystals of a formula in templates of the library, in their order
Builder = Callable[[Counts, Sequence[int], Library], list[Crystal]]


def build_structures(counts: Counts, indices: Sequence[int], library: Library) -> list[Crystal]:
    """The crystal of a formula in each of the templates.

    :param counts: reduced element counts.
    :param indices: places of the templates in the library.
    """
    crystals = []
    for index in indices:
        template = library[int(index)].crystal
        mapping, dissimilarity = assign_elements(counts, reduced(template.counts))
        volume = estimate_volume(template, mapping, dissimilarity).volume
        crystals.append(template.with_species(mapping).scaled_to(volume))
    return crystals
