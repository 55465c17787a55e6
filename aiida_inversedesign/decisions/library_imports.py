"""Libraries made of what is in the database, as calculations: their provenance shows where every template came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, List, StructureData

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.collect import Filter, collect
from aiida_inversedesign.libraries.entries import Raw, RefusedError
from aiida_inversedesign.libraries.library import Library, LibraryError, Skipped
from aiida_inversedesign.libraries.merge import merge
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.structures import crystal_of

#: structures of one calculation: each is a link in the database
PART = 250


@calcfunction
def import_group(settings: Dict, **structures: StructureData):
    """A library of structure nodes.

    :param settings: ``source``, ``license``, ``date``, ``filter`` (options of Filter), ``fields`` (further fields of a
        structure by its UUID, e.g. ``e_above_hull``), ``fingerprints`` (whether they are computed), ``workers``, and
        ``skipped`` (rows of source, kind and reason that are kept with the library instead of those found here).
    :param structures: the nodes; a template's id is the UUID of its node.
    """
    asked = settings.get_dict()
    library, skipped = collect(
        structure_entries(list(structures.values()), asked.get('fields', {}), asked['filter'].get('largest_cell')),
        Filter(**asked['filter']),
        asked['source'],
        asked['license'],
        asked['date'],
    )
    return _outputs(_described(library, asked), skipped, asked.get('skipped'))


@calcfunction
def merge_libraries(settings: Dict, **libraries: LibraryData):
    """One library of several, without duplicates (:func:`aiida_inversedesign.libraries.merge.merge`).

    :param settings: ``match`` (whether StructureMatcher is asked), ``names`` (of the inputs, for the list of what was
        dropped), ``filter``, ``fingerprints``, ``workers``, and ``skipped`` as for an import.
    :param libraries: the libraries; the order of their link labels is that of the merge.
    """
    asked = settings.get_dict()
    parts = [(asked['names'].get(link, link), libraries[link].get_library()) for link in sorted(libraries)]
    try:
        merged = merge(parts, Filter(**asked['filter']), match=asked['match'])
    except LibraryError as error:
        return ExitCode(300, str(error))
    known = {
        template.crystal.content_hash: np.asarray(row, dtype=np.float64)
        for _, library in parts
        if library.fingerprints is not None
        for template, row in zip(library, library.fingerprints, strict=True)
    }
    return _outputs(_described(merged.library, asked, known), merged.dropped, asked.get('skipped'))


def structure_entries(
    nodes: list[StructureData], fields: Mapping[str, Mapping[str, Any]], largest: int | None = entries.LARGEST_CELL
) -> Iterator[Raw]:
    """The nodes as entries of a library."""
    for node in nodes:
        yield Raw(f'StructureData<{node.pk}>', node.uuid, partial(_checked, node, largest), fields.get(node.uuid, {}))


def _checked(node: StructureData, largest: int | None) -> Crystal:
    """The crystal of a structure node, which may come from anywhere.

    :raises RefusedError: if it is not periodic in three directions, partially occupied, or too large.
    """
    if not all(node.pbc):
        raise RefusedError(entries.LATTICE, 'the structure is not periodic in three directions')
    if any(kind.is_alloy or kind.has_vacancies for kind in node.kinds):
        raise RefusedError(entries.PARTIAL, 'partially occupied sites: only ordered structures can be used')
    sites = node.sites
    entries.check_sites(len(sites), largest)
    lattice = np.array(node.cell, dtype=np.float64)
    positions = np.array([site.position for site in sites], dtype=np.float64).reshape(-1, 3)
    if not (np.isfinite(lattice).all() and np.isfinite(positions).all()):
        raise RefusedError(entries.NAN, 'lattice or coordinates contain NaN or infinity')
    entries.check_cell(lattice, len(sites))
    return crystal_of(node)


def _described(library: Library, asked: Mapping[str, Any], known: Any = None) -> Library:
    """The library with fingerprints and prototypes, as far as it has none yet and they are asked for."""
    if not asked['fingerprints'] or not len(library):
        return library
    from aiida_inversedesign.libraries.fingerprinted import with_fingerprints
    from aiida_inversedesign.libraries.prototype_labels import with_prototypes

    if library.fingerprints is None:
        library = with_fingerprints(library, cache=known, workers=asked['workers'])[0]
    return with_prototypes(library)


def _outputs(library: Library, skipped: list[Skipped], listed: list[list[str]] | None) -> dict[str, Any]:
    kept = skipped if listed is None else [Skipped(source, reason, kind) for source, kind, reason in listed]
    return {
        'library': LibraryData.from_library(library, skipped=kept),
        'skipped': List([[item.source, item.kind, item.reason] for item in skipped]),
    }
