"""What jobs left, against what was made of it."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ('content', 'outputs', 'words'),
    [
        ('', {}, None),
        ('', {'seconds': 1.0}, 'cannot be read'),
        ('[1.0]', {'seconds': 1.0}, 'cannot be read (a list, not an object)'),
        ('[' * 100_000, {'seconds': 1.0}, 'cannot be read'),
        ('{"seconds": 1.0}', {'seconds': 1.0}, None),
        ('{"seconds": 1.0}', {'seconds': 2.0}, 'is not what the job wrote'),
    ],
)
def test_outputs_rest_on_readable_files(
    aiida_profile_clean: Any, content: str, outputs: dict[str, float], words: str | None
) -> None:
    import io

    from aiida.common import LinkType
    from aiida.orm import CalcJobNode, Dict, FolderData

    from aiida_inversedesign.verify.job_files import check_job

    node = CalcJobNode(process_type='aiida.calculations:inversedesign.table').store()
    retrieved = FolderData()
    retrieved.base.repository.put_object_from_filelike(io.BytesIO(content.encode()), 'results.json')
    found: dict[str, Any] = {'retrieved': retrieved}
    if outputs:
        found['results'] = Dict(outputs)
    for name, data in found.items():
        data.base.links.add_incoming(node, LinkType.CREATE, name)
        data.store()
    messages = [item.message for item in check_job(node.pk)]
    assert (words is None and not messages) or (words is not None and words in messages[0])
