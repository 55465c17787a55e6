"""Campaigns with the asynchronous schedule, run for real with answers from a data set instead of DFT."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from agreement import check_agreement
from aiida.common.links import LinkType

from aiida_inversedesign.workchains.foreground import run_campaign

LEARN = {'surrogate': 'gp'}
STREAM = {'initial': 4, 'batch': 2, 'schedule': 'asynchronous'}


def steps(node: Any, label: str) -> list[Any]:
    """The decisions of a kind that a stream has made, oldest first."""
    links = node.base.links.get_outgoing(link_type=LinkType.CALL_CALC, link_label_filter=label)
    return sorted(links.all_nodes(), key=lambda child: child.pk)


def stream_of(campaign: Any) -> Any:
    (stream,) = (child for child in campaign.called if child.process_label == 'AsynchronousWorkChain')
    return stream


def test_a_stream_uses_the_budget_and_records_what_each_choice_knew(campaign: Any) -> None:
    from aiida_inversedesign.decisions.select_batch import select_batch

    builder, _ = campaign(select=STREAM, learn=LEARN, budget={'evaluations': 9, 'at_once': 3})
    node = run_campaign(builder)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.stop_reason.value == 'budget used up: 9 of 9 evaluations'
    rows = node.outputs.table.get_rows()
    assert len({row.candidate for row in rows}) == len(rows) == 9
    assert [row.arm for row in rows][:4] == ['initial'] * 4
    assert {row.arm for row in rows} == {'initial', 'acquisition'}
    stream = stream_of(node)
    launched = [child for child in stream.called if 'Evaluate' in child.process_label]
    assert len(launched) == 9
    for select in steps(stream, 'select')[1:]:
        known = {row.candidate for row in select.inputs.table.get_rows()}
        pending = select.inputs.pending['running']
        chosen = {choice['candidate'] for choice in select.outputs.batch['choices']}
        assert not chosen & known
        assert not chosen & set(pending)
        assert not known & set(pending)
        assert len(pending) + len(chosen) <= 3
    # each table holds the one before it and the results since
    tables = [step.outputs.table.get_rows() for step in steps(stream, 'harvest')]
    for earlier, later in pairwise(tables):
        assert [row.candidate for row in later[: len(earlier)]] == [row.candidate for row in earlier]
        assert len(later) > len(earlier)
    assert len(tables[-1]) == 9
    # a choice can be made again from what is recorded
    last = steps(stream, 'select')[-1]
    names = ('settings', 'pool', 'generation', 'size', 'table', 'surrogate', 'pending')
    again, _ = select_batch.run_get_node(**{name: last.inputs[name] for name in names})
    assert again['batch'].get_dict() == last.outputs.batch.get_dict()


def test_never_more_run_than_may_run_at_once(campaign: Any) -> None:
    builder, _ = campaign(select=STREAM, learn=LEARN, budget={'evaluations': 8, 'at_once': 2})
    node = run_campaign(builder)
    spans = [(child.ctime, child.mtime) for child in stream_of(node).called if 'Evaluate' in child.process_label]
    assert len(spans) == 8
    assert max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans) <= 2


def test_hits_end_a_stream_and_what_runs_is_kept(campaign: Any) -> None:
    builder, _ = campaign(select=STREAM, learn=LEARN, budget={'evaluations': 18, 'hits': 2, 'at_once': 3})
    node = run_campaign(builder)
    assert node.outputs.stop_reason.value.startswith('target reached: ')
    counts = node.outputs.table.counts
    assert counts['hits'] >= 2
    check_agreement(node)
    assert counts['total'] < 18
    launched = [child for child in stream_of(node).called if 'Evaluate' in child.process_label]
    assert len(launched) == counts['total']


def test_failures_are_rows_and_too_many_end_it(campaign: Any) -> None:
    builder, _ = campaign(
        select=STREAM,
        learn=LEARN,
        evaluate={'fail_fraction': 1.0},
        budget={'evaluations': 12, 'failure_rate': 0.5, 'failure_minimum': 4, 'at_once': 2},
    )
    node = run_campaign(builder)
    assert node.is_finished_ok
    assert node.outputs.stop_reason.value.startswith('too many failures: ')
    assert 4 <= node.outputs.table.counts['failed'] <= 6


@pytest.mark.slow
def test_it_ends_when_everything_has_been_evaluated(campaign: Any) -> None:
    builder, _ = campaign(select=STREAM, learn=LEARN, budget={'evaluations': 50, 'at_once': 4})
    node = run_campaign(builder)
    assert node.is_finished_ok
    assert 'Nothing is left to evaluate' in node.outputs.stop_reason.value
    assert node.outputs.table.counts['total'] == 18
    assert node.outputs.surrogate.rows == {'stiffness': 18}


@pytest.mark.slow
def test_choices_between_two_fits_know_all_results(campaign: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('aiida_inversedesign.campaign.costs.budget_of_stream.REFIT_GROWTH', 2.0)
    builder, _ = campaign(select=STREAM, learn=LEARN, budget={'evaluations': 12, 'at_once': 2})
    stream = stream_of(run_campaign(builder))
    chosen_with = [
        (step.inputs.surrogate.rows['stiffness'], step.inputs.table.counts['total'])
        for step in steps(stream, 'select')
        if 'surrogate' in step.inputs
    ]
    assert any(fitted < known for fitted, known in chosen_with), chosen_with
    assert all(known < 2 * fitted for fitted, known in chosen_with), chosen_with
    # the last fit knows everything
    assert stream.outputs.surrogate.rows == {'stiffness': 12}


def test_generations_cannot_be_counted(campaign: Any) -> None:
    from aiida_inversedesign.errors import InverseDesignError

    with pytest.raises((InverseDesignError, ValueError), match=r'budget\.generations = 3: has no effect'):
        campaign(select=STREAM, learn=LEARN, budget={'evaluations': 8, 'generations': 3})


@pytest.mark.slow
def test_resume_goes_on_from_the_last_table(campaign: Any) -> None:
    from aiida_inversedesign.workchains.resume import resume_campaign

    builder, _ = campaign(select=STREAM, learn=LEARN, budget={'evaluations': 6, 'at_once': 2})
    first = run_campaign(builder)
    builder, _ = resume_campaign(first, {'evaluations': 10})
    second = run_campaign(builder)
    assert second.is_finished_ok, second.exit_message
    rows = second.outputs.table.get_rows()
    assert [row.candidate for row in rows[:6]] == [row.candidate for row in first.outputs.table.get_rows()]
    assert len({row.candidate for row in rows}) == 10
    assert [row.generation for row in rows] == [1] * 6 + [2] * 4
