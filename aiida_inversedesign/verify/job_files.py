"""Whether the results of a calculation job follow from the files that it left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aiida import orm

from aiida_inversedesign.verify.compare import difference
from aiida_inversedesign.verify.findings import Finding

#: The jobs whose files are JSON, and the outputs that copy their numbers.
_SCRIPTS = ('aiida.calculations:inversedesign.ase', 'aiida.calculations:inversedesign.table')


def check_job(pk: int) -> Iterator[Finding]:
    """Findings on one job."""
    node = orm.load_node(pk)
    if isinstance(node, orm.CalcJobNode) and node.process_type in _SCRIPTS:
        yield from _check_script(node)


def _check_script(node: orm.CalcJobNode) -> Iterator[Finding]:
    """The outputs of a script against its ``results.json``."""
    outputs = node.outputs
    if 'retrieved' not in outputs or 'results.json' not in outputs.retrieved.base.repository.list_object_names():
        return
    claimed = [name for name in ('results', 'scan') if name in outputs]
    try:
        written = _sections(outputs.retrieved.base.repository.get_object_content('results.json'))
    except (ValueError, RecursionError) as error:
        # a job whose disk was full leaves an unreadable file, and no outputs that would rest on it
        for name in claimed:
            message = f'the output `{name}` of {node.process_label} rests on a file that cannot be read ({error})'
            yield Finding('calculation_output', outputs[name].uuid, message)
        return
    for name in claimed:
        stored = outputs[name].get_dict()
        source = written if name == 'results' else written.get('scan', {})
        found = {key: source.get(key) for key in stored} if isinstance(source, dict) else {}
        if text := difference(stored, found, 1e-10):
            message = f'the output `{name}` of {node.process_label} is not what the job wrote ({text})'
            yield Finding('calculation_output', outputs[name].uuid, message)


def _sections(text: str) -> dict[str, Any]:
    """What a script wrote.

    :raises ValueError: if it is no JSON object.
    """
    written = json.loads(text)
    if not isinstance(written, dict):
        raise ValueError(f'a {type(written).__name__}, not an object')
    return written
