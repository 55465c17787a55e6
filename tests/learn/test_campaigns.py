"""Campaigns with each kind of surrogate, answers from a data set."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_inversedesign.workchains.foreground import run_campaign


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['forest', 'bootstrap'])
def test_a_campaign_runs_with_every_kind(campaign: Any, kind: str) -> None:
    builder, _ = campaign(learn={'surrogate': kind})
    node = run_campaign(builder)
    assert node.is_finished_ok, node.exit_message
    rows = node.outputs.table.get_rows()
    assert len(rows) == 8
    assert all('stiffness' in row.predicted for row in rows[4:])
    surrogate = node.outputs.surrogate
    assert (surrogate.kind, surrogate.models, surrogate.rows) == (kind, {'stiffness': kind}, {'stiffness': 8})
    loaded = surrogate.get_surrogate()
    assert loaded.failure is not None
    assert loaded.record['stiffness']['reason']
