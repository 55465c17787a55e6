"""Campaigns inside an exported archive, read without a profile and without importing anything."""

from __future__ import annotations

import logging
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiida import orm

from aiida_inversedesign.audit.record import AuditError
from aiida_inversedesign.graph import campaigns as query

LOGGER = logging.getLogger(__name__)

#: Option of the temporary profile: the archive of which it may be a converted copy.
ARCHIVE = 'inversedesign.archive'

#: Formats that AiiDA 2 cannot convert.
UNSUPPORTED = ('0.1', '0.2', '0.3')

#: bytes of an archive's description; of a database that may be packed as densely as it likes; growth of a larger one
LARGEST_METADATA, LARGEST_UNASKED, LARGEST_RATIO = 10 * 2**20, 2**28, 100


@contextmanager
def open_archive(path: Path | str) -> Iterator[None]:
    """Make an archive the loaded, read-only profile for as long as the context lasts; then the earlier one again.

    The storage of the earlier profile stays open, so that nodes of it can be used afterwards as before. Of an archive
    in the format of an older AiiDA a converted copy is read.

    :raises AuditError: if there is no such file, it is not an archive, it is damaged, or of a newer version of AiiDA.
    """
    path = Path(path)
    _check_file(path)
    with _in_current_format(path) as readable, _opened(path, readable):
        yield


@contextmanager
def _in_current_format(path: Path) -> Iterator[Path]:
    """The archive itself, or a copy in the format that the installed AiiDA reads."""
    from aiida.common.exceptions import AiidaException
    from aiida.storage.sqlite_zip.migrator import get_schema_version_head, list_versions, migrate
    from aiida.storage.sqlite_zip.utils import read_version

    try:
        version, current = str(read_version(path)), get_schema_version_head()
    except (AiidaException, OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if version == current:
        yield path
        return
    if version in UNSUPPORTED:
        raise AuditError(
            f'{path} has the format {version} of AiiDA 0.x: convert it in an environment with aiida-core 1.6 first '
            f'(`verdi archive migrate {path} NEW.aiida`), then read NEW.aiida here'
        )
    if version not in list_versions():
        raise AuditError(
            f'{path} was written by a newer AiiDA (its format is {version[:40]}, the installed aiida-core reads up to '
            f'{current}): `pip install --upgrade aiida-core`'
        )
    LOGGER.warning('%s has the format %s of an older AiiDA: a converted copy is read', path, version)
    with tempfile.TemporaryDirectory(prefix='inversedesign-') as folder:
        copy = Path(folder) / path.name
        try:
            migrate(path, copy, current)
        # migrations meet old data that nobody has tried
        except Exception as error:
            raise AuditError(
                f'{path} has the format {version} of an older AiiDA and cannot be converted ({error}): try '
                f'`verdi archive migrate {path} NEW.aiida`, then read NEW.aiida'
            ) from error
        yield copy


@contextmanager
def _opened(path: Path, readable: Path) -> Iterator[None]:
    """Load an archive.

    :param path: what it is called in messages.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager
    from aiida.storage.sqlite_zip.backend import SqliteZipBackend

    manager = get_manager()
    earlier, storage = manager.get_profile(), manager._profile_storage
    # AiiDA would close it, and with it every node that the caller holds
    manager._profile_storage = None
    try:
        try:
            manager.load_profile(SqliteZipBackend.create_profile(readable, {ARCHIVE: str(path)}), allow_switch=True)
            # reads the database: one that is cut off is found here
            query.list_campaigns()
        # what zipfile, zlib, SQLite and AiiDA raise for a file that is damaged or made to harm; a wrong method of
        # compression is not implemented
        except (
            AiidaException, OSError, zipfile.BadZipFile, sqlite3.Error, zlib.error, EOFError, KeyError, TypeError,
            ValueError, RecursionError, NotImplementedError, RuntimeError,
        ) as error:  # fmt: skip
            raise _unreadable(path, error) from error
        except Exception as error:
            if type(error).__module__.startswith('sqlalchemy'):
                raise _unreadable(path, error) from error
            raise
        try:
            yield
        except (zipfile.BadZipFile, EOFError, FileNotFoundError) as error:
            # the nodes are there, but a file of one of them is not
            raise AuditError(f'{path}: a file of a node cannot be read ({error}): the archive is damaged') from error
    finally:
        manager.unload_profile()
        if earlier is not None:
            manager.load_profile(earlier, allow_switch=True)
            manager._profile_storage = storage


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise AuditError(f'{path}: there is no such file')
    if not zipfile.is_zipfile(path):
        raise AuditError(
            f'{path} is not an AiiDA archive, or only the beginning of one: make it again with '
            '`aiida-inversedesign paper` or `verdi archive create -N CAMPAIGN -- NEW.aiida`, and copy it whole'
        )
    try:
        with zipfile.ZipFile(path) as archive:
            # before AiiDA 2 the data were JSON; all are unpacked whole, before AiiDA looks at them
            databases = [name for name in ('db.sqlite3', 'data.json') if name in archive.namelist()] or ['db.sqlite3']
            sizes = [('metadata.json', LARGEST_METADATA), *((name, LARGEST_UNASKED) for name in databases)]
            for name, most in sizes:
                item = archive.getinfo(name)
                bomb = name == 'metadata.json' or item.file_size > LARGEST_RATIO * max(item.compress_size, 1)
                if item.file_size > most and bomb:
                    raise AuditError(
                        f'{path}: refused: {name} unpacks from {item.compress_size} to {item.file_size} bytes, '
                        'possible decompression bomb'
                    )
    except (KeyError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise error if isinstance(error, AuditError) else _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> AuditError:
    return AuditError(f'{path} cannot be read as an AiiDA archive ({error}): it is damaged, or something else')


def only_campaign(identifier: str | None, location: str) -> orm.WorkChainNode:
    """The campaign of this PK or UUID; without one the only campaign there is, those it resumed or learned from aside.

    :param location: where it is looked for, for the message.
    :raises AuditError: if there is no campaign, or none is named and there are several.
    """
    found = query.list_campaigns()
    if not found:
        raise AuditError(f'there is no campaign in {location}')
    names = ', '.join(f'{item["uuid"][:8]} ({item["name"]})' for item in found)
    if identifier is not None:
        chosen = [item for item in found if identifier == str(item['pk']) or item['uuid'].startswith(identifier)]
        if len(chosen) != 1:
            raise AuditError(f'there is no campaign {identifier} in {location}: it has {names}')
        return orm.load_node(chosen[0]['pk'])
    # the last of a chain stands for those that it resumed
    resumed = {pk for item in found for pk in query.chain_of(item['pk']) if pk != item['pk']}
    # an archive has the provenance of every input, so that of the campaigns that were learned from, too
    taught = {pk for item in found for pk in query.learned_from(item['pk'])}
    last = [item for item in found if item['pk'] not in resumed | taught]
    if len(last) != 1:
        raise AuditError(f'{location} has several campaigns: name one of {names}')
    return orm.load_node(last[0]['pk'])
