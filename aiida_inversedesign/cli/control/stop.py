"""``stop``: end a campaign cleanly, with its table and the reason."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_campaign, load_profile
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

#: Seconds between two looks of ``--wait``, and until a worker has to answer a kill.
LOOK, ANSWER = 2.0, 10.0


@click.command()
@click.argument('campaign')
@click.option('--kill', is_flag=True, help='Kill the evaluations that run; without it they finish.')
@click.option('--reason', default='', help='Why, for the provenance.')
@click.option('--wait', is_flag=True, help='Return when the campaign has ended.')
@FORMAT
def stop(campaign: str, kill: bool, reason: str, wait: bool, output_format: str) -> None:
    """Stop a campaign (PK or UUID): nothing new is launched, finished work is harvested, and it ends with its table.

    Killed evaluations count as not made: `resume` may choose them again. The request is kept with the campaign, whether
    the daemon runs or not, and its stop reason says who asked and when.

    \b
    Examples:
      aiida-inversedesign stop 1234 --reason "the queue is needed for something else"
      aiida-inversedesign stop 1234 --kill --wait
    """
    load_profile()
    from aiida_inversedesign.workchains.stopping import request_stop

    node = load_campaign(campaign)
    cut_off = _cut_off_note(node)
    request = request_stop(node, kill, reason)
    notes = _kill(node) if kill else []
    if not node.is_terminated and (note := cut_off or _daemon_note()):
        notes.append(note)
    if wait:
        _await(node)
    emit(_describe(node, request, notes), output_format, _show)


def _describe(node: WorkChainNode, request: Any, notes: list[str]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        'schema': 'inversedesign/1',
        'pk': node.pk,
        'uuid': node.uuid,
        'state': node.process_state.value,
        'request': asdict(request),
        'stop_reason': node.outputs.stop_reason.value if 'stop_reason' in node.outputs else None,
        'running': [{'candidate': item.label, 'pk': item.id, 'what': item.description} for item in _running(node)],
        'notes': notes,
    }


def _running(node: WorkChainNode) -> list[Any]:
    from aiida_inversedesign.graph.campaigns import find_evaluations, generation_ids

    return [item for item in find_evaluations(generation_ids([node.pk])) if item.is_running]


def _kill(node: WorkChainNode) -> list[str]:
    """Kill the evaluations through the daemon; a campaign in the foreground does so itself."""
    from aiida import orm
    from aiida.manage import get_manager
    from kiwipy.communications import DeliveryFailed, RemoteException, UnroutableError

    if not _daemon_runs():
        return []
    controller, silent = get_manager().get_process_controller(), []
    asked = []
    for item in _running(node):
        try:
            asked.append((item, controller.kill_process(item.id, msg_text='stopped')))
        except UnroutableError:
            silent.append(item)
    deadline = time.monotonic() + ANSWER
    for item, future in asked:
        try:
            answer = future.result(timeout=max(0.1, deadline - time.monotonic()))
            if hasattr(answer, 'result'):
                answer.result(timeout=max(0.1, deadline - time.monotonic()))
        except (TimeoutError, DeliveryFailed, RemoteException, UnroutableError):
            silent.append(item)
    left = [item for item in silent if not orm.load_node(item.id).is_terminated]
    if not left:
        return []
    names = ', '.join(f'{item.label}<{item.id}>' for item in left)
    return [
        f'{names} did not answer: a campaign in the foreground ends them itself within seconds; of the daemon, '
        'ask again, or let them finish'
    ]


def _daemon_runs() -> bool:
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    return bool(profile and profile.process_control_backend and get_daemon_client().is_daemon_running)


def _daemon_note() -> str:
    if _daemon_runs():
        return ''
    return 'the daemon does not run: a campaign of the daemon stops once it does (`verdi daemon start`)'


def _cut_off_note(node: WorkChainNode) -> str:
    """What is to be said of a campaign whose interpreter is gone: by itself it never ends.

    :raises InverseDesignError: if no daemon could have taken it up either.
    """
    from aiida_inversedesign.workchains.orphaned import is_cut_off

    if not is_cut_off(node):
        return ''
    text = (
        f'what ran campaign {node.pk} in the foreground has died, so it does not end by itself: '
        f'`aiida-inversedesign resume {node.pk} --gone` continues from its results'
    )
    if _daemon_note():
        raise InverseDesignError(text)
    return f'{text}, unless `aiida-inversedesign tend` has given it to the daemon'


def _await(node: WorkChainNode) -> None:
    from aiida.manage import get_manager

    while not node.is_terminated:
        time.sleep(LOOK)
        # SQLite shows a reader what the database was when its transaction began
        get_manager().get_profile_storage().get_session().commit()
    if node.is_excepted:
        raise InverseDesignError(
            f'campaign {node.pk} stopped with an internal error; see `verdi process report {node.pk}`'
        )


def _show(data: dict[str, Any]) -> None:
    if data['stop_reason']:
        click.echo(f'campaign {data["pk"]} ended: {data["stop_reason"]}')
    else:
        click.echo(f'campaign {data["pk"]} launches no further evaluations and ends with its table')
    for item in data['running']:
        click.echo(f'  {item["what"]} <{item["pk"]}> still runs')
    for note in data['notes']:
        click.echo(f'note: {note}')
    click.echo(
        f'Follow it with `aiida-inversedesign status {data["pk"]}`; `resume {data["pk"]}` continues from the table.'
    )
