"""The proposal as a program: ``python -m aiida_inversedesign.propose.run_job`` in the folder of a job.

It imports no aiida: the computer needs the package and its libraries, but no profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.campaign.transfer import LIBRARY, MODEL, run_job
from aiida_inversedesign.learn.table import EvaluationRow
from aiida_inversedesign.propose.campaign import propose_next
from aiida_inversedesign.propose.candidate import Candidate
from aiida_inversedesign.propose.library import Library
from aiida_inversedesign.propose.model import load_model
from aiida_inversedesign.propose.pipeline import ProposalError


def compute(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The candidates as records, earlier ones included."""
    model = Path(MODEL)
    candidates = propose_next(
        CampaignSettings.model_validate(data['settings']),
        Library.from_bytes(Path(LIBRARY).read_bytes()),
        load_model(model.read_bytes()) if model.exists() else None,
        data['generation'],
        [EvaluationRow.from_dict(row) for row in data['rows']],
        [Candidate.from_dict(record) for record in data['earlier']],
    )
    return [candidate.to_dict() for candidate in candidates]


if __name__ == '__main__':
    run_job(compute, (ProposalError,))
