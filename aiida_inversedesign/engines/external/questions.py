"""What is asked and what was answered, as the provenance graph says it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiida.orm import CalcFunctionNode, Data, Dict, QueryBuilder, WorkChainNode

from aiida_inversedesign.campaign.demands import engine_properties
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.engines.external.combine import Answer, combine, counts
from aiida_inversedesign.engines.external.descriptor import allowed
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.campaigns import chain_of, evaluated_candidates, find_evaluations, generation_ids
from aiida_inversedesign.graph.evaluation_account import Evaluation
from aiida_inversedesign.graph.scalars import edge
from aiida_inversedesign.nodes.answer_data import AnswerData
from aiida_inversedesign.nodes.settings import settings_of


def answer_of(node: AnswerData) -> Answer:
    """What a node of an answer says."""
    given = node.base.attributes.all
    return Answer(given['values'], given['failed'], given['kind'], given['about'])


def answers_to(settings: Data, name: str) -> list[AnswerData]:
    """The answers to a candidate of a campaign, oldest first.

    A candidate whose evaluation was killed has another node once it is chosen again, but the same name.

    :param settings: the node that the campaign shares with those that resume it.
    """
    query = QueryBuilder().append(AnswerData, filters={'attributes.campaign': settings.uuid, 'attributes.name': name})
    return sorted(query.all(flat=True), key=_when)


def answers_in(settings: Data) -> dict[str, list[AnswerData]]:
    """The answers of a campaign by the candidate's name, oldest first."""
    found: dict[str, list[AnswerData]] = defaultdict(list)
    query = QueryBuilder().append(AnswerData, filters={'attributes.campaign': settings.uuid})
    for node in sorted(query.all(flat=True), key=_when):
        found[node.base.attributes.get('name')].append(node)
    return found


def _when(node: AnswerData) -> tuple[str, str]:
    return node.base.attributes.get('at'), node.uuid


def _taken(settings: Data) -> set[str]:
    """UUIDs of the answers of a campaign that an evaluation has returned."""
    query = QueryBuilder().append(
        AnswerData, filters={'attributes.campaign': settings.uuid}, project='uuid', tag='answer'
    )
    query.append(CalcFunctionNode, with_incoming='answer', tag='take')
    query.append(
        WorkChainNode,
        with_outgoing='take',
        edge_filters=edge('take_answers', 'call_calc'),
        filters={'attributes.process_state': 'finished'},
    )
    return set(query.distinct().all(flat=True))


def later(generation: WorkChainNode) -> dict[str, tuple[Data, int]]:
    """Candidates of a campaign with an answer after the end of their evaluation, and how many answers.

    :param generation: the one that asks.
    """
    settings = generation.inputs.settings
    given = answers_in(settings)
    taken = _taken(settings)
    candidates = {name for name, answers in given.items() if any(node.uuid not in taken for node in answers)}
    if not candidates or generation.caller is None:
        return {}
    evaluations = find_evaluations(generation_ids(chain_of(generation.caller.pk)))
    nodes = evaluated_candidates([item.id for item in evaluations])
    last: dict[str, Evaluation] = {item.label: item for item in evaluations if not item.is_reference}
    wanted = engine_properties(settings_of(settings))
    found = {}
    for name, item in last.items():
        if name not in candidates or item.state != 'finished':
            continue
        answers = given[name]
        if not combine(map(answer_of, answers)).missing(wanted):
            found[name] = (nodes[item.id], len(answers))
    return found


def waits_for(evaluations: Iterable[Evaluation], settings_node: Dict) -> dict[int, str]:
    """What each evaluation that runs waits for, in words, by its PK."""
    settings, answers = settings_of(settings_node), answers_in(settings_node)
    running = [item for item in evaluations if item.is_running]
    nodes = evaluated_candidates([item.id for item in running])
    words = {}
    for item in running:
        question = _question(item, nodes[item.id], answers[item.label], settings)
        until = f', until {question["until"][:16]}' if question['until'] else ''
        known = f' (answered: {", ".join(question["answered"])})' if question['answered'] else ''
        missing = ', '.join(question['missing'])
        words[item.id] = f'waits for {missing}{known}{until}' if missing else 'was answered, and is taken up'
    return words


def _question(
    item: Evaluation, node: Data, answers: Sequence[AnswerData], settings: CampaignSettings
) -> dict[str, Any]:
    known = combine(map(answer_of, answers))
    days = settings.evaluate.model_dump().get('deadline_days')
    return {
        'candidate': item.label,
        'key': node.label,
        'pk': item.id,
        'since': item.started.isoformat(timespec='seconds'),
        'until': None if days is None else (item.started + timedelta(days=days)).isoformat(timespec='seconds'),
        'days': (datetime.now(UTC) - item.started).total_seconds() / 86400,
        'missing': known.missing(engine_properties(settings)),
        'answered': sorted(known.values),
    }


class Questions:
    """What a campaign with the engine ``external`` has asked.

    :raises InverseDesignError: if it has another engine.
    """

    def __init__(self, campaign: WorkChainNode) -> None:
        self.campaign = campaign
        self.settings_node: Dict = campaign.inputs.settings
        self.settings = settings_of(self.settings_node)
        if self.settings.evaluate.engine != 'external':
            raise InverseDesignError(
                f'campaign {campaign.pk} has the engine {self.settings.evaluate.engine!r}, which evaluates by itself: '
                'nobody is asked; `evaluate: {engine: external}` asks'
            )
        evaluations = find_evaluations(generation_ids(chain_of(campaign.pk)))
        self._nodes = evaluated_candidates([item.id for item in evaluations])
        #: The last evaluation of each candidate.
        self.asked = {item.label: item for item in evaluations if not item.is_reference}

    @property
    def units(self) -> dict[str, str]:
        """The unit of each property that an answer may have."""
        fixed = {name: item.unit for name, item in PROPERTIES.items()}
        return allowed(self.settings.goal.properties, self.settings.evaluate, fixed)  # type: ignore[arg-type]

    def node(self, name: str) -> Data:
        """The node of a candidate that was asked for."""
        return self._nodes[self.asked[name].id]

    def open(self) -> list[dict[str, Any]]:
        """What is to be measured, oldest first; without what is answered and not taken up yet."""
        answers = answers_in(self.settings_node)
        running = [item for item in self.asked.values() if item.is_running]
        found = [_question(item, self._nodes[item.id], answers[item.label], self.settings) for item in running]
        return [item for item in found if item['missing']]

    def answers(self) -> list[dict[str, Any]]:
        """Every answer, oldest first, and whether it counts: a correction replaces earlier answers."""
        found = []
        for answers in answers_in(self.settings_node).values():
            given = [answer_of(node) for node in answers]
            for number, node in enumerate(answers):
                facts = {**node.base.attributes.all, 'candidate': node.base.attributes.get('name'), 'uuid': node.uuid}
                found.append({**facts, 'counts': counts(given, number), 'pk': node.pk})
        return sorted(found, key=lambda item: item['at'])
