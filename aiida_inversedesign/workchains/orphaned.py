"""Campaigns whose process has died, so that they seem to run forever."""

from __future__ import annotations

import asyncio
import socket

from aiida import orm
from plumpy.greenback_bridge import run_with_portal
from plumpy.process_states import ProcessState

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.control import FOREGROUND
from aiida_inversedesign.workchains.foreground import is_alive
from aiida_inversedesign.workchains.submitted import cancel_jobs


def refuse_if_running(campaign: orm.WorkChainNode, gone: bool) -> None:
    """Do nothing if what ran a campaign that has not ended is gone, and is said to be.

    :param gone: whether the user says so; believed unless it can be seen that it is not.
    :raises InverseDesignError: if it runs, or may run.
    """
    pk, mark = campaign.pk, campaign.base.extras.get(FOREGROUND, None)
    stop = f'end it with `aiida-inversedesign stop {pk}`'
    if mark is not None:
        where = f'process {mark.get("pid")} on {mark.get("host")}'
        if mark.get('host') != socket.gethostname():
            died = 'or use --gone if that process has died (power cut, kill -9)'
            problem = f'it ran in the foreground ({where}): {stop}, {died}'
        elif is_alive(mark):
            raise InverseDesignError(f'campaign {pk} still runs in the foreground ({where}): {stop} first')
        else:
            remedy = f'`aiida-inversedesign resume {pk} --gone` continues from its results'
            problem = f'it was cut off ({where} has died): {remedy}'
    elif gone and _daemon_runs():
        raise InverseDesignError(
            f'campaign {pk} belongs to the daemon, which runs: {stop}; if it does not move, '
            '`aiida-inversedesign tend --once` lets it go on'
        )
    else:
        problem = (
            f'wait for it, {stop}, or use --gone if its process has died (power cut, kill -9); a daemon that is '
            'started again continues it by itself'
        )
    if not gone:
        raise InverseDesignError(f'campaign {pk} has not ended ({campaign.process_state.value}): {problem}')


def is_cut_off(campaign: orm.WorkChainNode) -> bool:
    """Whether a campaign ran in the foreground of this machine, has not ended, and its process is gone."""
    mark = campaign.base.extras.get(FOREGROUND, None)
    return not campaign.is_terminated and mark is not None and not is_alive(mark)


def _daemon_runs() -> bool:
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    has_broker = profile is not None and profile.process_control_backend is not None
    return has_broker and bool(get_daemon_client().is_daemon_running)


def end_orphaned(campaign: orm.WorkChainNode) -> None:
    """End a campaign that nobody runs any more: its processes count as killed, its jobs are cancelled.

    Otherwise they would be shown as running forever, hold slots, and go on beside the resumed campaign as soon as a
    daemon takes them up.
    """
    orphaned = [node for node in (campaign, *campaign.called_descendants) if not node.is_terminated]
    jobs = [node for node in orphaned if isinstance(node, orm.CalcJobNode) and node.get_job_id() is not None]
    for node in orphaned:
        node.set_process_state(ProcessState.KILLED)
        node.set_process_status('its process had died; its campaign was resumed')
        node.delete_checkpoint()
        if not node.is_sealed:
            node.seal()
    if jobs:
        asyncio.run(run_with_portal(cancel_jobs, jobs))
