"""The evaluations that a campaign launched, with what is known of each: what status and audit are made of."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_inversedesign.audit.rows import read_table
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph import campaigns as query
from aiida_inversedesign.graph.control import stop_request
from aiida_inversedesign.graph.evaluation_account import Account, Evaluation, account_of
from aiida_inversedesign.nodes.contents import content_of


@dataclass(frozen=True)
class Launches:
    """What is known of the evaluations of a campaign and those that it resumed.

    :param evaluations: in the order of their launches, references included.
    :param rows: of the newest table, by candidate.
    :param returned: properties by the PK of the evaluation.
    :param closed: PKs of the generations that harvest nothing that was killed: they have ended, or are to end.
    """

    evaluations: list[Evaluation]
    rows: Mapping[str, dict[str, Any]]
    returned: Mapping[int, dict[str, float]]
    closed: Collection[int]

    def account(self, evaluation: Evaluation, goal: Goal) -> Account:
        """What became of one of them."""
        row = self.rows.get(evaluation.label)
        return account_of(
            evaluation,
            goal,
            self.returned.get(evaluation.id, {}),
            None if row is None else row['properties'],
            evaluation.generation in self.closed,
        )

    def copies(self, completed: Iterable[tuple[Evaluation, str]], space: SpaceSection) -> dict[str, str]:
        """For each completed evaluation the earlier one that ended in the same thing; empty if none did.

        As the table says; what the table does not say, of evaluations that are not harvested yet and of tables of older
        versions, is determined here.

        :param completed: evaluations with their keys, in the order of the launches.
        """
        groups: dict[str, list[Evaluation]] = {}
        for item, key in completed:
            groups.setdefault(key, []).append(item)
        found: dict[str, str] = {}
        for group in groups.values():
            for index, item in enumerate(group):
                recorded = (self.rows.get(item.label) or {}).get('copy_of')
                found[item.label] = recorded if recorded is not None else self._match(item, group[:index], space)
        return found

    def _match(self, item: Evaluation, earlier: Sequence[Evaluation], space: SpaceSection) -> str:
        own = self._result(item, space) if earlier else None
        return next((other.label for other in earlier if space.same_result(self._result(other, space), own)), '')

    def _result(self, item: Evaluation, space: SpaceSection) -> Any:
        """What an evaluation ended in."""
        row = self.rows.get(item.label)
        if row is not None:
            return space.read(json.loads(row.get('relaxed') or row['proposed']))
        node = orm.load_node(item.id)
        return content_of(space.kind, node.outputs.relaxed if 'relaxed' in node.outputs else node.inputs.candidate)


def read_launches(generations: Sequence[Mapping[str, Any]], chain: Sequence[int], with_rows: bool = True) -> Launches:
    """The launches of a campaign.

    :param generations: as :func:`aiida_inversedesign.graph.campaigns.find_generations` returns them.
    :param chain: PKs of the campaign and those that it resumed, oldest first.
    :param with_rows: whether the table is read even where no evaluation was killed, of which it tells what became.
    """
    identifiers = [generation['pk'] for generation in generations]
    evaluations = query.find_evaluations(identifiers)
    with_rows = with_rows or any(item.state == 'killed' for item in evaluations)
    # those that it resumed have ended, and their generations with them
    killed = bool((stop_request(chain[-1]) or {}).get('kill'))
    return Launches(
        evaluations,
        newest_rows(identifiers) if with_rows else {},
        query.returned_properties(identifiers),
        {item['pk'] for item in generations if killed or item['state'] in ('finished', 'killed', 'excepted')},
    )


def newest_rows(generations: Sequence[int]) -> dict[str, dict[str, Any]]:
    """The rows of the newest table of these generations, by candidate; none before the first harvest."""
    table = query.newest_table(generations)
    rows = read_table(table.parts(), f'TableData<{table.pk}>') if table is not None else []
    return {row['candidate']: row for row in rows}
