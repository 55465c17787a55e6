"""Archives that a campaign file names as earlier campaigns: their nodes are imported, so that they can be linked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.spec import CampaignSpec


def with_imported(spec: CampaignSpec) -> CampaignSpec:
    """The campaign with the UUID of an earlier campaign instead of each archive, which is imported if it is not there.

    :raises SetupError: if an archive cannot be read, has no campaign or several, or there is no campaign of a PK, with
        all that is wrong at once.
    """
    from aiida_inversedesign.campaign.earlier import ARCHIVE
    from aiida_inversedesign.workchains.build import SetupError
    from aiida_inversedesign.workchains.earlier_campaigns import campaign_of

    if not any(item.campaign.endswith(ARCHIVE) for item in spec.learn.earlier):
        return spec
    found, problems = [], []
    for number, item in enumerate(spec.learn.earlier):
        try:
            if item.campaign.endswith(ARCHIVE):
                item = item.model_copy(update={'campaign': _imported(Path(item.campaign))})
            else:
                campaign_of(item.campaign)
            found.append(item)
        except InverseDesignError as error:
            problems.append(f'learn.from[{number}]: {error}')
    if problems:
        raise SetupError(problems)
    return spec.model_copy(update={'learn': spec.learn.model_copy(update={'earlier': found})})


def _imported(archive: Path) -> str:
    """UUID of the only campaign of an archive, whose nodes are in the profile now."""
    from aiida import orm
    from aiida.common.exceptions import AiidaException
    from aiida.tools.archive import import_archive

    from aiida_inversedesign.audit.archive import only_campaign, open_archive
    from aiida_inversedesign.paper.archive import quiet

    try:
        with open_archive(archive):
            uuid = str(only_campaign(None, f'the archive {archive}').uuid)
        if not orm.QueryBuilder().append(orm.WorkChainNode, filters={'uuid': uuid}).count():
            with quiet():
                import_archive(archive, create_group=False)
            click.echo(f'imported {archive}: campaign {uuid} is an input now')
    except (AiidaException, OSError, ValueError) as error:
        raise InverseDesignError(
            f'{archive} cannot be imported ({error}): try `verdi archive migrate {archive} NEW.aiida`, and name '
            'NEW.aiida'
        ) from error
    return uuid
