"""The proposal model: weights, scalers and the record of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.nodes.payload import Attribute, PayloadData, ReadCache

if TYPE_CHECKING:
    from aiida_inversedesign.propose.proposal_model import AnyModel

_READ: ReadCache[AnyModel] = ReadCache(2)


class CspmlData(PayloadData):
    """A trained proposal model."""

    FILENAME: ClassVar[str] = 'cspml.npz'

    class AttributesModel(PayloadData.AttributesModel):
        record: dict[str, Any] = OrmMetadataField(
            description='Training record: library hash, τ, splits, scores, versions, seed', read_only=True
        )

    record = Attribute[dict[str, Any]](dict)

    @classmethod
    def from_model(cls, model: AnyModel, label: str = '') -> CspmlData:
        """An unstored node of a trained model."""
        return cls(model.to_bytes(), {'record': model.record}, label=label)

    def get_model(self) -> AnyModel:
        """The model as the pure core uses it; the same object for the same content."""
        from aiida_inversedesign.propose.proposal_model import load_model

        return _READ.get(self, lambda: load_model(self.payload))
