"""Requests to stop a campaign: where they are left, and what the running campaign makes of them.

A request is an extra of the campaign's node. It needs no broker and outlives every daemon; the campaign looks for it
before it launches anything, and what it then decides enters the provenance as an input of ``conclude``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from aiida import orm

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.control import STOP, stop_request
from aiida_inversedesign.processes.timed_wait import end_read_transaction


class StopError(InverseDesignError):
    """A campaign that cannot be stopped."""


@dataclass(frozen=True)
class StopRequest:
    """A request to stop.

    :param by: e-mail of the AiiDA user who asked.
    :param at: when, ISO 8601.
    :param kill: whether evaluations that run are killed; otherwise they finish.
    :param reason: why, in the user's words.
    """

    by: str
    at: str
    kill: bool = False
    reason: str = ''

    def __str__(self) -> str:
        how = 'running evaluations were killed' if self.kill else 'running evaluations finished'
        return f'stopped by {self.by} at {self.at[:16]}, {how}' + (f': {self.reason}' if self.reason else '')


def request_stop(campaign: orm.WorkChainNode, kill: bool = False, reason: str = '') -> StopRequest:
    """Ask a campaign to stop; a second request can turn the first into one that kills, not back.

    :raises StopError: if it has ended already.
    """
    if campaign.is_terminated:
        raise StopError(
            f'campaign {campaign.pk} has ended already ({campaign.process_state.value}): there is nothing to stop'
        )
    earlier = find_request(campaign.pk)
    if earlier is not None and (earlier.kill or not kill):
        return earlier
    user = orm.User.collection.get_default()
    by = 'an unknown user' if user is None else user.email
    request = StopRequest(by, datetime.now(UTC).isoformat(timespec='seconds'), kill, reason)
    campaign.base.extras.set(STOP, asdict(request))
    return request


def find_request(campaign: int | None) -> StopRequest | None:
    """The request to stop the campaign with this PK, or None."""
    if campaign is None:
        return None
    end_read_transaction()
    request: dict[str, Any] | None = stop_request(campaign)
    return None if request is None else StopRequest(**request)


def request_for(generation: orm.WorkChainNode) -> StopRequest | None:
    """The request to stop the campaign that called this generation, or None."""
    caller = generation.caller
    return None if caller is None else find_request(caller.pk)


def kills(request: StopRequest | None) -> bool:
    """Whether a request has what runs killed: that is not a failure, and may be evaluated again."""
    return request is not None and request.kill
