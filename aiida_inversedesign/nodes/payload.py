"""The common part of the node types: one file of bulk data in the repository, and its SHA-256 to find it by."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from aiida.orm import Data
from aiida.orm.pydantic import OrmMetadataField

Value = TypeVar('Value')


class PayloadData(Data):
    """A node that keeps its bulk in one repository file and what is asked for in queries as attributes."""

    #: Name of the file, or the beginning of the names of several.
    FILENAME: ClassVar[str] = 'payload'

    class AttributesModel(Data.AttributesModel):
        content_hash: str = OrmMetadataField(
            description='SHA-256 of the bulk data',
            orm_to_model=lambda node: node.content_hash,
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


class Attribute(Generic[Value]):
    """An attribute of a node of the same name, as ``AttributesModel`` describes it.

    :param read: makes the value of what is stored.
    :param default: what is read where nothing is stored; without one that is an error.
    """

    def __init__(self, read: Callable[[Any], Value], *default: Any) -> None:
        self._read, self._default = read, default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, node: PayloadData | None, owner: type) -> Value:
        if node is None:
            return self  # type: ignore[return-value]
        return self._read(node.base.attributes.get(self._name, *self._default))


class ReadCache(Generic[Value]):
    """What nodes were last read as, by content hash: a campaign reads the same ones again and again.

    :param most: how many are kept; the one that was not asked for the longest goes first.
    """

    _every: ClassVar[list[ReadCache[Any]]] = []

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[str, Value] = {}
        self._every.append(self)

    def get(self, node: PayloadData, read: Callable[[], Value]) -> Value:
        """What ``read`` returned for a node of this content, the same object each time; it must not be changed."""
        key = node.content_hash
        value = self._values.pop(key) if key in self._values else read()
        while len(self._values) >= self._most:
            del self._values[next(iter(self._values))]
        self._values[key] = value
        return value

    @classmethod
    def clear_all(cls) -> None:
        """Empty every cache: the storage may have been changed from outside, which is what a verification looks for."""
        for cache in cls._every:
            cache._values.clear()
