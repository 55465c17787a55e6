"""The surrogate: plain data from which the fitted model is built again. No pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.nodes.payload import Attribute, PayloadData

if TYPE_CHECKING:
    from aiida_inversedesign.learn.surrogate import Surrogate


class SurrogateData(PayloadData):
    """A fitted surrogate as training rows, scaling and hyperparameters."""

    FILENAME: ClassVar[str] = 'surrogate.json'

    class AttributesModel(PayloadData.AttributesModel):
        kind: str = OrmMetadataField(description='Kind of surrogate that was asked for', read_only=True)
        models: dict[str, Any] = OrmMetadataField(description='Kind of model of each property', read_only=True)
        rows: dict[str, Any] = OrmMetadataField(description='Number of training rows of each property', read_only=True)

    kind = Attribute[str](str)
    models = Attribute[dict[str, str]](dict)
    rows = Attribute[dict[str, int]](dict)

    @classmethod
    def from_surrogate(cls, surrogate: Surrogate) -> SurrogateData:
        """An unstored node of a fitted surrogate."""
        content = json.dumps(surrogate.state(), allow_nan=False).encode()
        rows = {name: len(model.y) for name, model in surrogate.models.items()}
        models = {name: model.kind for name, model in surrogate.models.items()}
        attributes: dict[str, Any] = {'kind': surrogate.kind, 'rows': rows, 'models': models}
        earlier = {
            name: _figures(record['earlier']) for name, record in surrogate.record.items() if 'earlier' in record
        }
        return cls(content, {**attributes, 'earlier': earlier} if earlier else attributes)

    def get_surrogate(self) -> Surrogate:
        """The fitted surrogate, built from what is stored."""
        from aiida_inversedesign.learn.surrogate import Surrogate

        return Surrogate.from_state(self.state)

    @property
    def state(self) -> dict[str, Any]:
        """What is stored, as plain data."""
        return dict(json.loads(self.payload))

    @property
    def earlier(self) -> dict[str, Any]:
        """By property how earlier campaigns changed the predictions; empty where it learned from none."""
        return dict(self.base.attributes.get('earlier', None) or {})


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for in queries of the campaigns that were learned from: numbers of rows instead of the rows."""
    campaigns = [{**item, 'rows': len(item['rows'])} for item in record['campaigns']]
    return {**record, 'campaigns': campaigns}
