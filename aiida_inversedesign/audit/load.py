"""From the provenance graph to the record of a campaign; asks only through ``graph``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.common.exceptions import ConfigurationError, MultipleObjectsError, NotExistent

from aiida_inversedesign.audit.answers import NoAnswersError, answers_of
from aiida_inversedesign.audit.curves import CurveRecord
from aiida_inversedesign.audit.launches import Launches, read_launches
from aiida_inversedesign.audit.many_objects import many_objects
from aiida_inversedesign.audit.record import (
    AuditError,
    CampaignRecord,
    CandidateRecord,
    EvaluationRecord,
    GenerationRecord,
)
from aiida_inversedesign.audit.rows import read_pool, read_table
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.recorded import read_settings
from aiida_inversedesign.graph import campaigns as query
from aiida_inversedesign.graph import choices as decisions
from aiida_inversedesign.graph import jobs
from aiida_inversedesign.graph.evaluation_account import last_launches
from aiida_inversedesign.graph.forked_read import read_in_fork
from aiida_inversedesign.graph.job_record import JobRecord, cost_of
from aiida_inversedesign.graph.screenings import jobs_of_potential
from aiida_inversedesign.nodes.contents import content_of

if TYPE_CHECKING:
    from aiida_inversedesign.libraries.library import Library
    from aiida_inversedesign.nodes.table_data import TableData


@many_objects()
def load_record(campaign: orm.WorkChainNode | int | str) -> CampaignRecord:
    """Everything that the loaded profile or archive knows of a campaign and those it resumed.

    :param campaign: its node, PK or UUID.
    :raises AuditError: if there is no such node, it is not a campaign, or what it stored cannot be understood.
    :raises SettingsError: if this version does not understand its settings.
    """
    node = campaign_node(campaign)
    assert node.pk is not None  # noqa: S101  # stored nodes have one
    facts = query.campaign_facts(node.pk)
    versions = facts.pop('version') or {}
    recorded = {'aiida-core': versions.get('core'), 'aiida-inversedesign': versions.get('plugin')}
    recorded_settings = decisions.dict_of(node.pk, 'settings')
    if recorded_settings is None:
        raise AuditError(f'the settings of campaign {node.pk} are not here: an archive must hold its inputs too')
    settings = read_settings(recorded_settings, f'campaign {node.uuid}', recorded['aiida-inversedesign'])
    chain = query.chain_of(node.pk)
    generations = query.find_generations(chain)
    identifiers = [generation['pk'] for generation in generations]
    jobs_read = read_in_fork(jobs.read_jobs, chain)
    versions = {name: version for name, version in recorded.items() if version}
    candidates = _candidates(identifiers)
    batches, surrogates = decisions.find_batches(identifiers), decisions.find_surrogates(identifiers)
    launches = read_launches(generations, chain)
    codes = decisions.find_codes(identifiers)
    found = jobs.records_of(jobs_read(), codes)
    record = CampaignRecord(
        **facts,
        name=settings.name,
        stop_reason=query.stop_reason(node.pk),
        resumed=tuple(query.campaign_facts(pk)['uuid'] for pk in chain if pk != node.pk),
        settings=settings,
        budget=decisions.dict_of(node.pk, 'budget') or {},
        library=decisions.library_of(node.pk),
        model=decisions.model_of(node.pk),
        versions=versions,
        codes=_distinct_codes(codes, found),
        generations=tuple(
            GenerationRecord(
                **generation,
                batch=tuple(batches.get(generation['pk'], ())),
                chosen_with=next((choice['surrogate'] for choice in batches.get(generation['pk'], ())), ''),
                surrogate=surrogates.get(generation['pk']),
            )
            for generation in generations
        ),
        evaluations=(),
        jobs=tuple(found),
        candidates=tuple(candidates.values()),
        references=decisions.last_references(identifiers),
        screenings=tuple(jobs_of_potential(identifiers)),
        known=_known(query.known_table(identifiers), settings.space.kind),
        curves=_curves(settings.goal, identifiers),
        source=_source(node.pk),
    )
    record = replace(record, evaluations=tuple(_evaluations(record, candidates, launches)))
    try:
        answers = answers_of(record, lambda port: decisions.library_node(node.pk, port))
    except NoAnswersError as error:
        return replace(record, answers_reason=str(error))
    return replace(record, answers=answers)


def _curves(goal: Goal, generations: Sequence[int]) -> tuple[CurveRecord, ...]:
    """The curves of the newest table, with what had been predicted of them."""
    names = {settings['property'] for settings in goal.functionals.values()}
    table = query.newest_table(generations) if names else None
    if table is None:
        return ()
    bands = decisions.curve_bands(generations)
    return tuple(
        CurveRecord(row.candidate, name, curve, bands.get((row.candidate, name)))
        for row in table.get_rows()
        for name, curve in sorted(row.curves.items())
        if name in names
    )


def load_library(record: CampaignRecord) -> Library | None:
    """The templates of a recorded campaign, from the loaded profile or archive; None if they are not there."""
    from aiida_inversedesign.nodes.library_data import LibraryData

    if record.library is None:
        return None
    try:
        node = orm.load_node(record.library.uuid)
        return node.get_library() if isinstance(node, LibraryData) else None
    except (NotExistent, ConfigurationError, OSError):
        return None


def campaign_node(campaign: orm.WorkChainNode | int | str) -> orm.WorkChainNode:
    """The node of a campaign, given it, its PK or its UUID.

    :raises AuditError: if there is none, or it is of another process.
    """
    try:
        node = campaign if isinstance(campaign, orm.Node) else orm.load_node(campaign)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise AuditError(f'there is no campaign {campaign}: `aiida-inversedesign status` lists them') from error
    if not isinstance(node, orm.WorkChainNode) or node.process_type != query.CAMPAIGN or node.pk is None:
        raise AuditError(
            f'{node.__class__.__name__} {node.pk} is not a campaign: '
            'give the PK of one that `aiida-inversedesign status` lists'
        )
    return node


def _source(pk: int) -> str:
    """Where the record was read, on one line: all else is the same wherever that was."""
    from aiida.manage import get_manager

    from aiida_inversedesign.audit.archive import ARCHIVE

    profile = get_manager().get_profile()
    if profile is None:
        return f'campaign {pk}'
    if profile.storage_backend == 'core.sqlite_zip':
        return f'campaign {pk} in archive {profile.options.get(ARCHIVE, profile.storage_config["filepath"])}'
    return f'campaign {pk} in profile {profile.name} ({profile.storage_backend})'


def _known(table: TableData | None, space: str) -> tuple[EvaluationRecord, ...]:
    """The starting data."""
    rows = read_table(table.parts(), f'TableData<{table.pk}>') if table is not None else []
    return tuple(
        EvaluationRecord(
            candidate=row['candidate'],
            key=row['key'],
            generation=0,
            status=row['status'],
            arm=row['arm'],
            computed=False,
            properties=row['properties'],
            errors=row.get('errors') or {},
            reason=row['reason'],
            proposed_text=row['proposed'],
            space=space,
        )
        for row in rows
    )


def _candidates(generations: Sequence[int]) -> dict[str, CandidateRecord]:
    """Every candidate that was considered, once, by id."""
    found: dict[str, CandidateRecord] = {}
    for pool in decisions.largest_pools(generations):
        for candidate in read_pool(pool.payload, f'PoolData<{pool.pk}>', pool.space):
            found.setdefault(candidate.id, candidate)
    return found


def _distinct_codes(codes: Mapping[int, dict[str, Any]], found: Sequence[JobRecord]) -> tuple[dict[str, Any], ...]:
    """Each code once, with the versions that its jobs recorded."""
    distinct = {code['uuid']: code for code in codes.values()}
    recorded: dict[str, set[str]] = {}
    for job in found:
        if job.code_version:
            recorded.setdefault(job.code, set()).add(job.code_version)
    return tuple(
        {**code, 'versions': sorted(recorded.get(code['label'], ()))}
        for code in sorted(distinct.values(), key=lambda code: (code['label'], code['uuid']))
    )


def _evaluations(
    record: CampaignRecord, candidates: Mapping[str, CandidateRecord], launches: Launches
) -> list[EvaluationRecord]:
    """One record for each candidate that was launched, in the order of the launches that count: the last of each.

    What launches have cost that a resumed campaign repeated belongs to their candidate; that of references is added to
    the candidate that came next.
    """
    launched, rows = launches.evaluations, launches.rows
    generations = {generation.pk: generation for generation in record.generations}
    choices = {choice['candidate']: choice for generation in record.generations for choice in generation.batch}
    counting = {item.id for item in last_launches(launched)}
    first = {item.label: item for item in reversed(launched)}
    unknown = [
        item.id for item in launched if item.id in counting and item.label not in rows and item.label not in candidates
    ]
    structures = query.evaluated_candidates(unknown) if unknown else {}
    own: dict[int, list[JobRecord]] = {}
    for job in record.jobs:
        own.setdefault(job.evaluation_id, []).append(job)
    before: list[JobRecord] = []
    repeated: dict[str, list[JobRecord]] = {}
    found = []
    for item in launched:
        if item.is_reference:
            before += own.get(item.id, [])
            continue
        if item.id not in counting:
            repeated.setdefault(item.label, []).extend(own.get(item.id, []))
            continue
        cost, before = cost_of([*before, *repeated.pop(item.label, []), *own.get(item.id, [])]), []
        candidate, row = candidates.get(item.label), rows.get(item.label, {})
        choice = choices.get(item.label, {})
        account = launches.account(item, record.goal)
        predicted = choice.get('predicted') or row.get('predicted') or {}
        text = row.get('proposed') or (candidate.content_text if candidate else None)
        if text is None and item.id in structures:
            text = _text(record, structures[item.id])
        found.append(
            EvaluationRecord(
                candidate=item.label,
                key=row.get('key') or (candidate.key if candidate else '') or _key(record, text),
                generation=generations[item.generation].number,
                status=account.status,
                arm=choice.get('arm') or row.get('arm', ''),
                template=row.get('template') or (candidate.template if candidate else ''),
                generator=candidate.generator if candidate else '',
                proposer=candidate.proposer if candidate else '',
                prototype=candidate.proto_label if candidate else '',
                surrogate=choice.get('surrogate', '') if choice.get('arm') == 'acquisition' else '',
                acquisition=choice.get('acquisition', ''),
                acquisition_value=choice.get('value'),
                probability=candidate.probability if candidate else row.get('probability'),
                hit=account.hit,
                reused=item.is_reused,
                computed=not record.looks_up,
                properties=account.properties,
                errors=row.get('errors') or {},
                estimates=row.get('estimates') or {},
                predicted={name: (pair[0], pair[1]) for name, pair in predicted.items()},
                reason=account.reason,
                exit_status=item.exit_status,
                dft_calculations=cost.dft_calculations,
                core_hours=cost.core_hours,
                pk=item.id,
                uuid=item.uuid,
                started=first[item.label].started,
                ended=None if item.is_running else item.changed,
                proposed_text=text,
                relaxed_text=row.get('relaxed') if account.status == 'completed' else None,
                space=record.space_kind,
            )
        )
    ended = {item.label: item for item in launched if item.id in counting}
    completed = [(ended[item.candidate], item.key) for item in found if item.status == 'completed']
    copies = launches.copies(completed, record.space)
    return [replace(item, copy_of=copy) if (copy := copies.get(item.candidate)) else item for item in found]


def _text(record: CampaignRecord, node: orm.Data) -> str:
    return json.dumps(content_of(record.space_kind, node).to_dict())


def _key(record: CampaignRecord, text: str | None) -> str:
    return str(record.space.read(json.loads(text)).key) if text else ''
