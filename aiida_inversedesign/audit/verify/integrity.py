"""Whether nodes still hold what they were stored with: hashes of their content, their inputs and their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from aiida import orm
from aiida.common.hashing import make_hash
from aiida.common.links import LinkType
from aiida.orm.nodes.caching import NodeCaching
from aiida.repository import Repository

from aiida_inversedesign.audit.verify.findings import Finding
from aiida_inversedesign.data.payload import PayloadData

#: Where AiiDA keeps the hash of a node.
_HASH = '_aiida_hash'


def check_node(node: orm.Node) -> tuple[list[Finding], bool]:
    """Findings on one node, and whether it has a hash to compare with: nodes of an imported archive lose theirs."""
    findings = _check_files(node)
    stored = node.base.extras.get(_HASH, None)
    if stored is not None and not findings and stored != _hash(node):
        what = 'its content' if not isinstance(node, orm.ProcessNode) else 'its attributes or inputs'
        findings.append(
            Finding('changed_node', node.uuid, f'{_name(node)}: {what} were changed after it was stored (other hash)')
        )
    return findings, stored is not None


def check_nodes(identifiers: Iterable[int]) -> tuple[list[Finding], int, int]:
    """Findings on the nodes with these PKs, how many were checked, and how many of them have no hash."""
    findings: list[Finding] = []
    checked = without = 0
    for identifier in identifiers:
        found, hashed = check_node(orm.load_node(identifier))
        findings += found
        checked += 1
        without += not hashed
    return findings, checked, without


def _hash(node: orm.Node) -> str | None:
    """The hash of a node by AiiDA's own rule.

    That of a process covers its inputs. Here their stored hashes stand for them: an input that was changed is found
    once, in itself, and an input that was replaced by another is found in the process.
    """
    if not isinstance(node, orm.ProcessNode):
        return node.base.caching.compute_hash()
    links = node.base.links.get_incoming(link_type=(LinkType.INPUT_CALC, LinkType.INPUT_WORK)).all()
    # what ProcessNodeCaching and CalcJobNodeCaching make of what every node has
    objects = NodeCaching.get_objects_to_hash(node.base.caching)
    if isinstance(node, orm.CalcJobNode):
        del objects['repository_hash']
    return str(make_hash({**objects, 'inputs': {link.link_label: _stored_hash(link.node) for link in links}}))


def _stored_hash(node: orm.Node) -> str | None:
    return node.base.extras.get(_HASH, None) or node.base.caching.compute_hash()


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
