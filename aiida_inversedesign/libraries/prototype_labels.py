"""Anonymous prototypes of a library's templates, determined when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence

from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.libraries.library import Library


class PrototypeLabels:
    """Labels of a library's templates, each determined when it is first asked for.

    :param library: a crystal built from a template has the template's label.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._labels: dict[int, str] = {}

    def __getitem__(self, index: int) -> str:
        """The label of the template at this place in the library."""
        index = int(index)
        if index not in self._labels:
            self._labels[index] = prototype_label(self._library[index].crystal)
        return self._labels[index]

    def distinct(self, indices: Sequence[int]) -> int:
        """Number of different prototypes among these templates; one without a label counts as its own."""
        labels = [self[index] for index in indices]
        return len(set(filter(None, labels))) + labels.count('')
