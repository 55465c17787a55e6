"""What was reported of a candidate: values, who, when and with what, and the raw data as files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from aiida.orm import Data
from aiida.orm.pydantic import OrmMetadataField


class AnswerData(Data):
    """One answer, never changed: a correction is an answer of its own."""

    class AttributesModel(Data.AttributesModel):
        campaign: str = OrmMetadataField(description="UUID of the campaign's node of settings", read_only=True)
        candidate: str = OrmMetadataField(description='UUID of the node that was to be measured', read_only=True)
        name: str = OrmMetadataField(description='Id of the candidate', read_only=True)
        kind: str = OrmMetadataField(description='answer, replicate or correction', read_only=True)
        values: dict[str, Any] = OrmMetadataField(description='Value, unit and error by property', read_only=True)
        failed: str = OrmMetadataField(description='Why it could not be measured, or empty', read_only=True)
        about: dict[str, Any] = OrmMetadataField(description='Who, instrument, note, files', read_only=True)
        at: str = OrmMetadataField(description='When it was reported, ISO 8601, UTC', read_only=True)

    @classmethod
    def of(cls, facts: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> AnswerData:
        """An unstored node.

        :param facts: its attributes. :param files: raw data by file name.
        """
        node = cls(label=f'{facts["name"]} {facts["kind"]}')
        for name, content in (files or {}).items():
            node.base.repository.put_object_from_filelike(io.BytesIO(content), name)
        node.base.attributes.set_many(dict(facts))
        return node


def digests(files: Mapping[str, bytes]) -> str:
    """What tells attached files from others, in a text: their names and the beginning of their SHA-256."""
    return ', '.join(f'{name} {hashlib.sha256(content).hexdigest()[:12]}' for name, content in sorted(files.items()))
