"""The CSPML model: ensemble weights, scalers and the record of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.data.payload import PayloadData

if TYPE_CHECKING:
    from aiida_inversedesign.propose.cspml import CspmlModel


class CspmlData(PayloadData):
    """A trained proposal model."""

    FILENAME: ClassVar[str] = 'cspml.npz'

    class AttributesModel(PayloadData.AttributesModel):
        record: dict[str, Any] = OrmMetadataField(
            description='Training record: library hash, τ, splits, scores, versions, seed', read_only=True
        )

    @classmethod
    def from_model(cls, model: CspmlModel, label: str = '') -> CspmlData:
        """An unstored node of a trained model."""
        return cls(model.to_bytes(), {'record': model.record}, label=label)

    def get_model(self) -> CspmlModel:
        """The model as the pure core uses it."""
        from aiida_inversedesign.propose.cspml import CspmlModel

        return CspmlModel.from_bytes(self.payload)

    @property
    def record(self) -> dict[str, Any]:
        """Training record."""
        return dict(self.base.attributes.get('record'))
