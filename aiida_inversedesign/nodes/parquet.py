"""Lists of plain records as Parquet bytes, nested values as JSON text. Imports no aiida."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def records_to_parquet(records: Sequence[Mapping[str, Any]], columns: Sequence[str], small: bool = False) -> bytes:
    """Parquet bytes of records that have the given columns; lists and mappings are written as JSON text.

    :param small: leave out statistics and dictionaries, which take more room than some tens of records do.
    """
    import pyarrow as pa

    def flat(value: Any) -> Any:
        return json.dumps(value, allow_nan=False) if isinstance(value, dict | list) else value

    return _written(pa.table({name: [flat(record[name]) for record in records] for name in columns}), small)


def joined_parquet(parts: Iterable[bytes]) -> bytes:
    """The Parquet bytes of several tables below each other; a column that is empty in one takes the others' type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # read_table would import pandas first
    tables = [pq.ParquetFile(io.BytesIO(part)).read() for part in parts]
    return _written(pa.concat_tables(tables, promote_options='permissive'), False)


def _written(table: pa.Table, small: bool) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression='zstd', use_dictionary=not small, write_statistics=not small)
    return sink.getvalue()


def records_from_parquet(content: bytes, nested: Sequence[str]) -> list[dict[str, Any]]:
    """The records of :func:`records_to_parquet`; those columns of ``nested`` that there are are read as JSON text."""
    import pyarrow.parquet as pq

    records: list[dict[str, Any]] = pq.ParquetFile(io.BytesIO(content)).read().to_pylist()
    for record in records:
        for name in nested:
            if record.get(name) is not None:
                record[name] = json.loads(record[name])
    return records
