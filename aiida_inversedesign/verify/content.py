"""What nodes hold as plain data, so that two of them can be compared location by location."""

from __future__ import annotations

import hashlib
from typing import Any

from aiida.orm import Data
from aiida.orm.implementation.utils import clean_value

from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.verify.compare import IDENTICAL, Comparison, compare


def compare_nodes(stored: Data, found: Data, tolerance: float) -> Comparison:
    """Compare a stored node with one that was made again."""
    if stored.node_type != found.node_type:
        return compare(_short(stored.node_type), _short(found.node_type), tolerance)
    if _attributes(stored) == _attributes(found) and _files(stored) == _files(found):
        return IDENTICAL
    return compare(content(stored), content(found), tolerance)


def content(node: Data) -> dict[str, Any]:
    """What a node holds: its attributes, as they are stored, and its bulk in a readable form."""
    attributes = _attributes(node)
    if not isinstance(node, PayloadData):
        return {**attributes, **_arrays(node)}
    attributes.pop('content_hash', None)
    if isinstance(node, TableData):
        return {'rows': [row.to_dict() for row in node.get_rows()], **attributes}
    if isinstance(node, PoolData):
        return {'candidates': [candidate.to_dict() for candidate in node.get_candidates()], **attributes}
    if isinstance(node, SurrogateData):
        return {**node.state, 'attributes': attributes}
    return {'payload': hashlib.sha256(node.payload).hexdigest(), **attributes}


def _attributes(node: Data) -> dict[str, Any]:
    """The attributes as AiiDA stores them: it keeps floats to 14 digits and turns tuples into lists."""
    return dict(clean_value(dict(node.base.attributes.all)))


def _files(node: Data) -> dict[str, bytes]:
    repository = node.base.repository
    return {
        str(path / name): repository.get_object_content(str(path / name), mode='rb')
        for path, _, names in repository.walk()
        for name in names
    }


def _arrays(node: Data) -> dict[str, Any]:
    """The arrays of an array node as lists; the checksums of the files of another."""
    names = getattr(node, 'get_arraynames', None)
    if names is not None:
        return {name: node.get_array(name).tolist() for name in names()}
    return {name: hashlib.sha256(data).hexdigest() for name, data in _files(node).items()}


def _short(node_type: str) -> str:
    return node_type.rstrip('.').rpartition('.')[2]
