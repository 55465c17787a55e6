"""Points and their nodes, and the node of a data set of points."""

from __future__ import annotations

from typing import ClassVar

from aiida.orm import Dict
from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.nodes.payload import PayloadData, ReadCache
from aiida_inversedesign.spaces.parameters.point import Point

_READ: ReadCache[PointSet] = ReadCache(2)


def content_of(node: Dict) -> Point:
    """The point of a node."""
    return Point.from_dict(node.get_dict())


def node_of(point: Point) -> Dict:
    """An unstored node of a point, labelled with its values (the label is not part of the content)."""
    return Dict(point.to_dict(), label=point.key)


class PointsData(PayloadData):
    """Measured points, found by their label or content hash: the rows of a CSV file."""

    FILENAME: ClassVar[str] = 'points.csv'

    class AttributesModel(PayloadData.AttributesModel):
        count: int = OrmMetadataField(description='Number of rows', read_only=True)
        property_names: list[str] = OrmMetadataField(description='Columns of numbers', read_only=True)

    @classmethod
    def from_points(cls, points: PointSet, label: str = '') -> PointsData:
        """An unstored node of a data set."""
        attributes = {'count': len(points), 'property_names': list(points.numeric)}
        return cls(points.to_bytes(), attributes, label=label)

    def get_library(self) -> PointSet:
        """The rows as the pure core uses them; the same object for the same content."""
        return _READ.get(self, lambda: PointSet.from_bytes(self.payload))

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.base.attributes.get('count'))

    @property
    def property_names(self) -> list[str]:
        """Columns of numbers."""
        return list(self.base.attributes.get('property_names'))
