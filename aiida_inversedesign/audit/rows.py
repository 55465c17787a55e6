"""Rows of tables and pools as an audit needs them: scalars at once, contents left as text. Imports no aiida."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from aiida_inversedesign.audit.record import AuditError, CandidateRecord
from aiida_inversedesign.campaign.candidate import Verdict

_CANDIDATE = tuple(
    name for name in CandidateRecord.__dataclass_fields__ if name not in ('verdicts', 'content_text', 'space')
)


def _columns(
    content: bytes, what: str, needed: Sequence[str], wanted: Collection[str] | None = None
) -> dict[str, list[Any]]:
    """The values of each column of a Parquet file.

    :param needed: columns that it must have. :param wanted: those that are read, if it has them; by default all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # read_table would import pandas first, and threads take longer than so small a file does
        file = pq.ParquetFile(io.BytesIO(content))
        present = file.schema_arrow.names
        names = present if wanted is None else [name for name in present if name in wanted]
        columns: dict[str, list[Any]] = file.read(columns=names, use_threads=False).to_pydict()
    except (pa.ArrowInvalid, OSError) as error:
        raise AuditError(f'{what} cannot be read ({error}): it is damaged, or the archive is not complete') from error
    pa.default_memory_pool().release_unused()  # a pool is unpacked into several times its size
    missing = [name for name in needed if name not in columns]
    if missing:
        raise AuditError(f'{what} has no column {missing[0]!r}: another version of aiida-inversedesign made it')
    return columns


def _rows(columns: dict[str, list[Any]]) -> Iterable[dict[str, Any]]:
    return (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))


def read_table(parts: Iterable[bytes], what: str) -> list[dict[str, Any]]:
    """The rows of a table; ``proposed`` and ``relaxed`` stay JSON text.

    :param parts: its files. :param what: what it is, for the message.
    :raises AuditError: if it is damaged or of another version.
    """
    rows: list[dict[str, Any]] = []
    for content in parts:
        columns = _columns(content, what, ('candidate', 'status', 'proposed', 'properties'))
        for name in {'properties', 'errors', 'estimates'} & columns.keys():
            columns[name] = [json.loads(text or '{}') for text in columns[name]]
        if 'predicted' in columns:
            columns['predicted'] = [
                {name: (pair[0], pair[1]) for name, pair in json.loads(text or '{}').items()}
                for text in columns['predicted']
            ]
        rows.extend(_rows(columns))
    return rows


def read_pool(content: bytes, what: str, space: str) -> list[CandidateRecord]:
    """The candidates of a pool; their contents stay JSON text until they are asked for.

    :param what: what it is, for the message.
    :param space: kind of space of the candidates.
    :raises AuditError: if it is damaged or of another version.
    """
    columns = _columns(content, what, ('id', 'key', 'content'), {*_CANDIDATE, 'content', 'verdicts'})
    verdicts = columns.get('verdicts') or [None] * len(columns['id'])
    known = {name: columns[name] for name in _CANDIDATE if name in columns}
    return [
        CandidateRecord(
            **{name: value for name, value in row.items() if value is not None},
            verdicts={name: Verdict(**verdict) for name, verdict in json.loads(said or '{}').items()},
            content_text=text,
            space=space,
        )
        for row, said, text in zip(_rows(known), verdicts, columns['content'], strict=True)
    ]
