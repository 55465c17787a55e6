"""Rows of tables and pools as an audit needs them: scalars at once, crystals left as text. Imports no aiida."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from aiida_inversedesign.audit.record import AuditError, CandidateRecord
from aiida_inversedesign.propose.candidate import Verdict

_CANDIDATE = tuple(name for name in CandidateRecord.__dataclass_fields__ if name not in ('verdicts', 'crystal_text'))


def _records(content: bytes, what: str, needed: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # read_table would import pandas first
        columns = pq.ParquetFile(io.BytesIO(content)).read().to_pydict()
    except (pa.ArrowInvalid, OSError) as error:
        raise AuditError(f'{what} cannot be read ({error}): it is damaged, or the archive is not complete') from error
    missing = [name for name in needed if name not in columns]
    if missing:
        raise AuditError(f'{what} has no column {missing[0]!r}: another version of aiida-inversedesign made it')
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def read_table(content: bytes, what: str) -> list[dict[str, Any]]:
    """The rows of a table; ``proposed`` and ``relaxed`` stay JSON text.

    :param what: what it is, for the message.
    :raises AuditError: if it is damaged or of another version.
    """
    rows = []
    for record in _records(content, what, ('candidate', 'status', 'proposed', 'properties')):
        record['properties'] = json.loads(record['properties'] or '{}')
        predicted = json.loads(record.get('predicted') or '{}')
        record['predicted'] = {name: (pair[0], pair[1]) for name, pair in predicted.items()}
        rows.append(record)
    return rows


def read_pool(content: bytes, what: str) -> list[CandidateRecord]:
    """The candidates of a pool; ``crystal`` stays JSON text until it is asked for.

    :param what: what it is, for the message.
    :raises AuditError: if it is damaged or of another version.
    """
    return [
        CandidateRecord(
            **{name: record[name] for name in _CANDIDATE if record.get(name) is not None},
            verdicts={name: Verdict(**verdict) for name, verdict in json.loads(record.get('verdicts') or '{}').items()},
            crystal_text=record['crystal'],
        )
        for record in _records(content, what, ('id', 'formula', 'crystal'))
    ]
