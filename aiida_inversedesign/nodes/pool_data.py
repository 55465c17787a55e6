"""The pool: the candidates of one proposal with their lineage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.registry import part
from aiida_inversedesign.nodes.parquet import records_from_parquet, records_to_parquet
from aiida_inversedesign.nodes.payload import Attribute, PayloadData, ReadCache

_COLUMNS = tuple(Candidate.__dataclass_fields__)
_NESTED = ('content', 'assignment', 'verdicts', 'within', 'screening')

_READ: ReadCache[tuple[Candidate, ...]] = ReadCache(2)


class PoolData(PayloadData):
    """Candidates of one proposal: every one that was considered, with each filter's verdict."""

    FILENAME: ClassVar[str] = 'pool.parquet'

    class AttributesModel(PayloadData.AttributesModel):
        count: int = OrmMetadataField(description='Number of candidates considered', read_only=True)
        accepted: int = OrmMetadataField(description='Number of candidates that passed every filter', read_only=True)
        rejected: dict[str, Any] = OrmMetadataField(
            description='Number of candidates rejected, by the first screen that did', read_only=True
        )
        keys: int = OrmMetadataField(description='Number of different keys, e.g. formulas', read_only=True)
        space: str = OrmMetadataField(description='Kind of space of the candidates', read_only=True)

    count = Attribute[int](int)
    accepted = Attribute[int](int)
    rejected = Attribute[dict[str, int]](dict)
    space = Attribute[str](str)

    @classmethod
    def from_candidates(cls, candidates: Sequence[Candidate], space: str = 'crystals') -> PoolData:
        """An unstored node of the candidates of a kind of space."""
        content = records_to_parquet([candidate.to_dict() for candidate in candidates], _COLUMNS)
        rejected = Counter(candidate.rejected_by for candidate in candidates if candidate.rejected_by)
        return cls(
            content,
            {
                'count': len(candidates),
                'accepted': sum(candidate.accepted for candidate in candidates),
                'rejected': dict(sorted(rejected.items())),
                'keys': len({candidate.key for candidate in candidates}),
                'space': space,
            },
        )

    def get_candidates(self) -> list[Candidate]:
        """Every candidate, rejected ones included; they are shared between calls and must not be changed."""

        def read() -> tuple[Candidate, ...]:
            records = records_from_parquet(self.payload, _NESTED)
            return tuple(Candidate.from_dict(record, self.read) for record in records)

        return list(_READ.get(self, read))

    @property
    def summary(self) -> str:
        """How many candidates passed, of how many different keys, e.g. ``12 candidates of 5 formulas``."""
        space = part('spaces', self.space)
        nouns = 'formulas' if space.of_crystals else space.nouns
        return f'{self.accepted} candidates of {self.base.attributes.get("keys")} {nouns}'

    @property
    def read(self) -> Callable[[dict[str, Any]], Any]:
        """Makes the content of a candidate of its plain data."""
        read: Callable[[dict[str, Any]], Any] = part('spaces', self.space).read
        return read
