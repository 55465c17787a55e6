"""What the data set of a campaign answers for every candidate: the base rate of random choice. Imports no aiida."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.contracts.engine import find
from aiida_inversedesign.campaign.contracts.registry import load


class NoAnswersError(LookupError):
    """What an evaluation would find is not known for every candidate, with the reason."""


def answers_of(record: CampaignRecord, library_node: Callable[[str], Any]) -> dict[str, dict[str, float] | None]:
    """The properties of each candidate that passed every filter; None where its evaluation fails.

    :param library_node: the node of an input of the campaign that is a library, by the name of the port.
    :raises NoAnswersError: if the engine is none that looks answers up, or nothing was proposed.
    """
    engine = find(record.engine)
    if engine is None or not engine.answers:
        raise NoAnswersError('what an evaluation would find is known for the evaluated candidates only')
    candidates = [candidate for candidate in record.candidates if candidate.accepted]
    if not candidates:
        raise NoAnswersError('no candidate passed every filter')
    node = library_node('engine__data')
    if node is None:
        raise NoAnswersError('the data set of the campaign is not here')
    same = (
        list(record.settings.propose.shares) == ['library']
        and record.library is not None
        and record.library.hash == node.content_hash
    )
    found: dict[str, dict[str, float] | None] = load(engine.answers)(
        record.settings.evaluate, node.get_library(), candidates, record.goal.properties, same
    )
    return found
