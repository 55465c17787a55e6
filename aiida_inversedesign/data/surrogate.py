"""The surrogate: plain data from which the fitted model is built again. No pickles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.data.payload import PayloadData

if TYPE_CHECKING:
    from aiida_inversedesign.learn.surrogate import Surrogate


class SurrogateData(PayloadData):
    """A fitted surrogate as training rows, scaling and hyperparameters."""

    FILENAME: ClassVar[str] = 'surrogate.json'

    class AttributesModel(PayloadData.AttributesModel):
        kind: str = OrmMetadataField(description='Kind of surrogate', read_only=True)
        rows: dict[str, Any] = OrmMetadataField(description='Number of training rows of each property', read_only=True)

    @classmethod
    def from_surrogate(cls, surrogate: Surrogate) -> SurrogateData:
        """An unstored node of a fitted surrogate."""
        state = surrogate.state()
        content = json.dumps(state, allow_nan=False).encode()
        rows = {name: len(model['y']) for name, model in state['models'].items()}
        return cls(content, {'kind': state['kind'], 'rows': rows})

    def get_surrogate(self) -> Surrogate:
        """The fitted surrogate, built from what is stored."""
        from aiida_inversedesign.learn.surrogate import Surrogate

        return Surrogate.from_state(self.state)

    @property
    def state(self) -> dict[str, Any]:
        """What is stored, as plain data."""
        return dict(json.loads(self.payload))

    @property
    def kind(self) -> str:
        """Kind of surrogate."""
        return str(self.base.attributes.get('kind'))

    @property
    def rows(self) -> dict[str, int]:
        """Number of training rows of each property it predicts."""
        return dict(self.base.attributes.get('rows'))
