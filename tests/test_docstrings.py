"""Public functions of arrays say the shapes of what they take and give."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import aiida_inversedesign

ROOT = Path(aiida_inversedesign.__file__).parent

#: An annotation that is an array; a docstring that says a shape: ``shape (n, d)``, ``3 × 3``, ``(n,)``, elementwise.
ARRAY = re.compile(r'NDArray|ndarray|\bArray\b|Tensor')
SHAPE = re.compile(r'\bshape|×|\((\w+, ?)+\w*\)|\(\w+,\)|elementwise|any shape|[Nn]amed arrays')

#: Methods of contracts: their shapes stand once, in the contract (:mod:`aiida_inversedesign.campaign.contracts`).
OF_CONTRACTS = frozenset(
    ('fit', 'choose', 'score', 'value', 'condition', 'with_rows', 'draw', 'parts', 'predict', 'sample', 'loss', 'part')
)  # fmt: skip


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Public functions and methods of a module."""
    body = ast.parse(path.read_text(encoding='utf-8')).body
    for node in (*body, *(inner for item in body if isinstance(item, ast.ClassDef) for inner in item.body)):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith('_'):
            yield node


def silent(path: Path) -> Iterator[str]:
    """Those of a module that have arrays and say no shape."""
    for node in functions(path):
        hints = [item.annotation for item in (*node.args.args, *node.args.kwonlyargs) if item.annotation]
        text = ' '.join(ast.unparse(hint) for hint in (*hints, *([node.returns] if node.returns else [])))
        if node.name not in OF_CONTRACTS and ARRAY.search(text) and not SHAPE.search(ast.get_docstring(node) or ''):
            yield f'{path.relative_to(ROOT)}:{node.lineno} {node.name}'


def test_functions_of_arrays_say_their_shapes() -> None:
    found = [name for path in sorted(ROOT.rglob('*.py')) if 'benchmarks' not in path.parts for name in silent(path)]
    assert not found, '\n'.join(found)
