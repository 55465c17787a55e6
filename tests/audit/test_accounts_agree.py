"""Status and audit say the same of every campaign: generations, asynchronous, with failures, resumed, reused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from agreement import check_agreement

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph.evaluation_account import Ending, Evaluation, account_of, last_launches
from aiida_inversedesign.workchains.foreground import run_campaign

SMALL = {'learn': {'surrogate': 'gp'}, 'budget': {'evaluations': 5, 'at_once': 2}}
GOAL = Goal.model_validate({'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 250}]})
STABLE = Goal.model_validate(
    {
        'objectives': [{'property': 'volume', 'minimize': True, 'hit': 12.0}],
        'constraints': [{'property': 'e_above_hull', 'max': 0.01}],
    }
)


@pytest.mark.parametrize('schedule', ['generations', 'asynchronous'])
def test_with_failures_and_resumed(campaign: Any, schedule: str) -> None:
    from aiida_inversedesign.workchains.resume import resume_campaign

    select = {'initial': 3, 'batch': 2, 'schedule': schedule}
    first = run_campaign(campaign(**SMALL, select=select, evaluate={'fail_fraction': 0.4})[0])
    assert first.is_finished_ok, first.exit_message
    status = check_agreement(first)
    assert status['failed'] > 0
    assert status['completed'] > 0
    second = run_campaign(resume_campaign(first, {'evaluations': 7})[0])
    assert check_agreement(second)['used']['evaluations']['value'] == 7


def test_reused(campaign: Any) -> None:
    select = {'initial': 3, 'batch': 2}
    run_campaign(campaign(**SMALL, select=select)[0])
    again = run_campaign(campaign(**SMALL, select=select, evaluate={'reuse': True})[0])
    assert check_agreement(again)['completed'] == 5


@pytest.mark.parametrize('asked', [False, True])
@pytest.mark.parametrize('harvested', [False, True])
@pytest.mark.parametrize('generation', ['waiting', 'finished'])
def test_killed_evaluations(graph: Any, asked: bool, harvested: bool, generation: str) -> None:
    """Killed by hand it is a failure, also before the harvest; killed by a stop it says nothing about its crystal."""
    campaign = graph.campaign(state='finished' if generation == 'finished' else 'waiting')
    one = graph.generation(campaign, 1, state=generation)
    graph.evaluation(one, 'g001_c0001', [[{}]], value=372.0)
    graph.evaluation(one, 'g001_c0002', [[{'state': 'killed'}]], state='killed', harvested=harvested)
    graph.harvest(one)
    if asked:
        campaign.base.extras.set('inversedesign_stop', {'kill': True})
    status = check_agreement(campaign)
    is_stopped = not harvested and (asked or generation == 'finished')
    assert (status['completed'], status['failed'], status['stopped']) == (1, int(not is_stopped), int(is_stopped))


def test_what_only_the_whole_campaign_has_comes_from_the_table_and_is_awaited() -> None:
    done = Ending(state='finished', exit_status=0)
    before = account_of(done, STABLE, {'volume': 11.0}, None, was_stopped=False)
    assert (before.status, before.hit) == ('completed', None)
    after = account_of(done, STABLE, {'volume': 11.0}, {'volume': 11.0, 'e_above_hull': 0.0}, was_stopped=False)
    assert after.hit is True
    assert after.properties == {'volume': 11.0, 'e_above_hull': 0.0}
    # its elements have no reference: it was harvested, and is not a hit
    assert account_of(done, STABLE, {'volume': 11.0}, {'volume': 11.0}, was_stopped=False).hit is False
    # a data set has answers of its own
    assert account_of(done, STABLE, {'volume': 11.0, 'e_above_hull': 0.0}, None, was_stopped=False).hit is True


@pytest.mark.parametrize(
    ('ending', 'status', 'reason'),
    [
        (Ending(state='created'), 'running', ''),
        (Ending(state='waiting'), 'running', ''),
        (Ending(state='finished', exit_status=0), 'completed', ''),
        (Ending(state='finished', exit_status=310, exit_message='no entry'), 'failed', 'no entry'),
        (Ending(state='finished', exit_status=310), 'failed', 'it ended with exit status 310'),
        (Ending(state='killed'), 'failed', 'it was killed before it finished'),
        (
            Ending(state='excepted', exception='Traceback …\nValueError: no\n'),
            'failed',
            'it stopped with an internal error: ValueError: no',
        ),
    ],
)
def test_each_ending(ending: Ending, status: str, reason: str) -> None:
    account = account_of(ending, GOAL, {'stiffness': 300.0}, None, was_stopped=False)
    assert (account.status, account.reason) == (status, reason)
    assert account.hit is {'completed': True, 'failed': False, 'running': None}[status]
    assert bool(account.properties) == (status == 'completed')


def test_the_last_launch_of_a_candidate_counts() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    launched = [
        Evaluation(
            state='killed', id=number, uuid=str(number), generation=1, label=label, description='', process_label=None,
            started=now, changed=now,
        )
        for number, label in enumerate(('a', 'reference_B', 'b', 'a'))
    ]  # fmt: skip
    assert [item.id for item in last_launches(launched)] == [2, 3]
