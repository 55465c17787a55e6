"""The contract of an interatomic potential (group ``aiida_inversedesign.potentials``). Imports no aiida.

A package brings one by an entry point that names a :class:`Potential`. The campaign file names it in
``screen.potential``; which code it is never comes from a file or an archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida_inversedesign.campaign.contracts import registry


@dataclass(frozen=True)
class Potential:
    """An ASE calculator with its weights, and what has to be known of it.

    :param calculator: ``module:Class``, imported where the job runs.
    :param distribution: the package that brings it; its version is recorded.
    :param weights: ``package/path`` of the file of its parameters, or empty; its SHA-256 is recorded.
    :param sha256: of that file; other weights are refused. Empty: any.
    :param convention: what its energies are, in words. Energies of two potentials, or of a potential and DFT, are never
        compared.
    :param elements: symbols that it knows; empty: any, or it says so itself.
    :param install: what ``pip`` installs where it is missing.
    :param citations: keys of ``paper/references.bib`` or BibTeX entries.
    """

    name: str
    calculator: str
    distribution: str
    licence: str
    convention: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ''
    sha256: str = ''
    elements: frozenset[str] = frozenset()
    install: str = ''
    citations: tuple[str, ...] = ()

    def to_job(self) -> dict[str, Any]:
        """What the program of a job needs of it."""
        return {
            'calculator': self.calculator,
            'arguments': dict(self.arguments),
            'distribution': self.distribution,
            'weights': self.weights,
            'sha256': self.sha256,
        }


def potential(name: str) -> Potential:
    """The installed potential of a name.

    :raises PartError: if there is none, or its entry point names something else.
    """
    found = registry.part('potentials', name)
    if not isinstance(found, Potential) or found.name != name:
        raise registry.PartError(
            f'the potential {name!r} of the package {registry.package_of("potentials", name)} does not keep its '
            f'contract: its entry point must name a Potential with name = {name!r}'
        )
    return found
