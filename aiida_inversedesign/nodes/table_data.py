"""The table: one row for each evaluation so far, failures included.

A campaign makes a table with each harvest, and each holds all rows. So that this costs little, rows are kept in files
of fifty: full files are the same in all later tables, and AiiDA's repository keeps equal files once. Curves of the
rows are arrays in files beside them.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.campaign.contracts.registry import part
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import EvaluationRow, best_row, count_statuses
from aiida_inversedesign.nodes.curves import pack_curves, unpack_curves
from aiida_inversedesign.nodes.parquet import joined_parquet, records_from_parquet, records_to_parquet
from aiida_inversedesign.nodes.payload import Attribute, PayloadData

_COLUMNS = tuple(name for name in EvaluationRow.__dataclass_fields__ if name != 'curves')
_NESTED = ('proposed', 'relaxed', 'properties', 'errors', 'predicted', 'estimates', 'replicates')

#: Rows in one file.
PART = 50
#: Files of which this interpreter remembers the rows: those of three tables of a thousand evaluations.
_REMEMBERED = 64


class _Parts:
    """Files that were read or written lately with their rows, found by content or by the rows themselves."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, tuple[EvaluationRow, ...]] = OrderedDict()
        self._contents: dict[tuple[int, ...], tuple[str, bytes, bytes]] = {}

    def rows(self, content: bytes, curves: bytes, read: Callable[[dict[str, Any]], Any]) -> tuple[EvaluationRow, ...]:
        """The rows of a file and that of their curves, if any; ``read`` makes contents of plain data."""
        digest = hashlib.sha256(content + curves).hexdigest()
        if digest not in self._rows:
            rows = [EvaluationRow.from_dict(record, read) for record in records_from_parquet(content, _NESTED)]
            if curves:
                pairs = zip(rows, unpack_curves(curves, len(rows)), strict=True)
                rows = [replace(row, curves=found) for row, found in pairs]
            self._remember(digest, content, curves, tuple(rows))
        self._rows.move_to_end(digest)
        return self._rows[digest]

    def content(self, rows: Sequence[EvaluationRow]) -> tuple[bytes, bytes]:
        """The file of some rows, and that of their curves, empty if they have none."""
        key = tuple(map(id, rows))
        if rows and key in self._contents:
            return self._contents[key][1:]
        content = records_to_parquet([row.to_dict() for row in rows], _COLUMNS, small=True)
        curves = pack_curves([row.curves for row in rows]) if any(row.curves for row in rows) else b''
        self._remember(hashlib.sha256(content + curves).hexdigest(), content, curves, tuple(rows))
        return content, curves

    def _remember(self, digest: str, content: bytes, curves: bytes, rows: tuple[EvaluationRow, ...]) -> None:
        # rows that are remembered stay alive, so that no other row can have the identity of one of them
        if digest in self._rows:
            return
        self._rows[digest] = rows
        self._contents[tuple(map(id, rows))] = (digest, content, curves)
        while len(self._rows) > _REMEMBERED:
            _, dropped = self._rows.popitem(last=False)
            self._contents.pop(tuple(map(id, dropped)), None)


_parts = _Parts()


class TableData(PayloadData):
    """All evaluations of a campaign so far."""

    FILENAME: ClassVar[str] = 'rows_'
    #: Files of rows, numbered from 0.
    PART_NAME: ClassVar[str] = 'rows_{:05d}.parquet'
    #: Curves of the rows in the file of the same number, where they have any.
    CURVES_NAME: ClassVar[str] = 'curves_{:05d}.npz'

    class AttributesModel(PayloadData.AttributesModel):
        counts: dict[str, Any] = OrmMetadataField(
            description='Number of rows: total, completed, failed, hits', read_only=True
        )
        best: dict[str, Any] | None = OrmMetadataField(
            description='Candidate, key and properties of the best row', read_only=True
        )
        space: str = OrmMetadataField(description='Kind of space of the candidates', read_only=True)

    counts = Attribute[dict[str, int]](dict)
    space = Attribute[str](str)

    @classmethod
    def from_rows(cls, rows: Sequence[EvaluationRow], goal: Goal, space: str = 'crystals') -> TableData:
        """An unstored node of the rows of a kind of space; ``goal`` says which is the best."""
        best = best_row(goal, rows)
        summary = best and {'candidate': best.candidate, 'key': best.key, 'properties': best.properties}
        contents = [_parts.content(rows[begin : begin + PART]) for begin in range(0, max(len(rows), 1), PART)]
        digest = hashlib.sha256()
        node = cls()
        for number, pair in enumerate(contents):
            for name, content in zip((cls.PART_NAME, cls.CURVES_NAME), pair, strict=True):
                if content:
                    node.base.repository.put_object_from_filelike(io.BytesIO(content), name.format(number))
                    digest.update(hashlib.sha256(content).digest())
        node.base.attributes.set_many(
            {'content_hash': digest.hexdigest(), 'counts': count_statuses(rows), 'best': summary, 'space': space}
        )
        return node

    def get_rows(self) -> list[EvaluationRow]:
        """Every row, in the order of the evaluations; rows are shared with other tables and must not be changed."""
        read = part('spaces', self.space).read
        repository = self.base.repository
        found: list[EvaluationRow] = []
        names = set(repository.list_object_names())
        for number, content in enumerate(self.parts()):
            name = self.CURVES_NAME.format(number)
            curves = repository.get_object_content(name, mode='rb') if name in names else b''
            found.extend(_parts.rows(content, curves, read))
        return found

    @property
    def payload(self) -> bytes:
        """All rows as one Parquet file."""
        contents = self.parts()
        return contents[0] if len(contents) == 1 else joined_parquet(contents)

    def parts(self) -> list[bytes]:
        """Its Parquet files, one below the other all rows."""
        repository = self.base.repository
        names = sorted(name for name in repository.list_object_names() if name.startswith(self.FILENAME))
        if len(names) == 1 or not self.is_stored:
            return [repository.get_object_content(name, mode='rb') for name in names]
        # one by one each file costs several queries: a quarter of the time of an audit of ten thousand rows
        keys = [repository.metadata['o'][name]['k'] for name in names]
        found = {key: stream.read() for key, stream in self.backend.get_repository().iter_object_streams(set(keys))}
        return [found[key] for key in keys]

    @property
    def best(self) -> dict[str, Any] | None:
        """Candidate, key and properties of the best row, or None."""
        return self.base.attributes.get('best')
