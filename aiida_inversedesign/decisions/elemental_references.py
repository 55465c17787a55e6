"""Elemental references as calculations: their structures, and the energies they were found to have."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict, List

from aiida_inversedesign.libraries.elemental import reference_crystal
from aiida_inversedesign.nodes.structures import structure_of


@calcfunction
def elemental_structures(elements: List):
    """The ground-state crystal of each element, to be relaxed at the campaign's own settings."""
    return {'structures': {symbol: structure_of(reference_crystal(symbol)) for symbol in elements.get_list()}}


@calcfunction
def collect_references(settings: Dict, references: Dict | None = None, **properties):
    """Add the energies per atom (eV) of further elements to the references.

    :param settings: the campaign file without its budget; the references hold for its ``evaluate`` section only.
    :param references: energies so far, by element.
    :param properties: the properties of each further element's evaluation, by element.
    """
    energies = references.get_dict() if references else {}
    return {'references': Dict({**energies, **{el: node['energy']['value'] for el, node in properties.items()}})}
