"""Contents that are plain data (points, molecules) and their nodes, and the node of a CSV data set."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida.orm import Dict
from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.campaign.contracts.registry import part
from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.nodes.payload import Attribute, PayloadData, ReadCache

_READ: ReadCache[PointSet] = ReadCache(2)


#: AiiDA's longest label.
_LONGEST_LABEL = 255


def content_of(node: Dict) -> Any:
    """The content of a node, of the kind of space that its data name; those of points name none."""
    data = node.get_dict()
    return part('spaces', data.get('kind', 'parameters')).read(data)


def node_of(content: Any) -> Dict:
    """An unstored node of a content, labelled with its key (the label is not part of the content)."""
    return Dict(content.to_dict(), label=content.key[:_LONGEST_LABEL])


class PointsData(PayloadData):
    """A data set, found by its label or content hash: the rows of a CSV file."""

    FILENAME: ClassVar[str] = 'points.csv'

    class AttributesModel(PayloadData.AttributesModel):
        count: int = OrmMetadataField(description='Number of rows', read_only=True)
        property_names: list[str] = OrmMetadataField(description='Columns of numbers', read_only=True)

    count = Attribute[int](int)
    property_names = Attribute[list[str]](list)

    @classmethod
    def from_points(cls, points: PointSet, label: str = '') -> PointsData:
        """An unstored node of a data set."""
        attributes: dict[str, Any] = {'count': len(points), 'property_names': list(points.numeric)}
        if points.unread:
            attributes['unread'] = {'lines': len(points.unread), 'examples': list(points.unread[:5])}
        return cls(points.to_bytes(), attributes, label=label)

    def get_library(self) -> PointSet:
        """The rows as the pure core uses them; the same object for the same content."""
        return _READ.get(self, lambda: PointSet.from_bytes(self.payload))
