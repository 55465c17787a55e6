"""The proposal as a program: ``python -m aiida_inversedesign.decisions.run_propose`` in the folder of a job.

It imports no aiida: the computer needs the package and its libraries, but no profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.processes.job_exchange import LIBRARY, MODEL, run_job
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next
from aiida_inversedesign.propose.proposal_model import load_model


def compute(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The candidates as records, earlier ones included."""
    model, spec = Path(MODEL), CampaignSettings.model_validate(data['settings'])
    candidates = propose_next(
        spec,
        read_library(Path(LIBRARY)),
        load_model(model.read_bytes()) if model.exists() else None,
        data['generation'],
        [EvaluationRow.from_dict(row, spec.space.read) for row in data['rows']],
        [Candidate.from_dict(record, spec.space.read) for record in data['earlier']],
        None if data['surrogate'] is None else Surrogate.from_state(data['surrogate']),
        generated=data['generated'],
    )
    return [candidate.to_dict() for candidate in candidates]


def read_library(file: Path) -> Library | PointSet | None:
    """The templates (Parquet) or points (CSV) of a file of a job, or None if it has none."""
    if not file.exists():
        return None
    content = file.read_bytes()
    return Library.from_bytes(content) if content[:4] == b'PAR1' else PointSet.from_bytes(content)


if __name__ == '__main__':
    run_job(compute, (ProposalError,))
