"""Recording answers: what is refused, what is known already, and what becomes a node."""

from __future__ import annotations

import difflib
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from aiida.manage import get_config, get_manager
from aiida.orm import User, WorkChainNode

from aiida_inversedesign.engines.external.combine import Answer, combine
from aiida_inversedesign.engines.external.questions import Questions, answer_of, answers_to
from aiida_inversedesign.engines.external.reading import Answered, AnswerError, Sheet, read_sheet
from aiida_inversedesign.nodes.answer_data import AnswerData, digests
from aiida_inversedesign.processes.timed_wait import end_read_transaction

#: More bytes of one attached file belong into a repository of raw data.
LARGEST_FILE = 1 << 30

Outcome = Literal['recorded', 'known']


def refuse_if_ended(campaign: WorkChainNode, resumed: WorkChainNode | None) -> None:
    """Refuse answers to a campaign that has ended.

    :param resumed: the campaign that goes on with it.
    :raises AnswerError: with what to do.
    """
    if not campaign.is_terminated:
        return
    if resumed is not None:
        raise AnswerError(f'campaign {campaign.pk} was resumed as {resumed.pk}: tell that one; nothing was recorded')
    raise AnswerError(
        f'campaign {campaign.pk} has ended ({campaign.process_state.value}): nothing was recorded. Keep the values; '
        f'`aiida-inversedesign resume {campaign.pk} --budget evaluations=N` continues it, then tell them again'
    )


def record(
    questions: Questions,
    answered: Answered,
    files: Mapping[str, bytes] | None = None,
    about: Mapping[str, str] | None = None,
) -> Outcome:
    """Record an answer, unless it is there already.

    :param files: raw data by name. :param about: who and with what, where the answer itself does not say it.
    :raises AnswerError: if it cannot be recorded.
    """
    _refuse_unasked(questions, answered.candidate)
    answer = _complete(answered.answer, files or {}, about or {})
    node = questions.node(answered.candidate)
    with _one_at_a_time():
        # another program may have recorded an answer since this one looked
        end_read_transaction()
        earlier = [answer_of(item) for item in answers_to(questions.settings_node, answered.candidate)]
        if _is_known(answer, earlier):
            return 'known'
        _refuse_second(answer, earlier, answered.candidate)
        facts = {
            'campaign': questions.settings_node.uuid,
            'candidate': node.uuid,
            'name': answered.candidate,
            'kind': answer.kind,
            'values': {name: dict(item) for name, item in answer.values.items()},
            'failed': answer.failed,
            'about': dict(answer.about),
            'at': datetime.now(UTC).isoformat(timespec='microseconds'),
        }
        AnswerData.of(facts, files).store()
    return 'recorded'


def record_file(questions: Questions, path: Path, kind: Any, about: Mapping[str, str]) -> dict[str, Any]:
    """Record the rows of a CSV file; what is wrong with one keeps none of the others from being recorded.

    :returns: ``recorded`` and ``known`` candidates, and ``problems``.
    :raises AnswerError: if no row can be understood.
    """
    # columns that say what was asked
    variables = questions.settings.space.model_dump().get('variables') or {}
    ignored = {'key', 'since', 'until', 'missing', 'pk', *variables}
    sheet: Sheet = read_sheet(_content(path), path.name, questions.units, ignored, kind)
    found: dict[str, Any] = {'recorded': [], 'known': [], 'problems': list(sheet.problems)}
    for answered in sheet.answered:
        try:
            files = attached([path.parent / name for name in answered.files])
            found[record(questions, answered, files, about)].append(answered.candidate)
        except AnswerError as error:
            found['problems'].append(f'{path.name} line {answered.line}: {error}')
    return found


def attached(paths: Sequence[Path]) -> dict[str, bytes]:
    """The contents of files to be attached, by name.

    :raises AnswerError: if one cannot be read, or two have the same name.
    """
    files: dict[str, bytes] = {}
    for path in paths:
        if path.name in files:
            raise AnswerError(f'two attached files are called {path.name}: rename one')
        files[path.name] = _content(path)
    return files


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise AnswerError(
                f'{path} is larger than {LARGEST_FILE >> 30} GB: attach a summary, note where the file is'
            )
        return path.read_bytes()
    except OSError as error:
        raise AnswerError(f'{path} cannot be read ({error.strerror or error})') from error


def _complete(answer: Answer, files: Mapping[str, bytes], about: Mapping[str, str]) -> Answer:
    user = User.collection.get_default()
    known = {'by': 'an unknown user' if user is None else user.email, **about, **answer.about}
    if files:
        known['files'] = digests(files)
    if not answer.values and not answer.failed:
        raise AnswerError('no value is given: write property=value, or --failed and why')
    return Answer(answer.values, answer.failed, answer.kind, {key: text for key, text in known.items() if text})


def _refuse_unasked(questions: Questions, name: str) -> None:
    asked = questions.asked
    if name in asked:
        return
    still = [item['candidate'] for item in questions.open()]
    near = difflib.get_close_matches(name, asked, n=1)
    hint = f'did you mean {near[0]}? ' if near else ''
    shown = ', '.join(still[:5]) + (' …' if len(still) > 5 else '')
    raise AnswerError(
        f'{name!r} was not asked for in campaign {questions.campaign.pk}: {hint}'
        + (f'open are {shown}' if still else 'nothing is open')
    )


def _is_known(answer: Answer, earlier: Sequence[Answer]) -> bool:
    """Whether an answer repeats one that is there: a file that was read again, a command that was given again."""
    if answer.kind == 'correction':
        earlier = earlier[-1:]
    if answer.kind == 'replicate':
        # an instrument may well show the same number twice; the same line of a file is the same measurement
        return 'file' in answer.about and any(answer == item for item in earlier)
    same = [item for item in earlier if item.values == answer.values and item.failed == answer.failed]
    return any(item.about.get('files') == answer.about.get('files') or 'files' not in answer.about for item in same)


def _refuse_second(answer: Answer, earlier: Sequence[Answer], name: str) -> None:
    """Refuse a second answer that does not say whether it is a replicate or a correction."""
    known = combine(earlier)
    if answer.kind == 'correction' and not earlier:
        raise AnswerError(f'{name} has no answer yet, so that there is nothing to correct: leave --correct out')
    if answer.kind == 'replicate' and known.failed:
        raise AnswerError(f'{name} was said to have failed ({known.failed}): a correction replaces that')
    if answer.kind != 'answer' or not earlier:
        return
    again = [item for item in answer.values if item in known.values]
    if not again and not known.failed and not (answer.failed and known.values):
        return
    before = earlier[-1]
    said = known.failed or ', '.join(f'{item} = {known.record()[item]["value"]:g}' for item in again or known.values)
    raise AnswerError(
        f'{name} was answered before, by {before.about.get("by", "somebody")}: {said}. Say whether this is a further '
        'measurement (--replicate; in a file: kind replicate) or replaces the earlier one (--correct; kind correction)'
    )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep other programs on this machine from telling something between the look and the record."""
    profile = get_manager().get_profile()
    path = Path(get_config().dirpath) / f'inversedesign_tell_{profile.uuid if profile else ""}.lock'
    with path.open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
