"""What became of an evaluation: the one account for loop, status, audit and report. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import STABILITY
from aiida_inversedesign.campaign.row import is_hit
from aiida_inversedesign.graph.failure_reasons import failure_reason

Status = Literal['completed', 'failed', 'running', 'stopped']
#: What may have become of an evaluation.
STATUSES: tuple[Status, ...] = ('completed', 'failed', 'running', 'stopped')
#: Those that count in rates and among what was evaluated.
ENDED = ('completed', 'failed')
#: Process label of an evaluation that returns what an earlier one found.
REUSED = 'ReusedEvaluateWorkChain'
#: Beginning of the label of an evaluation that computes an elemental reference.
REFERENCE = 'reference_'
#: Beginning of the description of an evaluation that is made again because more is known of its candidate.
AGAIN = 'made again with '


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What a process says of its end.

    :param state: AiiDA's process state.
    :param exception: the traceback of one that excepted.
    """

    state: str
    exit_status: int | None = None
    exit_message: str | None = None
    exception: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state not in ('finished', 'excepted', 'killed')

    @property
    def is_ok(self) -> bool:
        """Whether it has found what it was asked for."""
        return self.state == 'finished' and self.exit_status == 0

    @property
    def reason(self) -> str:
        """Why it did not end well, in words; empty if it did, or runs."""
        if self.is_running or self.is_ok:
            return ''
        return failure_reason(None, self.exit_status, self.exit_message, self.state, self.exception or '')

    def status(self, was_stopped: bool, is_harvested: bool = False) -> Status:
        """What became of it.

        :param was_stopped: whether what was killed here is not harvested: the campaign was asked to kill what runs, or
            the generation has ended. That says nothing about the candidate, which may be evaluated again.
        :param is_harvested: whether the newest table has a row for it.
        """
        if self.is_running:
            return 'running'
        if self.state == 'killed' and was_stopped and not is_harvested:
            return 'stopped'
        return 'completed' if self.is_ok else 'failed'


@dataclass(frozen=True, kw_only=True)
class Evaluation(Ending):
    """One launched evaluation process.

    :param label: the candidate's id, or ``reference_<element>``.
    :param changed: when it last changed; once it has ended, when that was.
    """

    id: int
    uuid: str
    generation: int
    label: str
    description: str
    process_label: str | None
    started: datetime
    changed: datetime

    @property
    def is_reference(self) -> bool:
        """Whether it computes an elemental reference, not a candidate."""
        return self.label.startswith(REFERENCE)

    @property
    def is_reused(self) -> bool:
        """Whether it returned what an earlier evaluation had found."""
        return self.process_label == REUSED


@dataclass(frozen=True)
class Account:
    """What became of the evaluation of a candidate.

    :param reason: why it failed or was stopped, in words.
    :param properties: of one that completed, with those that only the whole campaign has.
    :param hit: None where the goal defines no hits, the evaluation has not ended, or the energy above the hull is not
        known before the next harvest.
    """

    status: Status
    reason: str
    properties: dict[str, float]
    hit: bool | None


def account_of(
    ending: Ending,
    goal: Goal,
    returned: Mapping[str, float],
    harvested: Mapping[str, float] | None,
    was_stopped: bool,
) -> Account:
    """What became of an evaluation.

    :param returned: the properties that it returned.
    :param harvested: its properties in the newest table; None if that has no row for it.
    :param was_stopped: as :meth:`Ending.status` takes it.
    """
    status = ending.status(was_stopped, harvested is not None)
    # the table adds what only the whole campaign has, such as the energy above the hull
    properties = {**(harvested or {}), **returned} if status == 'completed' else {}
    awaits_harvest = status == 'completed' and harvested is None and STABILITY not in properties
    is_judged = status in ENDED and not (awaits_harvest and STABILITY in goal.properties)
    return Account(status, ending.reason, properties, is_hit(goal, properties) if is_judged else None)


def last_launches(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """The launches that count, in their order: the last of each candidate, references left out."""
    launched = [item for item in evaluations if not item.is_reference]
    last = {item.label: item for item in launched}
    return [item for item in launched if last[item.label] is item]
