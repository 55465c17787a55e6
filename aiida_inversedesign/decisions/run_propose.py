"""The proposal as a program: ``python -m aiida_inversedesign.decisions.run_propose`` in the folder of a job.

It imports no aiida: the computer needs the package and its libraries, but no profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.processes.job_exchange import LIBRARY, MODEL, run_job
from aiida_inversedesign.propose.next_candidates import propose_next
from aiida_inversedesign.propose.pipeline import ProposalError
from aiida_inversedesign.propose.proposal_model import load_model


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
