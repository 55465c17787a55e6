"""The fit as a program: ``python -m aiida_inversedesign.decisions.run_fit`` in the folder of a job.

It imports no aiida: the computer needs the package and its libraries, but no profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.earlier import EarlierCampaign, EarlierError
from aiida_inversedesign.learn.library_priors import SourceError
from aiida_inversedesign.learn.next_fit import fit_next
from aiida_inversedesign.learn.surrogate import SurrogateError
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.processes.job_exchange import LIBRARY, run_job


def compute(data: dict[str, Any]) -> dict[str, Any]:
    """The state of the surrogate."""
    library, spec = Path(LIBRARY), CampaignSettings.model_validate(data['settings'])
    surrogate = fit_next(
        spec,
        [EvaluationRow.from_dict(row, spec.space.read) for row in data['rows']],
        Library.from_bytes(library.read_bytes()) if library.exists() else None,
        [_earlier(item) for item in data.get('campaigns', ())],
    )
    return surrogate.state()


def _earlier(data: dict[str, Any]) -> EarlierCampaign:
    spec = CampaignSettings.model_validate(data['settings'])
    return EarlierCampaign(spec, [EvaluationRow.from_dict(row, spec.space.read) for row in data['rows']])


if __name__ == '__main__':
    run_job(compute, (SurrogateError, SourceError, EarlierError))
