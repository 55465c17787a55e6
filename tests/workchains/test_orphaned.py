"""Campaigns that were resumed before, that still run, or whose process is gone: nothing is computed twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from aiida_inversedesign.cli import cli
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.control import FOREGROUND, count_active_processes
from aiida_inversedesign.workchains.foreground import run_campaign, this_process

Campaign = Callable[..., tuple[Any, Any]]


def call(*arguments: str) -> Any:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def lost_campaign(builder: Any, mark: dict[str, Any]) -> Any:
    """A campaign that waits for a generation, as a killed interpreter leaves it.

    :param mark: which process runs it.
    """
    from aiida.common.links import LinkType
    from aiida.orm import WorkChainNode

    campaign = WorkChainNode(process_type='aiida.workflows:inversedesign.campaign')
    for name in ('settings', 'budget', 'library'):
        campaign.base.links.add_incoming(builder[name].store(), LinkType.INPUT_WORK, name)
    campaign.base.links.add_incoming(builder.engine['data'], LinkType.INPUT_WORK, 'engine__data')
    campaign.store().set_process_state('waiting')
    campaign.base.extras.set(FOREGROUND, mark)
    generation = WorkChainNode(process_type='aiida.workflows:inversedesign.generation')
    generation.base.links.add_incoming(campaign, LinkType.CALL_WORK, 'generation_001')
    generation.store().set_process_state('created')
    return campaign


def test_a_campaign_is_resumed_once_and_then_from_where_that_ended(campaign: Campaign) -> None:
    from aiida_inversedesign.workchains.resume import resume_campaign

    first = run_campaign(campaign(budget={'evaluations': 2})[0])
    second = run_campaign(resume_campaign(first, {'evaluations': 3})[0])
    with pytest.raises(InverseDesignError, match=rf'resumed before, as {second.pk}: .*resume {second.pk}'):
        resume_campaign(first, {'evaluations': 4})
    builder, _ = resume_campaign(second, {'evaluations': 4})
    assert builder.table.counts['total'] == 3

    refused = call('resume', str(second.pk))
    assert refused.exit_code == 1
    assert 'nothing left to do (budget used up: 3 of 3 evaluations)' in refused.output


def test_a_campaign_whose_process_is_alive_is_not_resumed_whatever_is_said(campaign: Campaign) -> None:
    from aiida_inversedesign.workchains.resume import resume_campaign

    lost = lost_campaign(campaign()[0], this_process())
    for gone in (False, True):
        with pytest.raises(InverseDesignError, match=r'still runs in the foreground .*stop'):
            resume_campaign(lost, {}, gone=gone)
    assert not lost.is_terminated
    assert 'gone' not in call('status', str(lost.pk)).output


def test_a_campaign_whose_process_is_gone_ends_when_it_is_resumed(campaign: Campaign) -> None:
    from aiida_inversedesign.workchains.resume import resume_campaign

    before = count_active_processes()
    lost = lost_campaign(campaign(budget={'evaluations': 2})[0], {**this_process(), 'started': 0.0})
    assert count_active_processes() == before + 2
    with pytest.raises(InverseDesignError, match=r'cut off .* has died.*--gone'):
        resume_campaign(lost, {})
    # nothing would ever end it: a stop that waited would wait forever
    refused = call('stop', str(lost.pk), '--wait')
    assert refused.exit_code == 1
    assert f'resume {lost.pk} --gone' in refused.output
    shown = ' '.join(call('status', str(lost.pk)).output.split())
    assert f'waiting, but its process has died; `aiida-inversedesign resume {lost.pk} --gone` continues it' in shown

    builder, _ = resume_campaign(lost, {}, gone=True)
    assert lost.is_killed
    assert count_active_processes() == before
    assert run_campaign(builder).outputs.table.counts['total'] == 2


def test_what_another_machine_runs_is_resumed_only_if_it_is_said_to_be_gone(campaign: Campaign) -> None:
    from aiida_inversedesign.workchains.resume import resume_campaign

    lost = lost_campaign(campaign()[0], {**this_process(), 'host': 'elsewhere'})
    with pytest.raises(InverseDesignError, match=r'process \d+ on elsewhere.*--gone'):
        resume_campaign(lost, {})
    resume_campaign(lost, {}, gone=True)
    assert lost.is_killed
