"""A campaign whose proposals and fits run as jobs chooses what one without jobs chooses, and verifies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def python_label(aiida_profile_clean: Any, tmp_path: Path) -> str:
    """An interpreter with this package, on this machine."""
    from rehearsal import make_python_code

    return str(make_python_code(tmp_path).full_label)


@pytest.mark.slow
def test_jobs_decide_what_functions_decide(python_label: str, campaign: Any) -> None:
    from aiida_inversedesign.audit.verify import verify
    from aiida_inversedesign.workchains.foreground import run_campaign

    budget = {'evaluations': 6}
    plain = run_campaign(campaign(budget=budget)[0])
    assert plain.is_finished_ok, plain.exit_message
    sections = {'propose': {'code': python_label}, 'learn': {'code': python_label}}
    node = run_campaign(campaign(budget=budget, **sections)[0])
    assert node.is_finished_ok, node.exit_message
    names = [row.candidate for row in node.outputs.table.get_rows()]
    assert names == [row.candidate for row in plain.outputs.table.get_rows()]
    assert node.outputs.pool.content_hash == plain.outputs.pool.content_hash
    assert node.outputs.surrogate.content_hash == plain.outputs.surrogate.content_hash
    assert node.outputs.pool.creator.process_label == 'ProposeCalculation'
    assert node.outputs.surrogate.creator.process_label == 'FitCalculation'
    result = verify(node)
    assert result['different'] == []
    assert result['findings'] == []
    assert result['decisions'] == verify(plain)['decisions']


def test_jobs_need_generations(python_label: str, campaign: Any) -> None:
    from aiida_inversedesign.workchains.build import SetupError

    with pytest.raises(SetupError, match=r'learn\.code: only with select\.schedule generations'):
        campaign(learn={'code': python_label}, select={'schedule': 'asynchronous'}, budget={'at_once': 2})
