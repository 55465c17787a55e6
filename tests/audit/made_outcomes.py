"""Evaluations as the audit's figures take them: completed with a value of ``k``, or failed without one."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.audit.record import EvaluationRecord


def outcome(name: str, k: float | None = None, **fields: Any) -> EvaluationRecord:
    """An evaluation of five DFT calculations; a hit from 300 on."""
    values = {
        'key': 'BN',
        'generation': 1,
        'status': 'failed' if k is None else 'completed',
        'arm': 'acquisition',
        'hit': k is not None and k >= 300,
        'properties': {} if k is None else {'k': k},
        'dft_calculations': 5,
        'core_hours': 0.5,
    }
    return EvaluationRecord(name, **{**values, **fields})
