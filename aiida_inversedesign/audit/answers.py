"""What the data set of a ``table`` campaign answers for every candidate: the base rate of random choice. No aiida."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord, CandidateRecord
from aiida_inversedesign.campaign.engine_settings import Table
from aiida_inversedesign.engines.table.lookup import LookupTable, NoEntryError, entry_values, fails_on_purpose
from aiida_inversedesign.libraries.points import PointSet


class NoAnswersError(LookupError):
    """What an evaluation would find is not known for every candidate, with the reason."""


def answers_of(record: CampaignRecord, library_node: Callable[[str], Any]) -> dict[str, dict[str, float] | None]:
    """The properties of each candidate that passed every filter; None where its evaluation fails.

    :param library_node: the node of an input of the campaign that is a library, by the name of the port.
    :raises NoAnswersError: if the engine is none that looks answers up, or nothing was proposed.
    """
    if record.engine != 'table':
        raise NoAnswersError('what an evaluation would find is known for the evaluated candidates only')
    candidates = [candidate for candidate in record.candidates if candidate.accepted]
    if not candidates:
        raise NoAnswersError('no candidate passed every filter')
    node = library_node('engine__data')
    if node is None:
        raise NoAnswersError('the data set of the campaign is not here')
    settings = record.settings.evaluate
    assert isinstance(settings, Table)  # noqa: S101  # by its engine
    library = node.get_library()
    if isinstance(library, PointSet):
        return {item.id: _measured(library, item, settings, record.goal.properties) for item in candidates}
    whole = record.settings.propose.method == 'library'
    same = whole and record.library is not None and record.library.hash == node.content_hash
    entries = {template.id: template for template in library} if same else {}
    table = None if same else LookupTable(library)
    fraction = settings.fail_fraction
    wanted = record.goal.properties
    found: dict[str, dict[str, float] | None] = {}
    for candidate in candidates:
        values: dict[str, float] | None = None
        if not (fraction and candidate.content is not None and fails_on_purpose(candidate.content, fraction)):
            try:
                template = entries.get(candidate.template) if table is None else None
                if template is None and table is not None and candidate.content is not None:
                    template = table.find(candidate.content, settings.match)
                values = entry_values(template) if template is not None else None
            except NoEntryError:
                values = None
        found[candidate.id] = values if values is not None and all(name in values for name in wanted) else None
    return found


def _measured(
    data: PointSet, candidate: CandidateRecord, settings: Table, wanted: Sequence[str]
) -> dict[str, float] | None:
    """What a data set of points answers for a candidate."""
    if fails_on_purpose(candidate.content, settings.fail_fraction):
        return None
    found = data.measured_at(candidate.content)
    return dict(found.values) if found is not None and all(name in found.values for name in wanted) else None
