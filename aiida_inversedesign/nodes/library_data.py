"""The library: templates with their sources and licences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiida.orm.pydantic import OrmMetadataField

from aiida_inversedesign.nodes.payload import PayloadData, ReadCache

if TYPE_CHECKING:
    from aiida_inversedesign.libraries.library import Library

_READ: ReadCache[Library] = ReadCache(4)


class LibraryData(PayloadData):
    """A template library, found by its label or by its content hash."""

    FILENAME: ClassVar[str] = 'library.parquet'

    class AttributesModel(PayloadData.AttributesModel):
        count: int = OrmMetadataField(description='Number of templates', read_only=True)
        sources: dict[str, Any] = OrmMetadataField(
            description='Licence and number of templates of each source', read_only=True
        )

    @classmethod
    def from_library(cls, library: Library, label: str = '') -> LibraryData:
        """An unstored node of a library."""
        names = sorted({name for template in library for name in template.properties})
        attributes = {'count': len(library), 'sources': library.sources, 'property_names': names}
        return cls(library.to_bytes(), attributes, label=label)

    def get_library(self) -> Library:
        """The library as the pure core uses it; the same object for the same content."""
        from aiida_inversedesign.libraries.library import Library

        return _READ.get(self, lambda: Library.from_bytes(self.payload))

    @property
    def count(self) -> int:
        """Number of templates."""
        return int(self.base.attributes.get('count'))

    @property
    def sources(self) -> dict[str, Any]:
        """Licence and number of templates of each source."""
        return dict(self.base.attributes.get('sources'))

    @property
    def property_names(self) -> list[str]:
        """Properties that entries carry."""
        return list(self.base.attributes.get('property_names'))
