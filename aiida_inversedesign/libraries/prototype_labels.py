"""Anonymous prototypes of a library's templates: stored with the library, else determined when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.libraries.library import Library, Template


def label_of(template: Template) -> str:
    """The prototype of a template, a few milliseconds where it is not stored; empty if it cannot be determined."""
    return template.proto_label or _determined(template.crystal)


@lru_cache(maxsize=100_000)
def _determined(crystal: Crystal) -> str:
    return prototype_label(crystal)


def with_prototypes(library: Library, progress: Callable[[float], None] | None = None) -> Library:
    """The library with the prototype of every template; those that it has already are kept.

    :param progress: called with the fraction that is done, from 0 to 1.
    """
    report = progress or (lambda done: None)
    labelled = []
    for number, template in enumerate(library):
        if number % 100 == 0:
            report(number / len(library))
        labelled.append(template if template.proto_label else replace(template, proto_label=label_of(template)))
    report(1.0)
    return Library(labelled, library.fingerprints)
