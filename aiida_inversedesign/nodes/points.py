"""Points and their nodes, and the node of a data set of points."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from aiida.orm import Dict, load_node
from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.nodes.payload import PayloadData
from aiida_inversedesign.spaces.parameters.point import Point


def content_of(node: Dict) -> Point:
    """The point of a node."""
    return Point.from_dict(node.get_dict())


def node_of(point: Point) -> Dict:
    """An unstored node of a point, labelled with its values (the label is not part of the content)."""
    return Dict(point.to_dict(), label=point.key)


@lru_cache(maxsize=2)
def _points(content_hash: str, uuid: str) -> PointSet:
    """The rows of a node; kept, as a campaign asks for them again and again."""
    node = load_node(uuid)
    return PointSet.from_bytes(node.payload)


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
        return _points(self.content_hash, self.uuid)

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.base.attributes.get('count'))

    @property
    def property_names(self) -> list[str]:
        """Columns of numbers."""
        return list(self.base.attributes.get('property_names'))
