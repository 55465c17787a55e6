"""The common part of the node types: one file of bulk data in the repository, and its SHA-256 to find it by."""

from __future__ import annotations

import hashlib
import io
from typing import Any, ClassVar

from aiida.orm import Data
from aiida.orm.pydantic import OrmMetadataField


class PayloadData(Data):
    """A node that keeps its bulk in one repository file and what is asked for in queries as attributes."""

    #: Name of the file, or the beginning of the names of several.
    FILENAME: ClassVar[str] = 'payload'

    class AttributesModel(Data.AttributesModel):
        content_hash: str = OrmMetadataField(
            description='SHA-256 of the bulk data',
            orm_to_model=lambda node: node.content_hash,  # type: ignore[attr-defined]
            read_only=True,
        )

    def __init__(self, content: bytes | None = None, attributes: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Make a node of ``content`` with further queryable ``attributes``."""
        super().__init__(**kwargs)
        if content is not None:
            self.base.repository.put_object_from_filelike(io.BytesIO(content), self.FILENAME)
            self.base.attributes.set_many({'content_hash': hashlib.sha256(content).hexdigest(), **(attributes or {})})

    @property
    def content_hash(self) -> str:
        """SHA-256 of the bulk data as recorded when the node was made."""
        return str(self.base.attributes.get('content_hash'))

    @property
    def payload(self) -> bytes:
        """The bulk data."""
        return self.base.repository.get_object_content(self.FILENAME, mode='rb')

    def _validate(self) -> bool:
        super()._validate()
        from aiida.common.exceptions import ValidationError

        if not any(name.startswith(self.FILENAME) for name in self.base.repository.list_object_names()):
            raise ValidationError(f'{type(self).__name__} has no {self.FILENAME}: make it with a from_… method')
        return True
