"""The fit as a calculation: unpack the nodes, fit the surrogate, pack it."""

from __future__ import annotations

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.earlier import EarlierError
from aiida_inversedesign.learn.library_priors import SourceError
from aiida_inversedesign.learn.next_fit import fit_next
from aiida_inversedesign.learn.surrogate import SurrogateError
from aiida_inversedesign.nodes.earlier import earlier_campaigns
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData

#: Exit status where there is too little to learn from.
NO_SURROGATE = 320


@calcfunction
def fit_surrogate(settings: Dict, table: TableData, library: LibraryData | None = None, **earlier):
    """Fit the surrogate to the rows of the table.

    :param settings: the campaign file without its budget; its ``seed`` fixes all random choices.
    :param library: whose entries have the properties of ``learn.source``, where that names any.
    :param earlier: ``campaigns``, settings and tables of those of ``learn.from``
        (:mod:`aiida_inversedesign.nodes.earlier`).
    :return: ``surrogate``; exit code ``NO_SURROGATE`` if there are too few completed rows, or nothing to transfer from.
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    try:
        campaigns = earlier_campaigns(earlier.get('campaigns', {}))
        surrogate = fit_next(spec, table.get_rows(), library.get_library() if library else None, campaigns)
    except (SurrogateError, SourceError, EarlierError) as error:
        return ExitCode(NO_SURROGATE, f'no surrogate yet: {error}')
    return {'surrogate': SurrogateData.from_surrogate(surrogate)}
