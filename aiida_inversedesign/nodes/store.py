"""Libraries and models by their label: what comes with the package is stored in the profile at its first use."""

from __future__ import annotations

import difflib
from pathlib import Path

from aiida.orm import QueryBuilder

from aiida_inversedesign.campaign.files import FileRefusedError, decompressed, read_bounded
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.points import PointsError, PointSet
from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.nodes.points import PointsData

#: The library that comes with pymatgen, and the model that comes with this package.
AFLOW, SHIPPED = 'aflow', 'shipped'
#: No file of experiments is larger.
MOST_CSV_BYTES = 200_000_000


def find_labelled(node_class: type[PayloadData], label: str) -> PayloadData | None:
    """The newest stored node of a class with a label, or None."""
    query = QueryBuilder().append(node_class, filters={'label': label}, tag='node').order_by({'node': {'id': 'desc'}})
    return query.first(flat=True)


def list_labels(node_class: type[PayloadData]) -> list[str]:
    """The labels of all stored nodes of a class."""
    query = QueryBuilder().append(node_class, project='label')
    return sorted({label for label in query.all(flat=True) if label})


def get_library(label: str, tolerant: bool = False) -> LibraryData | PointsData:
    """The template library or data set with a label, or of a CSV file (``.csv.gz`` too), stored under its name.

    :param tolerant: whether lines of a CSV file that cannot be read are left out and counted.
    :raises InverseDesignError: if there is none, or the file cannot be read.
    """
    if label.endswith(('.csv', '.csv.gz')):
        try:
            content = read_bounded(Path(label), MOST_CSV_BYTES)
            content = decompressed(content, MOST_CSV_BYTES) if label.endswith('.gz') else content
            points = PointSet.from_bytes(content, tolerant)
        except (FileRefusedError, PointsError) as error:
            raise InverseDesignError(f'the file {label}: {error}') from error
        return _stored(PointsData.from_points(points, label=Path(label).name.partition('.csv')[0]))
    if label == AFLOW:
        from aiida_inversedesign.libraries.library import aflow_library

        return _stored(LibraryData.from_library(aflow_library(), label=AFLOW))
    data = find_labelled(PointsData, label)
    if data is not None and find_labelled(LibraryData, label) is None:
        return data
    advice = f'import one with `aiida-inversedesign library import jsonl FILE.jsonl --label {label}` (or cif, optimade)'
    return _existing(LibraryData, label, AFLOW, 'library', advice)


def get_templates(label: str) -> LibraryData:
    """The template library with a label.

    :raises InverseDesignError: if there is none, or it is a set of points.
    """
    found = get_library(label)
    if isinstance(found, PointsData):
        raise InverseDesignError(f'{label!r} is a set of points, not a library of templates')
    return found


def get_model(label: str) -> CspmlData:
    """The proposal model with a label, or of a file (``.npz``), which is stored under the file's name.

    :raises InverseDesignError: if there is none.
    """
    if label.endswith('.npz'):
        from aiida_inversedesign.propose.npz import MOST_BYTES
        from aiida_inversedesign.propose.proposal_model import load_model

        try:
            content = read_bounded(Path(label), MOST_BYTES)
        except FileRefusedError as error:
            raise InverseDesignError(f'the model file {label}: {error}') from error
        return _stored(CspmlData.from_model(load_model(content), label=Path(label).stem))
    if label == SHIPPED:
        from aiida_inversedesign.propose.proposal_model import shipped_model

        return _stored(CspmlData.from_model(shipped_model(), label=SHIPPED))
    return _existing(CspmlData, label, SHIPPED, 'proposal model', 'train one with `aiida-inversedesign cspml train`')


def _stored(node: PayloadData):
    """The node, or the stored one with the same content and label."""
    filters = {'label': node.label, 'attributes.content_hash': node.content_hash}
    return QueryBuilder().append(type(node), filters=filters).first(flat=True) or node.store()


def _existing(node_class: type[PayloadData], label: str, built_in: str, kind: str, remedy: str):
    node = find_labelled(node_class, label)
    if node is None:
        labels = list(dict.fromkeys([built_in, *list_labels(node_class)]))
        near = difflib.get_close_matches(label, labels, n=1)
        hint = f'; did you mean {near[0]!r}?' if near else '.'
        raise InverseDesignError(f'there is no {kind} {label!r}{hint} There are: {", ".join(labels)}; or {remedy}')
    return node
