"""An interrupted campaign that goes on with too little budget: nothing is lost, and nothing too much is made."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rehearsal import make_python_code

Campaign = Callable[..., tuple[Any, Any]]
SCHEDULES = ['generations', pytest.param('asynchronous', marks=pytest.mark.slow)]


def interrupted(campaign: Campaign, schedule: str, finished: int, **evaluate: Any) -> tuple[Any, set[str]]:
    """The builder of a campaign that goes on with four candidates of which some had finished, and their names."""
    from aiida.orm import Dict

    from aiida_inversedesign.workchains.foreground import run_campaign
    from aiida_inversedesign.workchains.interrupted import children, inputs_to_go_on

    budget = {'evaluations': 4, 'at_once': 4}
    select = {'initial': 4, 'schedule': schedule}
    first = run_campaign(campaign(select=select, budget=budget, evaluate=evaluate)[0])
    assert first.is_finished_ok, first.exit_message
    (generation,) = children(first, 'generation_')
    state = inputs_to_go_on(generation)
    taken = state['interrupted']
    if schedule == 'asynchronous':
        # as it was before the first harvest
        state.pop('table')
        state.pop('surrogate', None)
        (select,) = children(generation, 'select')
        names = [choice['candidate'] for choice in select.outputs.batch['choices']]
        evaluations = {label: node for name in names for label, node in [(name, children(generation, name)[0])]}
        taken['batches'] = {'pk_000000000001': select.outputs.batch}
        taken['candidates'] = dict(select.outputs.candidates)
        taken['outcomes'] = Dict(
            {name: {'exit_status': 0, 'reason': '', 'dft_calculations': 0, 'core_hours': None} for name in names}
        )
        taken['properties'] = {name: node.outputs.properties for name, node in evaluations.items()}
        taken['relaxed'] = {name: node.outputs.relaxed for name, node in evaluations.items()}
    outcomes = taken['outcomes'].get_dict()
    kept = set(sorted(outcomes)[:finished])
    taken['outcomes'] = Dict({name: outcome for name, outcome in outcomes.items() if name in kept})
    for key in ('properties', 'relaxed'):
        taken[key] = {name: node for name, node in taken[key].items() if name in kept}
    builder = first.get_builder_restart()
    for name, value in state.items():
        builder[name] = value
    return builder, kept


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_what_had_finished_is_harvested_though_the_budget_is_used_up(
    campaign: Campaign, schedule: str, tmp_path: Path
) -> None:
    from aiida.orm import Dict

    from aiida_inversedesign.workchains.foreground import run_campaign

    # without jobs nothing would use core-hours
    builder, kept = interrupted(campaign, schedule, finished=2, code=make_python_code(tmp_path).full_label)
    builder.budget = Dict({**builder.budget.get_dict(), 'core_hours': 0.001})
    node = run_campaign(builder)
    assert node.is_finished_ok, node.exit_message
    assert re.match(r'budget used up: \S+ of 0\.001 core-hours', node.outputs.stop_reason.value)
    assert {row.candidate for row in node.outputs.table.get_rows()} == kept


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_no_more_is_launched_again_than_a_smaller_budget_allows(campaign: Campaign, schedule: str) -> None:
    from aiida.orm import Dict

    from aiida_inversedesign.workchains.foreground import run_campaign

    builder, kept = interrupted(campaign, schedule, finished=2)
    builder.budget = Dict({**builder.budget.get_dict(), 'evaluations': 3})
    node = run_campaign(builder)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.stop_reason.value == 'budget used up: 3 of 3 evaluations'
    rows = {row.candidate for row in node.outputs.table.get_rows()}
    assert len(rows) == 3
    assert kept < rows
