"""Whether the daemon runs, hears its broker, and has the process slots that a campaign needs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import util
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.cli.checks.findings import Finding, State

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.costs.slots import Slots
    from aiida_inversedesign.campaign.spec import CampaignSpec

#: AiiDA's own advice for the number of slots of one worker.
SLOTS_PER_WORKER = 200


def campaign_slots(spec: CampaignSpec) -> Slots:
    """The slots of a campaign in this profile: the scheduler of its code says whether jobs are queued."""
    from aiida import orm
    from aiida.common.exceptions import AiidaException

    from aiida_inversedesign.campaign.contracts.engine import engine_named
    from aiida_inversedesign.campaign.costs.slots import slots_needed

    labels = [need.label for need in engine_named(spec.evaluate.engine).needs(spec.evaluate) if need.kind == 'code']
    try:
        queued = not labels or orm.load_code(labels[0]).computer.scheduler_type != 'core.direct'
    except (AiidaException, ValueError):
        # that the code is missing is reported elsewhere: here the larger number is the safe one
        queued = True
    return slots_needed(spec, queued)


def examine_daemon(spec: CampaignSpec | None, required: bool) -> Iterator[Finding]:
    """The daemon of the loaded profile, and whether a campaign fits into its slots.

    :param required: whether the campaign is to run through it; otherwise a missing daemon is worth a warning only.
    """
    from aiida.engine.daemon.client import DaemonException, get_daemon_client
    from aiida.manage import get_manager

    missing: State = 'error' if required else 'warning'
    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend is None:
        text = 'this profile has no broker, so no daemon can run a campaign: in the foreground it can'
        yield Finding('daemon', missing, text, 'make another profile: `verdi presto --use-zeromq`')
        return
    if util.find_spec('setproctitle') is not None:
        # circus gives its process another name with it, and AiiDA knows the process of its PID file by the name
        text = 'the package setproctitle is installed: `verdi` takes a running daemon for a dead one'
        yield Finding('setproctitle', 'warning', text, '`pip uninstall setproctitle`, then `verdi daemon restart`')
    client = get_daemon_client()
    if not client.is_daemon_running:
        text = 'not running: only campaigns in the foreground will move'
        yield Finding('daemon', missing, text, 'start it: `verdi daemon start`')
        return
    try:
        workers = int(client.get_numprocesses()['numprocesses'])
    except (DaemonException, KeyError) as error:
        yield Finding('daemon', missing, f'it does not answer ({error})', '`verdi daemon restart`')
        return
    yield from _broker()
    yield from _slots(spec, workers)


def _broker() -> Iterator[Finding]:
    """The ZeroMQ broker can be up with no worker listening to it; nothing else tells of it."""
    from aiida.manage import get_manager

    probe = getattr(get_manager().get_broker(), 'probe_service_status', None)
    if probe is None:
        return
    status: dict[str, Any] = dict(probe())
    if not status.get('connected'):
        yield Finding('broker', 'error', 'it is not running, though the daemon is', '`verdi daemon restart`')
    elif status.get('pending_tasks') and not status.get('task_subscribers', 1):
        text = f'{status["pending_tasks"]} tasks wait, and no worker listens to the broker'
        yield Finding('broker', 'error', text, '`verdi daemon restart`; no work is lost')


def _slots(spec: CampaignSpec | None, workers: int) -> Iterator[Finding]:
    from aiida.manage import get_config_option

    from aiida_inversedesign.graph.control import count_active_processes

    each = int(get_config_option('daemon.worker_process_slots'))
    slots, held = workers * each, count_active_processes()
    free = max(0, slots - held)
    yield Finding('daemon', 'ok', f'{workers} worker(s) with {each} process slots, {held} held')
    if spec is None:
        return
    from aiida_inversedesign.campaign.costs.slots import evaluations_at_once

    needed = campaign_slots(spec)
    what = f'{evaluations_at_once(spec)} evaluation(s) at once hold up to {needed.full} process slots'
    if free < needed.least:
        text = f'{what}, {needed.parents} of them only to wait; {free} of {slots} are free: it would stand still'
        yield Finding('slots', 'error', text, _remedy(needed.least, free, each))
    elif free < needed.full:
        text = f'{what}; {free} of {slots} are free: some jobs will wait for a slot'
        yield Finding('slots', 'warning', text, _remedy(needed.full, free, each))
    else:
        yield Finding('slots', 'ok', f'{what}; {free} of {slots} are free')


def _remedy(needed: int, free: int, each: int) -> str:
    from aiida_inversedesign.campaign.costs.slots import missing_workers

    more = f'`verdi daemon incr {missing_workers(needed, free, each)}`'
    if each >= SLOTS_PER_WORKER:
        return more
    return f'{more}, or `verdi config set daemon.worker_process_slots {SLOTS_PER_WORKER}` and `verdi daemon restart`'
