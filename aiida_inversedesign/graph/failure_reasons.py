"""Why a process failed, in plain words: the one account for loop, status, audit and report. Imports no aiida."""

from __future__ import annotations

import re

from aiida_inversedesign.campaign.contracts.engine import installed

#: A guess at the end of a reason, of no use where the program itself said more.
_GUESS = re.compile(r' \(perhaps [^()]*\)$')


def failure_reason(
    process_type: str | None,
    exit_status: int | None,
    exit_message: str | None,
    state: str = 'finished',
    exception: str = '',
    name: str = 'it',
    words: str = '',
) -> str:
    """Why one process failed, in plain words.

    :param exit_status: None if it did not finish.
    :param exit_message: AiiDA's own message, repeated where no installed engine knows better.
    :param state: AiiDA's process state: ``finished``, ``killed`` or ``excepted``.
    :param exception: of one that excepted, if it is known; its last line is shown.
    :param name: what the process is called in the sentence.
    :param words: what the program, its launcher or its scheduler said of the failure.
    """
    if state == 'killed':
        return f'{name} was killed before it finished'
    if state == 'excepted':
        lines = exception.strip().splitlines()
        return f'{name} stopped with an internal error' + (
            f': {lines[-1]}' if lines else ' (`verdi process report` shows it)'
        )
    known = next(filter(None, (engine.explain(process_type or '', exit_status) for engine in installed().values())), '')
    reason = known or (exit_message or f'{name} ended with exit status {exit_status}').strip().rstrip('.')
    if not words or words in reason:
        return reason
    return f'{_GUESS.sub("", reason)}; it said: {words}'


def with_attempts(reason: str, attempts: int) -> str:
    """The reason, with the number of attempts if there was more than one."""
    return reason if attempts <= 1 else f'{reason} (after {attempts} attempts)'
