"""Libraries made of what the profile holds: the structures of a group, other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.cli.library.storing import NO_FINGERPRINT, Request, refuse_empty, report, shown_bar
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida.orm import Group

    from aiida_inversedesign.libraries.library import Skipped
    from aiida_inversedesign.nodes.library_data import LibraryData


def import_from_group(name: str, request: Request) -> None:
    """Make a library of the structures of a group; calculations of at most 250 structures link them to it."""
    from aiida.orm import Dict, StructureData

    from aiida_inversedesign.decisions.library_imports import PART, import_group, structure_entries
    from aiida_inversedesign.libraries import entries
    from aiida_inversedesign.libraries.collect import HULL_NAMES, Filter, collect
    from aiida_inversedesign.libraries.library import Skipped

    nodes = list(_find_group(name).nodes)
    structures = [node for node in nodes if isinstance(node, StructureData)]
    others = [node for node in nodes if not isinstance(node, StructureData)]
    fields = {
        node.uuid: {key: value for key, value in node.base.extras.all.items() if key in HULL_NAMES}
        for node in structures
    }
    settings: dict[str, Any] = {
        'source': request.source or f'AiiDA group {name}',
        'license': request.license,
        'date': request.date,
        'filter': request.wanted,
        'fingerprints': request.fingerprints,
        'workers': request.workers,
    }
    # reading once without storing tells whether anything would be left, and what is skipped over all parts
    found, problems = collect(
        structure_entries(structures, fields, request.wanted.get('largest_cell')),
        Filter(**request.wanted),
        settings['source'],
    )
    problems += [
        Skipped(f'{type(node).__name__}<{node.pk}>', 'no StructureData', entries.UNREADABLE) for node in others
    ]
    if not len(found):
        refuse_empty(problems, request)
    kept = {template.id for template in found}
    listed = [[item.source, item.kind, item.reason] for item in problems]
    parts = []
    chunks = [structures[start : start + PART] for start in range(0, len(structures), PART)]
    with shown_bar('storing') as bar:
        for number, chunk in enumerate(chunks):
            if any(node.uuid in kept for node in chunk):
                own = {node.uuid: fields[node.uuid] for node in chunk if fields[node.uuid]}
                inputs = {f'structure_{node.pk}': node for node in chunk}
                # the list belongs to the whole; parts that are merged keep their own
                whole = {'skipped': listed} if len(chunks) == 1 else {}
                parts.append(import_group(Dict({**settings, 'fields': own, **whole}), **inputs)['library'])
            bar.fraction((number + 1) / len(chunks))
    names = [f'part {number + 1}' for number in range(len(parts))]
    library = parts[0] if len(parts) == 1 else _merge(parts, names, request, match=False, skipped=listed)[0]
    library.label = request.label
    report(library, problems + _without_fingerprint(library), request)


def merge_from_profile(labels: Sequence[str], request: Request) -> None:
    """Merge the libraries with these labels."""
    from aiida_inversedesign.libraries.collect import Filter
    from aiida_inversedesign.libraries.entries import RefusedError
    from aiida_inversedesign.nodes.store import get_templates

    nodes = [get_templates(label) for label in labels]
    wanted = Filter(**request.wanted)

    def passes(template: Any) -> bool:
        try:
            wanted.check(template)
        except RefusedError:
            return False
        return True

    if not any(passes(template) for node in nodes for template in node.get_library()):
        raise InverseDesignError(f'none of the templates of {", ".join(labels)} is wanted; nothing was merged')
    with shown_bar(f'merging {sum(node.count for node in nodes)} templates'):
        library, dropped = _merge(nodes, labels, request, match=True)
    library.label = request.label
    report(library, dropped + _without_fingerprint(library), request)


def _merge(
    nodes: Sequence[LibraryData],
    names: Sequence[str],
    request: Request,
    match: bool,
    skipped: list[list[str]] | None = None,
) -> tuple[LibraryData, list[Skipped]]:
    from aiida.orm import Dict

    from aiida_inversedesign.decisions.library_imports import merge_libraries
    from aiida_inversedesign.libraries.library import Skipped

    links = [f'library_{number:04d}' for number in range(len(nodes))]
    settings = {
        'match': match,
        'names': dict(zip(links, names, strict=True)),
        'filter': request.wanted if match else {},
        'fingerprints': request.fingerprints,
        'workers': request.workers,
        **({} if skipped is None else {'skipped': skipped}),
    }
    outputs = merge_libraries(Dict(settings), **dict(zip(links, nodes, strict=True)))
    if 'library' not in outputs:
        raise InverseDesignError('the libraries could not be merged: `verdi process list -a` shows the calculation')
    return outputs['library'], [Skipped(where, reason, kind) for where, kind, reason in outputs['skipped'].get_list()]


def _find_group(name: str) -> Group:
    import difflib

    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import Group, QueryBuilder, load_group

    try:
        return load_group(name)
    except MultipleObjectsError as error:
        raise InverseDesignError(f'several groups are called {name!r}: name one by its UUID') from error
    except (NotExistent, ValueError) as error:
        near = difflib.get_close_matches(name, QueryBuilder().append(Group, project='label').all(flat=True), n=1)
        hint = f'did you mean {near[0]!r}?' if near else '`verdi group list` shows those there are'
        raise InverseDesignError(f'there is no group {name!r}: {hint}') from error


def _without_fingerprint(node: LibraryData) -> list[Skipped]:
    import numpy as np

    from aiida_inversedesign.libraries.library import Skipped

    library = node.get_library()
    if library.fingerprints is None:
        return []
    reason = 'no fingerprint could be computed: the template is kept without one'
    rows = np.flatnonzero(np.isnan(library.fingerprints).any(axis=1)).tolist()
    return [Skipped(library[row].id, reason, NO_FINGERPRINT) for row in rows]
