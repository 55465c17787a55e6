"""Lists of plain records as Parquet bytes, nested values as JSON text. Imports no aiida."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any


def records_to_parquet(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Parquet bytes of records that have the given columns; lists and mappings are written as JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def flat(value: Any) -> Any:
        return json.dumps(value, allow_nan=False) if isinstance(value, dict | list) else value

    table = pa.table({name: [flat(record[name]) for record in records] for name in columns})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression='zstd')
    return sink.getvalue()


def records_from_parquet(content: bytes, nested: Sequence[str]) -> list[dict[str, Any]]:
    """The records of :func:`records_to_parquet`; those columns of ``nested`` that there are are read as JSON text."""
    import pyarrow.parquet as pq

    records: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    for record in records:
        for name in nested:
            if record.get(name) is not None:
                record[name] = json.loads(record[name])
    return records
