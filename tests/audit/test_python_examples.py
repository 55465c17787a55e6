"""What docs/python_api.md shows runs, and finds what a campaign has."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node

PAGE = Path(__file__).parents[2] / 'docs' / 'python_api.md'


def last_values(blocks: list[str], names: dict[str, Any]) -> list[Any]:
    """Run blocks of code one after the other, each in what the earlier ones left; the value of each last line."""
    values = []
    for block in blocks:
        tree = ast.parse(block)
        assert isinstance(tree.body[-1], ast.Expr)
        exec(compile(ast.Module(tree.body[:-1], []), str(PAGE), 'exec'), names)
        values.append(eval(compile(ast.Expression(tree.body[-1].value), str(PAGE), 'eval'), names))
    return values


@pytest.fixture
def finished(campaign: Any) -> Any:
    """A campaign of four evaluations."""
    builder, _ = campaign(budget={'evaluations': 4})
    return run_get_node(builder)[1]


def test_every_example_runs(finished: Any, tmp_path: Path) -> None:
    from aiida.tools.archive import create_archive

    archive = tmp_path / 'campaign.aiida'
    create_archive([finished], filename=archive)
    text = PAGE.read_text(encoding='utf-8').replace('load_node(1234)', f'load_node({finished.pk})')
    text = text.replace("'campaign.aiida'", repr(str(archive))).replace('bulk_modulus', 'stiffness')
    blocks = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    assert len(blocks) == 6
    table, jobs, campaigns, above, relaxed, batches = last_values(blocks, {})
    rows = finished.outputs.table.get_rows()
    values = sorted(row.properties['stiffness'] for row in rows)
    hits = [row for row in rows if row.hit]
    assert sorted(table['stiffness']) == [value for value in values if value >= 250]
    assert len(jobs) == 0  # the table engine without a code needs none
    assert [finished.pk, 'rehearsal', 0] in campaigns
    assert sorted(row[-2] for row in above) == [value for value in values if value > 300]
    assert len(relaxed) == len(hits) > 0
    assert all(isinstance(structure, orm.StructureData) for _, structure in relaxed)
    assert sum(len(choices) for choices, _ in batches) == 4
