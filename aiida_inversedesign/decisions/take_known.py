"""The starting data as a calculation: the first table of a campaign."""

from __future__ import annotations

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, SinglefileData

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.libraries.known import KnownError, read_known
from aiida_inversedesign.nodes.table_data import TableData

#: Exit status where the file cannot be read with these settings.
NOT_READ = 330


@calcfunction
def take_known(settings: Dict, known: SinglefileData):
    """The rows of the starting data: of the arm ``known``, at no cost.

    :param settings: the campaign file without its budget. :param known: the CSV or JSON-lines file as it was given.
    :return: ``table``.
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    try:
        found = read_known(known.get_content(mode='rb'), known.filename, spec)
    except KnownError as error:
        return ExitCode(NOT_READ, str(error))
    return {'table': TableData.from_rows(found.rows, spec.goal, spec.space.kind)}
