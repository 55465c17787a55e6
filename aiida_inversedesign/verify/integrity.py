"""Whether nodes still hold what they were stored with: hashes of their content, their inputs and their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from aiida import orm
from aiida.common.hashing import make_hash
from aiida.orm.nodes.caching import NodeCaching
from aiida.repository import Repository

from aiida_inversedesign.graph.links import input_hashes, nodes_of
from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.verify.findings import Finding

#: Where AiiDA keeps the hash of a node.
_HASH = '_aiida_hash'


def check_nodes(identifiers: Iterable[int]) -> tuple[list[Finding], int, int]:
    """Findings on the nodes with these PKs, how many were checked, and how many of them have no hash.

    Nodes of an archive that was imported into a profile have lost theirs.
    """
    nodes = nodes_of(identifiers)
    inputs = input_hashes(node.pk for node in nodes if isinstance(node, orm.ProcessNode))
    findings: list[Finding] = []
    without = 0
    for node in nodes:
        changed = _check_files(node)
        stored = node.base.extras.get(_HASH, None)
        if stored is not None and not changed and stored != _hash(node, inputs.get(node.pk, {})):
            what = 'attributes or inputs' if isinstance(node, orm.ProcessNode) else 'content'
            message = f'{_name(node)}: its {what} were changed after it was stored (its hash is another one)'
            changed.append(Finding('changed_node', node.uuid, message))
        findings += changed
        without += stored is None
    return findings, len(nodes), without


def _hash(node: orm.Node, inputs: Mapping[str, tuple[int, str | None]]) -> str | None:
    """The hash of a node by AiiDA's own rule.

    That of a process covers its inputs. Here their stored hashes stand for them: an input that was changed is found
    once, in itself, and an input that was replaced by another is found in the process.
    """
    if not isinstance(node, orm.ProcessNode):
        return node.base.caching.compute_hash()
    # what ProcessNodeCaching and CalcJobNodeCaching make of what every node has
    objects = NodeCaching.get_objects_to_hash(node.base.caching)
    if isinstance(node, orm.CalcJobNode):
        del objects['repository_hash']
    hashes = {
        label: orm.load_node(pk).base.caching.compute_hash() if recorded is None else recorded
        for label, (pk, recorded) in inputs.items()
    }
    return str(make_hash({**objects, 'inputs': hashes}))


def _check_files(node: orm.Node) -> list[Finding]:
    """Files whose content is not what their key or the node's checksum says."""
    findings = []
    repository = node.base.repository
    for path, key in Repository.flatten(repository.metadata).items():
        if key is None:
            continue
        try:
            content = repository.get_object_content(path, mode='rb')
        except (FileNotFoundError, OSError) as error:
            findings.append(Finding('changed_file', node.uuid, f'{_name(node)}: its file {path} is lost ({error})'))
            continue
        digest = hashlib.sha256(content).hexdigest()
        if len(key) == len(digest) and key != digest:
            findings.append(Finding('changed_file', node.uuid, f'{_name(node)}: its file {path} was changed'))
        elif isinstance(node, PayloadData) and path == node.FILENAME and digest != node.content_hash:
            findings.append(
                Finding('changed_file', node.uuid, f'{_name(node)}: its file {path} is another than its checksum says')
            )
    return findings


def _name(node: orm.Node) -> str:
    label = getattr(node, 'process_label', None) or node.node_type.rstrip('.').rpartition('.')[2]
    return f'{label} {node.label}'.strip()
