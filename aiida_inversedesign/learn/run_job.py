"""The fit as a program: ``python -m aiida_inversedesign.learn.run_job`` in the folder of a job.

It imports no aiida: the computer needs the package and its libraries, but no profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.campaign.transfer import LIBRARY, run_job
from aiida_inversedesign.learn.campaign import fit_next
from aiida_inversedesign.learn.source import SourceError
from aiida_inversedesign.learn.surrogate import SurrogateError
from aiida_inversedesign.learn.table import EvaluationRow
from aiida_inversedesign.propose.library import Library


def compute(data: dict[str, Any]) -> dict[str, Any]:
    """The state of the surrogate."""
    library = Path(LIBRARY)
    surrogate = fit_next(
        CampaignSettings.model_validate(data['settings']),
        [EvaluationRow.from_dict(row) for row in data['rows']],
        Library.from_bytes(library.read_bytes()) if library.exists() else None,
    )
    return surrogate.state()


if __name__ == '__main__':
    run_job(compute, (SurrogateError, SourceError))
