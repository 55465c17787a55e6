"""The decision to stop, as a calculation that can be run again."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict, Str

from aiida_inversedesign.campaign.costs.budget import conclusion
from aiida_inversedesign.campaign.spec import Budget


@calcfunction
def conclude(budget: Dict, spent: Dict):
    """Why a campaign stops.

    :param budget: the ``budget`` section of the campaign file.
    :param spent: what was used, the DFT jobs that one more evaluation needs, whether the space is exhausted, and why
        the campaign was to stop although the budget allowed more (a user's request, no disk space).
    """
    reason = conclusion(Budget.model_validate(budget.get_dict()), spent.get_dict())
    if reason is None:
        raise ValueError('the budget allows another evaluation and nobody asked to stop: there is no reason to stop')
    return {'stop_reason': Str(reason)}
