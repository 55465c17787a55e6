"""A verification from its beginning to its report."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiida import orm

from aiida_inversedesign.audit.record import AuditError
from aiida_inversedesign.campaign.recorded import SettingsError
from aiida_inversedesign.verify.case import Case
from aiida_inversedesign.verify.decisions import check_decisions, check_seeds, check_templates
from aiida_inversedesign.verify.findings import Finding, unique
from aiida_inversedesign.verify.limits import check_budget
from aiida_inversedesign.verify.origins import check_origins
from aiida_inversedesign.verify.passed_on import check_passed_on
from aiida_inversedesign.verify.replay import DECISIONS, Replay, error_text, has_decided, repeatable
from aiida_inversedesign.verify.rows import check_rows
from aiida_inversedesign.verify.work import Result, Task, do_all

#: Version of the keys.
SCHEMA = 'inversedesign/1'
#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

#: Nodes of one task.
_PART = 200


def verify(
    campaign: orm.WorkChainNode | int | str,
    sample: int | None = None,
    jobs: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Take every decision of a campaign again from its stored inputs, and check its graph against itself.

    Nothing is stored. The campaigns that it resumed are verified with it.

    :param campaign: its node, PK or UUID.
    :param sample: run no more than this many functions of each kind again, drawn at random; None runs all.
    :param jobs: processes to use.
    :param seed: of the sample.
    :param progress: called with the progress.
    :returns: plain JSON data, documented in ``docs/verify.md``.
    :raises AuditError: if it is another node, or the settings cannot be read.
    """
    begun = time.perf_counter()
    if sample is not None and sample < 1:
        raise AuditError(f'the sample must be at least 1, got {sample}')
    report = progress or (lambda step, done, total: None)
    report('reading the graph', 0, 1)
    case = Case.of(campaign if isinstance(campaign, orm.Node) else orm.load_node(campaign))
    by_kind, drawn = _functions(case, sample, seed)
    tasks = _tasks(case, drawn, sample is not None)
    total, done = sum(len(task.nodes) for task in tasks), 0
    results: list[Result] = []
    for result in do_all(tasks, jobs):
        results.append(result)
        done += result.nodes
        report('running decisions again', done, total)
    report('checking the graph', total, total)
    replays = sorted((replay for result in results for replay in result.replays), key=lambda replay: replay.pk)
    findings = [finding for result in results for finding in result.findings]
    findings += _cross_checks(case, {replay.pk for replay in replays if replay.kind == 'harvest'} if sample else None)
    findings += _of_evaluations(case, replays)
    return {
        'schema': SCHEMA,
        'campaign': {'pk': case.campaign, 'uuid': case.root.uuid, 'name': case.name},
        **_summary(case, [replay for replay in replays if replay.kind in DECISIONS], 'decisions'),
        'by_kind': {
            kind: _counts([replay for replay in replays if replay.kind == kind])
            for kind in DECISIONS
            if by_kind.get(kind)
        },
        'evaluations': _summary(case, [replay for replay in replays if replay.kind not in DECISIONS], 'calculations'),
        'nodes': {
            'checked': sum(result.checked for result in results),
            'without_hash': sum(result.without_hash for result in results),
        },
        'sample': sample and {'size': sample, 'seed': seed, 'of': dict(sorted(by_kind.items()))},
        'findings': [dict(vars(finding)) for finding in unique(findings)],
        'seconds': round(time.perf_counter() - begun, 3),
    }


def is_sound(report: dict[str, Any]) -> bool:
    """Whether a verification found nothing that differs and nothing else that is not as it should be."""
    return not (report['different'] or report['evaluations']['different'] or report['findings'])


def _functions(case: Case, sample: int | None, seed: int) -> tuple[dict[str, int], list[int]]:
    """How many functions of each kind there are, and the PKs of those to run again."""
    kinds: dict[str, list[int]] = {}
    for call in case.graph.calls.values():
        if call.process_type in repeatable() and has_decided(call):
            kinds.setdefault(repeatable()[call.process_type].kind, []).append(call.id)
    generator = random.Random(seed)  # noqa: S311
    drawn = []
    for kind in sorted(kinds):
        members = kinds[kind]
        drawn += members if sample is None or len(members) <= sample else generator.sample(members, sample)
    return {kind: len(members) for kind, members in kinds.items()}, sorted(drawn)


def _tasks(case: Case, drawn: Sequence[int], sampled: bool) -> list[Task]:
    """What there is to do; decisions, which take longest, come first."""
    graph = case.graph
    decisions = [pk for pk in drawn if repeatable()[graph.calls[pk].process_type].kind in DECISIONS]
    others = [pk for pk in drawn if pk not in set(decisions)]
    calls = set(graph.calls)
    if sampled:
        # what the campaign and its generations took and gave, and what was drawn
        calls = {*case.chain, *(generation.id for generation in case.generations), *drawn}
    sides = (graph.inputs, graph.created, graph.returned)
    data = {link.node for side in sides for pk in calls for link in side.get(pk, {}).values()}
    jobs = [pk for pk in calls if graph.calls[pk].is_job]
    return [
        *(Task('replay', (pk,)) for pk in decisions),
        *(Task('read', part) for part in _parts(sorted(jobs), 10)),
        *(Task('replay', part) for part in _parts(others, 20)),
        *(Task('check', part) for part in _parts(sorted(calls | data), _PART)),
    ]


def _parts(identifiers: Sequence[int], size: int) -> Iterable[tuple[int, ...]]:
    return (tuple(identifiers[start : start + size]) for start in range(0, len(identifiers), size))


def _cross_checks(case: Case, harvests: set[int] | None) -> list[Finding]:
    """Findings of all checks of the graph against itself; a check that what was altered brings down is one, too."""
    checks: list[tuple[Callable[[], Iterable[Finding]], str, str]] = [
        (lambda: check_decisions(case), 'state', 'the inputs of decisions'),
        (lambda: check_passed_on(case), 'settings', 'the inputs of evaluations'),
        (lambda: check_seeds(case), 'seed', 'the seeds'),
        (lambda: check_templates(case), 'library', 'the templates'),
        (lambda: check_rows(case, harvests), 'outcome', 'the rows of tables'),
        (lambda: check_origins(case), 'missing_calculation', 'the origins of results'),
        (lambda: check_budget(case), 'budget', 'the budget'),
    ]
    findings: list[Finding] = []
    unread: dict[str, str] = {}
    for check, kind, subject in checks:
        try:
            findings += check()
        except SettingsError as error:
            unread[subject] = str(error)
        except Exception as error:  # whatever altered nodes lead to
            message = f'{subject} cannot be checked, what is stored makes no sense ({error_text(error)})'
            findings.append(Finding(kind, case.root.uuid, message))
    if unread:
        message = f'{", ".join(unread)} were not checked: {next(iter(unread.values()))}'
        findings.append(Finding('not_readable', case.root.uuid, message))
    return findings


def _of_evaluations(case: Case, replays: Iterable[Replay]) -> list[Finding]:
    """A finding for each property, equation of state or reference that does not follow from its inputs."""
    findings = []
    for replay in replays:
        known = repeatable().get(case.graph.calls[replay.pk].process_type)
        if known is None or not known.finding or replay.status != 'different':
            continue
        kind = 'structure' if replay.message.startswith('structure') else known.finding
        message = f'{replay.function} of {_owner(case, replay.pk)}: {replay.message}'
        findings.append(Finding(kind, replay.uuid, message))
    return findings


def _owner(case: Case, pk: int) -> str:
    """The evaluation that a function belongs to, or the generation."""
    call = case.graph.calls[pk]
    while call.parent is not None and case.graph.calls[call.parent].label != '':
        parent = case.graph.calls[call.parent]
        if parent.label.startswith('generation_'):
            return call.label if call.is_work else parent.label
        call = parent
    return case.graph.calls[pk].label


def _counts(replays: Sequence[Replay]) -> dict[str, int]:
    names = ('identical', 'within_tolerance', 'different', 'not_repeatable')
    return {'decisions': len(replays)} | {name: sum(replay.status == name for replay in replays) for name in names}


def _summary(case: Case, replays: Sequence[Replay], total: str) -> dict[str, Any]:
    """Counts of replays by what came of them, with those that need a look."""
    return {
        total: len(replays),
        'identical': sum(replay.status == 'identical' for replay in replays),
        'within_tolerance': sum(replay.status == 'within_tolerance' for replay in replays),
        'largest_deviation': max(
            (replay.deviation for replay in replays if replay.status == 'within_tolerance'), default=0.0
        ),
        'different': [_entry(case, replay) for replay in replays if replay.status == 'different'],
        'not_repeatable': [_entry(case, replay) for replay in replays if replay.status == 'not_repeatable'],
    }


def _entry(case: Case, replay: Replay) -> dict[str, Any]:
    return {
        'kind': replay.kind,
        'function': replay.function,
        'of': _owner(case, replay.pk),
        'node': replay.uuid,
        'deviation': replay.deviation if math.isfinite(replay.deviation) else None,
        'message': replay.message,
    }
