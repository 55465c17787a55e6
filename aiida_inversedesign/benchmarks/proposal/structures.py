"""Builds the structures that are compared: the formula's elements in the template, at the predicted volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.propose.build import build
from aiida_inversedesign.propose.rankers.ranking import Counts, Group
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, Volumes

#: crystals of a formula in templates of a group, named by their indices in the library, in their order
Builder = Callable[[Counts, Sequence[int], Group], list[Crystal]]


def builder_of(volumes: Volumes | None = None) -> Builder:
    """A builder with this prediction of volumes; without one, templates are scaled by element volumes."""
    predictor = ElementVolumes() if volumes is None else volumes

    def builder(counts: Counts, indices: Sequence[int], group: Group) -> list[Crystal]:
        return [item.crystal for item in build(counts, indices, group, predictor)]

    return builder
