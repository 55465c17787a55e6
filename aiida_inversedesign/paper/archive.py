"""The AiiDA archive of exactly one campaign, small: what its provenance needs, without the folders jobs left behind.

A ``RemoteData`` node is the path of a folder on a computer that a reader has no access to. Those that no other process
took as an input are left out; the jobs' retrieved files, which the results were parsed from, are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.orm.entities import EntityTypes
from aiida.tools.archive import create_archive
from aiida.tools.archive.exceptions import ArchiveExportError
from aiida.tools.archive.implementations.sqlite_zip.main import ArchiveFormatSqlZip
from aiida.tools.archive.implementations.sqlite_zip.writer import ArchiveWriterSqlZip

from aiida_inversedesign.audit.record import AuditError, CampaignRecord
from aiida_inversedesign.graph import campaigns as query
from aiida_inversedesign.graph.job_inputs import unused_remote_folders


class _Writer(ArchiveWriterSqlZip):
    """Writes everything but some nodes and their links."""

    left_out: frozenset[int] = frozenset()

    def bulk_insert(self, entity_type: EntityTypes, rows: list[dict[str, Any]], allow_defaults: bool = False) -> None:
        """Write the rows of nodes and links that are not left out."""
        if entity_type is EntityTypes.NODE:
            rows = [row for row in rows if row['id'] not in self.left_out]
        elif entity_type is EntityTypes.LINK:
            rows = [row for row in rows if not {row['input_id'], row['output_id']} & self.left_out]
        super().bulk_insert(entity_type, rows, allow_defaults)


class _Format(ArchiveFormatSqlZip):
    """AiiDA's archive format, written without some nodes."""

    def __init__(self, left_out: frozenset[int]) -> None:
        self.left_out = left_out

    def open(self, path: str | Path, mode: Any = 'r', *, compression: int = 6, **options: Any) -> Any:
        """A reader, or a writer that leaves nodes out."""
        if mode not in ('x', 'w'):
            return super().open(path, mode, compression=compression, **options)
        writer = _Writer(path, self, mode=mode, compression=compression, **options)
        writer.left_out = self.left_out
        return writer


def write_archive(node: orm.WorkChainNode, record: CampaignRecord, path: Path) -> dict[str, int]:
    """Write the archive of a campaign and those it resumed, from the loaded profile or archive.

    :return: bytes of the file, nodes that were left out.
    :raises AuditError: if a process of it has not ended, or the file cannot be written.
    """
    if not record.has_ended:
        raise AuditError(
            f'campaign {node.pk} has not ended ({record.state}), and AiiDA archives only processes that have: '
            'wait for it, or write the folder without its archive (--no-archive)'
        )
    left_out = frozenset(unused_remote_folders(job.id for job in record.jobs))
    campaigns = [orm.load_node(pk) for pk in query.chain_of(node.pk)]
    with quiet():
        try:
            create_archive(campaigns, filename=path, archive_format=_Format(left_out), compression=9)
        except ArchiveExportError as error:
            raise AuditError(
                f'the archive of campaign {node.pk} cannot be made ({error}): if a process of it never ended (power '
                f'cut, kill -9), `verdi process kill {node.pk}` ends it; --no-archive writes the folder without'
            ) from error
    return {'bytes': path.stat().st_size, 'left_out': len(left_out)}


@contextmanager
def quiet() -> Iterator[None]:
    """AiiDA reports each step of an export or import; here only its warnings are wanted."""
    logger = logging.getLogger('aiida.export')
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
