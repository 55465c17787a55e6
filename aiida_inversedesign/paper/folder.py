"""The paper folder as a whole: written under another name, checked, and only then put there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from aiida_inversedesign.audit.record import AuditError
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.paper import citations
from aiida_inversedesign.paper.facts import Facts, collect_facts

ARCHIVE = 'campaign.aiida'
METADATA = 'ro-crate-metadata.json'


@dataclass(frozen=True)
class Options:
    """What a person adds to what the provenance says.

    :param archive: whether the folder gets the archive.
    :param authors: names, each with an ORCID behind it where there is one.
    :param license: SPDX identifier of the folder's licence; empty: not said.
    :param structures: whose crystals are compared with each other and with the library.
    """

    archive: bool = True
    authors: Sequence[str] = ()
    license: str = ''
    structures: Literal['auto', 'none', 'evaluated', 'all'] = 'auto'


class FolderError(InverseDesignError):
    """A folder that cannot be written, or holds something that would be lost."""


@contextmanager
def new_folder(path: Path, force: bool = False) -> Iterator[Path]:
    """A temporary folder that replaces ``path`` when the context ends well, and vanishes when it does not.

    :param force: replace an earlier paper folder; anything else is never replaced.
    :raises FolderError: if there is something already, or nothing can be written there.
    """
    path = path.absolute()
    _check_location(path, force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        location = Path(tempfile.mkdtemp(prefix=f'.{path.name}-', dir=path.parent))
    except OSError as error:
        raise FolderError(f'{path} cannot be written ({error.strerror}): choose another folder') from error
    try:
        yield location
        mask = os.umask(0)
        os.umask(mask)
        location.chmod(0o777 & ~mask)
        _replace(path, location)
    except OSError as error:
        raise FolderError(f'{path} cannot be written ({error})') from error
    finally:
        shutil.rmtree(location, ignore_errors=True)


def _check_location(path: Path, force: bool) -> None:
    if path.exists() and not path.is_dir():
        raise FolderError(f'{path} is a file: name a folder')
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not force:
        raise FolderError(f'{path} is not empty: name another folder, or --force replaces an earlier paper folder')
    if not (path / METADATA).is_file():
        raise FolderError(f'{path} holds something else than an earlier paper folder: --force replaces only such')


def _replace(path: Path, location: Path) -> None:
    """Put ``location`` where ``path`` was; what was there goes last."""
    if not path.exists():
        location.rename(path)
        return
    earlier = Path(tempfile.mkdtemp(prefix=f'.{path.name}-old-', dir=path.parent))
    path.rename(earlier / path.name)
    location.rename(path)
    shutil.rmtree(earlier, ignore_errors=True)


def write_contents(node: Any, folder: Path, options: Options) -> Facts:
    """Write everything but the description of the folder, from the loaded profile or archive.

    :param node: the campaign's ``WorkChainNode``.
    :param folder: an empty folder.
    """
    from aiida_inversedesign.paper.archive import write_archive
    from aiida_inversedesign.paper.crystals import write_crystals, write_pictures
    from aiida_inversedesign.paper.methods import methods
    from aiida_inversedesign.paper.tables import write_tables

    facts = collect_facts(node, options.structures)
    if options.archive:
        # first: it is what fails where something has not ended
        write_archive(node, facts.record, folder / ARCHIVE)
    of_crystals = facts.record.space.of_crystals
    for name in ('tables', *(['crystals'] if of_crystals else [])):
        (folder / name).mkdir()
    write_tables(facts, folder / 'tables')
    if of_crystals:
        write_crystals(facts, folder / 'crystals')
    write_pictures(facts, folder / 'pictures')
    _write(folder / 'audit.json', _json(facts.report))
    _write(
        folder / 'explanation.json', json.dumps(facts.explained, indent=1, ensure_ascii=False, allow_nan=False) + '\n'
    )
    _write(folder / 'campaign.yaml', _campaign_file(facts))
    _write(folder / 'methods.md', methods(facts))
    _write(folder / 'references.bib', citations.bibliography(citations.cited(facts)))
    return facts


def write_description(facts: Facts, folder: Path, options: Options) -> None:
    """Draw the figures and describe what is there: README, what to cite, RO-Crate."""
    from aiida_inversedesign.paper.crate import write_crate
    from aiida_inversedesign.paper.figures import write_figures
    from aiida_inversedesign.paper.readme import citation, readme

    (folder / 'figures').mkdir()
    captions = write_figures(facts, folder / 'figures')
    _write(folder / 'CITATION.md', citation(facts))
    _write(folder / 'README.md', readme(facts, folder, captions, options))
    write_crate(facts, folder, captions, options)


def check_archive(report: dict[str, Any], path: Path, structures: Any = 'auto') -> None:
    """Audit the archive and compare it with the audit that the folder was made from.

    :raises AuditError: if a figure differs.
    """
    from aiida_inversedesign.audit.archive import only_campaign, open_archive
    from aiida_inversedesign.audit.audit import audit

    with open_archive(path):
        found = audit(only_campaign(report['campaign']['uuid'], f'the archive {path.name}'), structures)
    expected, found = (json.loads(_json(item)) for item in (report, found))
    different = sorted(key for key in {*expected, *found} - {'source'} if expected.get(key) != found.get(key))
    if different:
        raise AuditError(
            f'the archive does not give the same audit as the campaign: {", ".join(different)} differ(s); '
            'please report this, with the archive'
        )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding='utf-8', newline='\n')


def _json(report: dict[str, Any]) -> str:
    """The audit as text; where it was read is of no use to a reader of the folder."""
    shown = {**report, 'source': f'campaign {report["campaign"]["uuid"]}'}
    return json.dumps(shown, indent=2, ensure_ascii=False, allow_nan=False) + '\n'


def _campaign_file(facts: Facts) -> str:
    """The campaign file again, with every default that was in force."""
    record = facts.record
    head = f'# campaign {record.uuid}: the settings in force, defaults included\n'
    data = _known({**record.settings.model_dump(mode='json'), 'budget': record.budget})
    return head + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def _known(value: Any) -> Any:
    """Plain data without what is None: in a campaign file such keys are left out."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if item is not None}
    return [_known(item) for item in value] if isinstance(value, list) else value
