"""Archives that are none, or that unfold into more than they should."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.audit.archive import open_archive
from aiida_inversedesign.audit.record import AuditError

META = b'{"export_version": "main_0001", "aiida_version": "2.9.4"}'


@pytest.mark.parametrize(
    ('members', 'words'),
    [
        ({'metadata.json': META}, 'cannot be read as an AiiDA archive'),
        ({'metadata.json': META, 'db.sqlite3': b'x' * 5000}, 'cannot be read as an AiiDA archive'),
        ({'metadata.json': b'[' * 200_000, 'db.sqlite3': b''}, 'cannot be read as an AiiDA archive'),
        ({'metadata.json': b'[]', 'db.sqlite3': b''}, 'cannot be read as an AiiDA archive'),
        ({'metadata.json': b' ' * 20_000_000, 'db.sqlite3': b''}, 'possible decompression bomb'),
        ({'metadata.json': META, 'db.sqlite3': bytes(300_000_000)}, 'possible decompression bomb'),
    ],
)
def test_what_is_no_archive_is_refused(
    aiida_profile: Any, tmp_path: Path, members: dict[str, bytes], words: str
) -> None:
    path = tmp_path / 'a.aiida'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(AuditError, match=words), open_archive(path):
        pass
