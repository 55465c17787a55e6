"""Campaigns run for real, with answers from a data set instead of DFT."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from agreement import check_agreement

from aiida_inversedesign.workchains.foreground import run_campaign


def labels(node: Any) -> list[str]:
    """Call link labels of a process's children."""
    from aiida.common.links import LinkType

    links = node.base.links.get_outgoing(link_type=(LinkType.CALL_WORK, LinkType.CALL_CALC)).all()
    return [link.link_label for link in sorted(links, key=lambda link: link.node.pk)]


def test_a_campaign_uses_its_budget_and_records_every_step(campaign: Any) -> None:
    builder, _ = campaign()
    node = run_campaign(builder)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.stop_reason.value == 'budget used up: 8 of 8 evaluations'
    rows = node.outputs.table.get_rows()
    assert len(rows) == 8
    assert len({row.candidate for row in rows}) == 8
    assert [row.generation for row in rows] == [1] * 4 + [2] * 2 + [3] * 2
    assert {row.arm for row in rows[:4]} == {'initial'}
    assert {row.arm for row in rows[4:]} == {'acquisition'}
    assert all(row.hit == (row.properties['stiffness'] >= 250) for row in rows)
    assert all('stiffness' in row.predicted for row in rows[4:])
    first, second, third = (child for child in node.called if 'Generation' in child.process_label)
    assert labels(first)[:2] == ['propose', 'select']
    assert labels(first)[-2:] == ['harvest', 'fit']
    assert labels(second) == ['select', rows[4].candidate, rows[5].candidate, 'harvest', 'fit']
    # what a generation returned is what the next one took
    assert third.inputs.table.uuid == second.outputs.table.uuid
    assert third.inputs.surrogate.uuid == second.outputs.surrogate.uuid


def test_the_same_seed_takes_the_same_decisions(campaign: Any) -> None:
    chosen = []
    for _ in range(2):
        builder, _ = campaign()
        chosen.append([row.candidate for row in run_campaign(builder).outputs.table.get_rows()])
    assert chosen[0] == chosen[1]
    builder, _ = campaign(seed=6)
    assert [row.candidate for row in run_campaign(builder).outputs.table.get_rows()] != chosen[0]


def test_a_campaign_stops_when_it_has_its_hits(campaign: Any) -> None:
    builder, _ = campaign(budget={'evaluations': 18, 'hits': 2})
    node = run_campaign(builder)
    assert node.outputs.stop_reason.value.startswith('target reached: ')
    assert node.outputs.table.counts['hits'] >= 2
    assert node.outputs.table.counts['total'] < 18
    check_agreement(node)


def test_failures_are_rows_and_the_campaign_goes_on(campaign: Any) -> None:
    builder, _ = campaign(evaluate={'fail_fraction': 0.4}, budget={'evaluations': 12})
    node = run_campaign(builder)
    counts = node.outputs.table.counts
    assert node.is_finished_ok
    assert counts['total'] == 12
    assert 1 <= counts['failed'] <= 9
    failed = [row for row in node.outputs.table.get_rows() if row.status == 'failed']
    assert all('failed on purpose' in row.reason and row.properties == {} and row.hit is False for row in failed)
    check_agreement(node)


def test_too_many_failures_stop_the_campaign(campaign: Any) -> None:
    builder, _ = campaign(
        evaluate={'fail_fraction': 1.0}, budget={'evaluations': 12, 'failure_rate': 0.5, 'failure_minimum': 4}
    )
    node = run_campaign(builder)
    assert node.is_finished_ok
    assert node.outputs.stop_reason.value.startswith('too many failures: 4 of 4')


def test_a_campaign_ends_when_everything_has_been_evaluated(campaign: Any) -> None:
    builder, _ = campaign(budget={'evaluations': 50})
    node = run_campaign(builder)
    assert node.is_finished_ok
    assert 'Nothing is left to evaluate' in node.outputs.stop_reason.value
    assert node.outputs.table.counts['total'] == 18


def test_evaluations_are_launched_in_waves_of_at_once(campaign: Any) -> None:
    builder, _ = campaign(budget={'evaluations': 4, 'at_once': 1})
    node = run_campaign(builder)
    (generation,) = (child for child in node.called if 'Generation' in child.process_label)
    evaluations = sorted((c for c in generation.called if 'Evaluate' in c.process_label), key=lambda c: c.pk)
    assert len(evaluations) == 4
    assert all(earlier.mtime <= later.ctime for earlier, later in pairwise(evaluations))


def test_resume_goes_on_from_the_last_table_with_another_budget(campaign: Any) -> None:
    from aiida_inversedesign.errors import InverseDesignError
    from aiida_inversedesign.workchains.resume import resume_campaign

    builder, _ = campaign(budget={'evaluations': 6})
    first = run_campaign(builder)
    with pytest.raises(InverseDesignError, match='evaluatoins'):
        resume_campaign(first, {'evaluatoins': 9})
    builder, spec = resume_campaign(first, {'evaluations': 10})
    assert spec.budget.evaluations == 10
    second = run_campaign(builder)
    rows = second.outputs.table.get_rows()
    assert [row.candidate for row in rows[:6]] == [row.candidate for row in first.outputs.table.get_rows()]
    assert len({row.candidate for row in rows}) == 10
    assert [row.generation for row in rows[6:]] == [3, 3, 4, 4]
    assert second.inputs.settings.uuid == first.inputs.settings.uuid


def test_an_interrupted_batch_is_taken_up_again(campaign: Any) -> None:
    """What had finished is harvested, the rest is launched again, and nothing is evaluated twice."""
    from aiida.orm import Dict

    from aiida_inversedesign.workchains.campaign import InverseDesignWorkChain

    builder, _ = campaign(budget={'evaluations': 4})
    whole = run_campaign(builder)
    (generation,) = (child for child in whole.called if 'Generation' in child.process_label)
    batch = generation.outputs.batch
    names = [choice['candidate'] for choice in batch['choices']]
    evaluations = {name: generation.base.links.get_outgoing(link_label_filter=name).one().node for name in names}
    finished = names[:1]
    builder = whole.get_builder_restart()
    builder.pool = generation.outputs.pool
    builder.interrupted = {
        'batch': batch,
        'outcomes': Dict(
            {name: {'exit_status': 0, 'reason': '', 'dft_calculations': 0, 'core_hours': None} for name in finished}
        ),
        'candidates': {name: node.inputs.candidate for name, node in evaluations.items()},
        'properties': {name: evaluations[name].outputs.properties for name in finished},
        'relaxed': {name: evaluations[name].outputs.relaxed for name in finished},
    }
    assert builder.process_class is InverseDesignWorkChain
    again = run_campaign(builder)
    assert again.is_finished_ok, again.exit_message
    assert [row.candidate for row in again.outputs.table.get_rows()] == names
    (generation,) = (child for child in again.called if 'Generation' in child.process_label)
    assert labels(generation) == [*names[1:], 'harvest', 'fit']


def test_a_campaign_that_seems_to_run_is_resumed_only_if_it_is_said_to_be_gone(campaign: Any) -> None:
    from aiida.common.links import LinkType
    from aiida.orm import WorkChainNode

    from aiida_inversedesign.errors import InverseDesignError
    from aiida_inversedesign.workchains.resume import resume_campaign

    builder, _ = campaign(budget={'evaluations': 4})
    lost = WorkChainNode(process_type='aiida.workflows:inversedesign.campaign')
    for name in ('settings', 'budget', 'library'):
        lost.base.links.add_incoming(builder[name].store(), LinkType.INPUT_WORK, name)
    lost.base.links.add_incoming(builder.engine['data'], LinkType.INPUT_WORK, 'engine__data')
    lost.store().set_process_state('waiting')
    with pytest.raises(InverseDesignError, match='--gone'):
        resume_campaign(lost, {})
    builder, _ = resume_campaign(lost, {}, gone=True)
    assert run_campaign(builder).outputs.table.counts['total'] == 4
