"""Whether there is room for a campaign: on the profile's disk, and where its computers run their jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.cli.checks.findings import Finding
from aiida_inversedesign.processes.disk_space import Space, parse_space, space_command, space_here

if TYPE_CHECKING:
    from aiida.orm import Computer

    from aiida_inversedesign.campaign.spec import CampaignSpec

#: Less free space than this on the profile's disk is worth a warning, GB.
COMFORTABLE_GB = 5.0


def examine_disk(spec: CampaignSpec | None) -> Iterator[Finding]:
    """The disk of the profile, and with a campaign the computers of its codes; too little is an error."""
    from aiida_inversedesign.workchains.disk_shortage import profile_folder

    least = spec.evaluate.free_space_gb if spec is not None else 0.0
    space = space_here(profile_folder())
    remedy = '`verdi storage maintain --full` with the daemon stopped, or another disk'
    if space.free_gb < least:
        yield _too_little('disk', space, least, remedy)
    elif space.free_gb < COMFORTABLE_GB:
        yield Finding('disk', 'warning', str(space), remedy)
    else:
        yield Finding('disk', 'ok', str(space))
    for computer in campaign_computers(spec) if spec is not None else ():
        yield _examine_computer(computer, least)


def campaign_computers(spec: CampaignSpec) -> list[Computer]:
    """The computers of the codes that a campaign names, each once; what does not exist is said elsewhere."""
    from aiida import orm
    from aiida.common.exceptions import AiidaException

    found: dict[str, Computer] = {}
    for label in code_labels(spec.model_dump(mode='json')):
        try:
            computer = orm.load_code(label).computer
        except (AiidaException, ValueError):
            continue
        if computer is not None:
            found[computer.label] = computer
    return list(found.values())


def code_labels(section: Any) -> list[str]:
    """Every code that plain data of a campaign name: the values of the keys ``pw`` and ``code``, at any depth."""
    if not isinstance(section, dict):
        return []
    own = [value for key, value in section.items() if key in ('pw', 'code') and isinstance(value, str)]
    return list(dict.fromkeys([*own, *(label for value in section.values() for label in code_labels(value))]))


def _examine_computer(computer: Computer, least: float) -> Finding:
    subject = f'disk of {computer.label}'
    try:
        space = space_of(computer)
    except Exception as error:  # plug-ins of transports raise whatever they like
        text = f'{computer.label} cannot be reached ({type(error).__name__}: {error})'
        return Finding(subject, 'warning', text, f'`verdi computer test {computer.label}`')
    if space is None:
        return Finding(subject, 'warning', f'{computer.label} does not tell its free space', 'look at it by hand')
    if space.free_gb < least:
        return _too_little(subject, space, least, '`aiida-inversedesign clean` removes folders of ended evaluations')
    return Finding(subject, 'ok', str(space))


def space_of(computer: Computer) -> Space | None:
    """The free space where a computer runs its jobs, or None if it does not tell."""
    with computer.get_transport() as transport:
        folder = computer.get_workdir().format(username=transport.whoami())
        _, output, _ = transport.exec_command_wait(space_command(folder))
    return parse_space(output, folder)


def _too_little(subject: str, space: Space, least: float, remedy: str) -> Finding:
    return Finding(subject, 'error', f'{space}, evaluate.free_space_gb asks for {least:g}', remedy)
