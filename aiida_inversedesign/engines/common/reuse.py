"""Evaluations that are taken over from earlier ones instead of being computed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_inversedesign import __version__
from aiida_inversedesign.campaign.contracts.engine import NOT_PHYSICAL, engine_named
from aiida_inversedesign.campaign.contracts.registry import load
from aiida_inversedesign.engines.common.calcfunctions import wanted
from aiida_inversedesign.engines.common.crystal_properties import (
    formation_energy,
    missing_properties,
    missing_references,
)
from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.graph.earlier_evaluations import completed_evaluations
from aiida_inversedesign.nodes.structures import crystal_of


def find_earlier(
    process_type: str,
    structure: orm.StructureData,
    properties: list[str],
    settings: Mapping[str, Any],
    engine: Mapping[str, orm.Data],
) -> orm.WorkChainNode | None:
    """An evaluation in the profile that an equal one would only repeat, the newest, or None.

    Equal are the crystal's content, the settings that matter, the codes (the same nodes), the data (equal content), the
    version of this package, and what the engine asks beyond (pseudopotentials, for example). It must have every
    property that is wanted.

    :param process_type: of the engine's work chain.
    """
    descriptor = engine_named(settings['engine'])
    left_out = NOT_PHYSICAL | descriptor.not_physical
    equal = load(descriptor.equal) if descriptor.equal else None
    computed = [name for name in properties if name != 'formation_energy']
    if len(computed) < len(properties):
        computed.append('energy')
    for node in completed_evaluations(structure, process_type):
        known = node.outputs.properties.get_dict() if 'properties' in node.outputs else {}
        if (
            not missing_properties(computed, known)
            and _physical(node.inputs.settings.get_dict(), left_out) == _physical(settings, left_out)
            and _same_engine(node, engine)
            and (node.base.attributes.get('version', {}) or {}).get('plugin') == __version__
            and (equal is None or equal(node, structure, settings))
        ):
            return node
    return None


def _physical(settings: Mapping[str, Any], left_out: frozenset[str]) -> dict[str, Any]:
    """The settings that matter; what is not chosen (null) is as if the key were not there."""
    return {name: value for name, value in settings.items() if name not in left_out and value is not None}


def _same_engine(node: orm.WorkChainNode, engine: Mapping[str, orm.Data]) -> bool:
    earlier = dict(node.inputs.engine) if 'engine' in node.inputs else {}

    def content(item: orm.Data) -> str:
        return item.base.attributes.get('content_hash', item.value if isinstance(item, orm.Str) else item.uuid)

    names = {*earlier, *engine}
    return all(name in earlier and name in engine and content(earlier[name]) == content(engine[name]) for name in names)


@calcfunction
def against_references(structure: orm.StructureData, properties: orm.Dict, references: orm.Dict) -> orm.Dict:
    """Properties of an earlier evaluation with the formation energy against this campaign's references."""
    record = properties.get_dict()
    value = formation_energy(crystal_of(structure).counts, record['energy']['value'], references.get_dict())
    record['formation_energy'] = {'value': value, 'unit': 'eV/atom', 'source': 'relax and references'}
    return orm.Dict(record)


class ReusedEvaluateWorkChain(EvaluateWorkChain):
    """Returns what an earlier evaluation has found: no job runs, and it costs nothing.

    The earlier results are its inputs, so that the graph leads to the calculations that made them.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('earlier.relaxed', valid_type=orm.Data, required=False, help='The candidate as it was left.')
        spec.input('earlier.properties', valid_type=orm.Dict, help='Its properties.')
        spec.input('earlier.curves', valid_type=orm.ArrayData, required=False, help='Its curves.')
        spec.outline(cls.take_over)

    def take_over(self) -> None:
        """Hand the earlier results over; formation energies are taken against the campaign's own references."""
        properties = self.inputs.earlier.properties
        if 'formation_energy' in wanted(self.inputs.properties) and 'references' in self.inputs:
            counts = crystal_of(self.inputs.candidate).counts
            if not missing_references(counts, self.inputs.references.get_dict()):
                properties = self.run_once(
                    'against_references',
                    against_references,
                    structure=self.inputs.earlier.relaxed,
                    properties=properties,
                    references=self.inputs.references,
                ).outputs.result
        for name in ('relaxed', 'curves'):
            if name in self.inputs.earlier:
                self.out(name, self.inputs.earlier[name])
        self.out('properties', properties)
        self.report(self.node.description)
