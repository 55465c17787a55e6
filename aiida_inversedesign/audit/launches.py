"""The evaluations that a campaign launched, with what is known of each: what status and audit are made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_inversedesign.audit.rows import read_table
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph import campaigns as query
from aiida_inversedesign.graph.control import stop_request
from aiida_inversedesign.graph.evaluation_account import Account, Evaluation, account_of


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


def read_launches(generations: Sequence[Mapping[str, Any]], chain: Sequence[int], with_rows: bool = True) -> Launches:
    """The launches of a campaign.

    :param generations: as :func:`aiida_inversedesign.graph.campaigns.find_generations` returns them.
    :param chain: PKs of the campaign and those that it resumed, oldest first.
    :param with_rows: whether the table is read even where no evaluation was killed, of which it tells what became.
    """
    identifiers = [generation['pk'] for generation in generations]
    evaluations = query.find_evaluations(identifiers)
    with_rows = with_rows or any(item.state == 'killed' for item in evaluations)
    table = query.newest_table(identifiers) if with_rows else None
    rows = read_table(table.parts(), f'TableData<{table.pk}>') if table is not None else []
    # those that it resumed have ended, and their generations with them
    killed = bool((stop_request(chain[-1]) or {}).get('kill'))
    return Launches(
        evaluations,
        {row['candidate']: row for row in rows},
        query.returned_properties(identifiers),
        {item['pk'] for item in generations if killed or item['state'] in ('finished', 'killed', 'excepted')},
    )
