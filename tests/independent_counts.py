"""Hits, distinct hits and copies of a campaign, counted from its nodes with pymatgen alone: none of our own code."""

from __future__ import annotations

from typing import Any

from aiida import orm


def count(campaigns: list[orm.WorkChainNode]) -> dict[str, int]:
    """What a campaign and those that it resumed (oldest first) have found.

    Crystals are compared by pymatgen's StructureMatcher with its defaults and the space group at 0.1 Å, others
    candidates by the values of their nodes.
    """
    settings = campaigns[-1].inputs.settings.get_dict()
    last: dict[str, orm.WorkChainNode] = {}
    for campaign in campaigns:
        for evaluation in _evaluations(campaign):
            last.pop(evaluation[0], None)
            last[evaluation[0]] = evaluation[1]
    found: list[tuple[str, Any]] = []
    counts = {'completed': 0, 'hits': 0, 'distinct_hits': 0, 'copies': 0}
    for node in last.values():
        if not node.is_finished_ok:
            continue
        result = node.outputs.relaxed if 'relaxed' in node.outputs else node.inputs.candidate
        key = result.get_formula('hill') if isinstance(result, orm.StructureData) else ''
        is_copy = any(other == key and _same(thing, result) for other, thing in found)
        found.append((key, result))
        values = {name: item['value'] for name, item in node.outputs.properties.get_dict().items()}
        is_hit = _is_hit(settings['goal'], values)
        counts['completed'] += 1
        counts['copies'] += is_copy
        counts['hits'] += is_hit
        counts['distinct_hits'] += is_hit and not is_copy
    return counts


def _evaluations(campaign: orm.WorkChainNode) -> list[tuple[str, orm.WorkChainNode]]:
    """Label and node of every evaluation, in the order of their launches."""
    found = []
    for generation in campaign.base.links.get_outgoing(link_label_filter='generation_%').all():
        for link in generation.node.base.links.get_outgoing(node_class=orm.WorkChainNode).all():
            if link.link_label.startswith('g') and '_c' in link.link_label:
                found.append((link.node.pk, link.link_label, link.node))
    return [(label, node) for _, label, node in sorted(found, key=lambda item: item[0])]


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, orm.StructureData):
        return bool(one.base.attributes.all == other.base.attributes.all)
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    first, second = one.get_pymatgen(), other.get_pymatgen()
    if not StructureMatcher().fit(first, second):
        return False
    groups = {SpacegroupAnalyzer(crystal, symprec=0.1).get_space_group_number() for crystal in (first, second)}
    return len(groups) == 1


def _is_hit(goal: dict[str, Any], values: dict[str, float]) -> bool:
    for item in goal['objectives']:
        value = values[_name(item, values)]
        if item.get('maximize'):
            passed = item.get('hit') is not None and value >= item['hit']
        elif item.get('minimize'):
            passed = item.get('hit') is not None and value <= item['hit']
        elif item.get('target') is not None:
            passed = item['target'] - item['tolerance'] <= value <= item['target'] + item['tolerance']
        else:
            passed = item['window'][0] <= value <= item['window'][1]
        if not passed:
            return False
    for item in goal['constraints']:
        value = values[_name(item, values)]
        if item.get('min') is not None and value < item['min']:
            return False
        if item.get('max') is not None and value > item['max']:
            return False
    return True


def _name(item: dict[str, Any], values: dict[str, float]) -> str:
    """What a number is called: the property, or of a curve the property with the functional and what it depends on."""
    if not item.get('functional'):
        return item['property']
    return next(name for name in values if name.startswith(f'{item["property"]}_{item["functional"]}'))
