"""The table: one row for each evaluation so far, failures included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.campaign.spec import Goal
from aiida_inversedesign.data.payload import PayloadData
from aiida_inversedesign.data.records import records_from_parquet, records_to_parquet
from aiida_inversedesign.learn.table import EvaluationRow, best_row, count_statuses

_COLUMNS = tuple(EvaluationRow.__dataclass_fields__)
_NESTED = ('proposed', 'relaxed', 'properties', 'predicted')


class TableData(PayloadData):
    """All evaluations of a campaign so far."""

    FILENAME: ClassVar[str] = 'table.parquet'

    class AttributesModel(PayloadData.AttributesModel):
        counts: dict[str, Any] = OrmMetadataField(
            description='Number of rows: total, completed, failed, hits', read_only=True
        )
        best: dict[str, Any] | None = OrmMetadataField(
            description='Candidate, formula and properties of the best row', read_only=True
        )

    @classmethod
    def from_rows(cls, rows: Sequence[EvaluationRow], goal: Goal) -> TableData:
        """An unstored node of the rows; ``goal`` says which is the best."""
        best = best_row(goal, rows)
        summary = best and {'candidate': best.candidate, 'formula': best.formula, 'properties': best.properties}
        content = records_to_parquet([row.to_dict() for row in rows], _COLUMNS)
        return cls(content, {'counts': count_statuses(rows), 'best': summary})

    def get_rows(self) -> list[EvaluationRow]:
        """Every row, in the order of the evaluations."""
        return [EvaluationRow.from_dict(record) for record in records_from_parquet(self.payload, _NESTED)]

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows: total, completed, failed, hits."""
        return dict(self.base.attributes.get('counts'))

    @property
    def best(self) -> dict[str, Any] | None:
        """Candidate, formula and properties of the best row, or None."""
        return self.base.attributes.get('best')
