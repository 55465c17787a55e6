"""The library: templates with their sources and licences."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.nodes.payload import Attribute, PayloadData, ReadCache

if TYPE_CHECKING:
    from aiida_inversedesign.libraries.library import Library, Skipped

_READ: ReadCache[Library] = ReadCache(4)


class LibraryData(PayloadData):
    """A template library, found by its label or by its content hash."""

    FILENAME: ClassVar[str] = 'library.parquet'
    SKIPPED: ClassVar[str] = 'skipped.json'

    class AttributesModel(PayloadData.AttributesModel):
        count: int = OrmMetadataField(description='Number of templates', read_only=True)
        sources: dict[str, Any] = OrmMetadataField(
            description='Licence and number of templates of each source', read_only=True
        )

    count = Attribute[int](int)
    sources = Attribute[dict[str, Any]](dict)
    #: Properties of entries that are functions of an axis, and those that entries carry.
    curve_names = Attribute[list[str]](list, ())
    property_names = Attribute[list[str]](list)

    @classmethod
    def from_library(cls, library: Library, label: str = '', skipped: Iterable[Skipped] = ()) -> LibraryData:
        """An unstored node of a library.

        :param skipped: what its import did not take; kept beside the library, whose content hash does not change.
        """
        names = sorted({name for template in library for name in template.properties})
        attributes = {'count': len(library), 'sources': library.sources, 'property_names': names}
        if curves := sorted({name for template in library for name in template.curves}):
            attributes['curve_names'] = curves
        node = cls(library.to_bytes(), attributes, label=label)
        if rows := [[item.source, item.kind, item.reason] for item in skipped]:
            content = io.BytesIO(json.dumps(rows, ensure_ascii=False).encode())
            node.base.repository.put_object_from_filelike(content, cls.SKIPPED)
        return node

    def get_library(self) -> Library:
        """The library as the pure core uses it; the same object for the same content."""
        from aiida_inversedesign.libraries.library import Library

        return _READ.get(self, lambda: Library.from_bytes(self.payload))

    def get_skipped(self) -> list[Skipped]:
        """What was not taken when the library was made; empty if nothing was skipped or it was not recorded."""
        from aiida_inversedesign.libraries.library import Skipped

        if self.SKIPPED not in self.base.repository.list_object_names():
            return []
        rows = json.loads(self.base.repository.get_object_content(self.SKIPPED, mode='rb'))
        return [Skipped(str(source), str(reason), str(kind)) for source, kind, reason in rows]
