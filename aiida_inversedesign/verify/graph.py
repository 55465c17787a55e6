"""The provenance of a campaign in memory: calls, and the data that went in and came out of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from aiida_inversedesign.graph.links import Call, Link, creators_of, find_calls, find_links
from aiida_inversedesign.verify.replay import repeatable

#: Beginning of the names of results that an evaluation takes over.
EARLIER = 'earlier__'


@dataclass
class Graph:
    """Calls below some campaigns with their links, and those that made results which were taken over from elsewhere.

    :param calls: by PK.
    :param inputs: of each call, by label.
    :param created: outputs that each calculation made, by label.
    :param returned: outputs that each work chain returned, by label.
    :param creator: PK of the call that made a node, by the node's PK.
    """

    calls: dict[int, Call] = field(default_factory=dict)
    children: dict[int, list[Call]] = field(default_factory=lambda: defaultdict(list))
    inputs: dict[int, dict[str, Link]] = field(default_factory=lambda: defaultdict(dict))
    created: dict[int, dict[str, Link]] = field(default_factory=lambda: defaultdict(dict))
    returned: dict[int, dict[str, Link]] = field(default_factory=lambda: defaultdict(dict))
    creator: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, campaigns: Iterable[int]) -> Graph:
        """The graph below the campaigns with these PKs."""
        graph = cls()
        for call in find_calls(campaigns):
            graph.calls[call.id] = call
            if call.parent is not None:
                graph.children[call.parent].append(call)
        graph._add_links(graph.calls)
        graph._add_earlier()
        return graph

    def _add_links(self, calls: Iterable[int]) -> None:
        for link in find_links(calls):
            side = {'create': self.created, 'return': self.returned}.get(link.type, self.inputs)
            side[link.process][link.label] = link
            if link.type == 'create':
                self.creator[link.node] = link.process

    def _add_earlier(self) -> None:
        """Add the calculations of other campaigns that made what evaluations of these took over."""
        taken = {
            link.node for links in self.inputs.values() for label, link in links.items() if label.startswith(EARLIER)
        }
        found = [replace(call, label='an earlier evaluation') for call in find_calls(creators_of(taken))]
        earlier = {call.id: call for call in found if call.id not in self.calls}
        self.calls |= earlier
        self._add_links(earlier)

    def below(self, call: int) -> Iterator[Call]:
        """Everything that a call called, directly or not, parents before children."""
        for child in self.children.get(call, []):
            yield child
            yield from self.below(child.id)

    def called(self, call: int, label: str) -> list[Call]:
        """The children of a call with this label, oldest first."""
        return [child for child in self.children.get(call, []) if child.label == label]

    def steps(self, call: int, function: str) -> list[Call]:
        """The runs of a function that ended well among the children of a call, oldest first.

        :param function: its name, as :func:`aiida_inversedesign.verify.replay.repeatable` knows it.
        """
        known = [child for child in self.children.get(call, []) if child.exit_status == 0]
        return [
            child
            for child in known
            if child.process_type in repeatable() and repeatable()[child.process_type].name == function
        ]

    def outputs(self, calls: Iterable[Call], label: str) -> list[Link]:
        """The outputs of some calculations with this label."""
        return [self.created[call.id][label] for call in calls if label in self.created.get(call.id, {})]
