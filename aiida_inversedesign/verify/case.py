"""The campaign that is verified: its graph, its settings, and its nodes as they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aiida import orm

from aiida_inversedesign.audit.record import AuditError
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.recorded import read_settings
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.graph import campaigns as query
from aiida_inversedesign.graph.links import Call, Link, attributes_of
from aiida_inversedesign.verify.graph import Graph

#: What replaces an evaluation of which the results are taken over from an earlier one.
REUSED = 'aiida_inversedesign.engines.common.reuse.ReusedEvaluateWorkChain'


@dataclass
class Case:
    """A campaign with those that it resumed.

    :param campaign: the PK that was asked for.
    :param chain: PKs of the campaigns, oldest first.
    """

    campaign: int
    chain: list[int]
    graph: Graph
    _attributes: dict[int, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, campaign: orm.Node) -> Case:
        """The case of a campaign's node.

        :raises AuditError: if it is not a campaign, or has no settings.
        """
        if not isinstance(campaign, orm.WorkChainNode) or campaign.process_type != query.CAMPAIGN or not campaign.pk:
            raise AuditError(
                f'{campaign.__class__.__name__} {campaign.pk} is not a campaign: '
                'give the PK of one that `aiida-inversedesign status` lists'
            )
        chain = query.chain_of(campaign.pk) or [campaign.pk]
        case = cls(campaign.pk, chain, Graph.of(chain))
        for name in ('settings', 'budget'):
            if name not in case.graph.inputs[campaign.pk]:
                raise AuditError(f'campaign {campaign.uuid} has no input `{name}`: nothing of it can be verified')
        return case

    @property
    def root(self) -> Call:
        """The campaign itself."""
        return self.graph.calls[self.campaign]

    @cached_property
    def generations(self) -> list[Call]:
        """The generations of all campaigns of the chain, oldest first."""
        return [child for pk in self.chain for child in self.generations_of(pk)]

    def generations_of(self, campaign: int) -> list[Call]:
        """The generations of one campaign, oldest first; an asynchronous stream replaces one."""
        children = self.graph.children.get(campaign, [])
        return [child for child in children if child.is_work and child.label.startswith('generation_')]

    def evaluations_of(self, generation: Call) -> list[Call]:
        """The evaluations that a generation launched, references included, oldest first."""
        children = self.graph.children.get(generation.id, [])
        # a generation calls no other work chains, whichever package brings the engine
        return [child for child in children if child.is_work]

    @property
    def name(self) -> str:
        """What the campaign is called, also where its settings cannot be understood."""
        return str(self.attributes(self.graph.inputs[self.campaign]['settings']).get('name', ''))

    @cached_property
    def settings(self) -> CampaignSettings:
        """The campaign file without its budget.

        :raises SettingsError: if this version does not understand it.
        """
        recorded = self.attributes(self.graph.inputs[self.campaign]['settings'])
        versions = query.campaign_facts(self.campaign)['version'] or {}
        return read_settings(recorded, f'campaign {self.root.uuid}', versions.get('plugin'))

    @property
    def is_asynchronous(self) -> bool:
        """Whether the next evaluation is chosen as soon as one has ended."""
        return self.settings.select.schedule == 'asynchronous'

    @property
    def goal(self) -> Goal:
        """What the campaign looks for."""
        return self.settings.goal

    def attributes(self, link: Link) -> dict[str, Any]:
        """The attributes of the node at the end of a link, kept."""
        return self.all_attributes([link])[link.node]

    def all_attributes(self, links: list[Link]) -> dict[int, dict[str, Any]]:
        """The attributes of nodes by PK, kept: many are read in one query."""
        missing = {link.node for link in links} - set(self._attributes)
        if missing:
            self._attributes |= attributes_of(missing)
        return self._attributes

    def node(self, link: Link) -> Any:
        """The node at the end of a link."""
        return orm.load_node(link.node)
