"""What docs/physics.md shows runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.eos import vinet

from aiida_inversedesign.engines.common.eos import GPA, volume_factors

PAGE = (Path(__file__).parents[2] / 'docs' / 'physics.md').read_text(encoding='utf-8')
CAMPAIGN, MODEL, CALCULATION = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)


def last_value(block: str, names: dict[str, Any]) -> Any:
    """Run a block; the value of its last line."""
    tree = ast.parse(block)
    assert isinstance(tree.body[-1], ast.Expr)
    exec(compile(ast.Module(tree.body[:-1], []), 'physics.md', 'exec'), names)
    return eval(compile(ast.Expression(tree.body[-1].value), 'physics.md', 'eval'), names)


def test_a_model_of_your_own(capsys: pytest.CaptureFixture[str]) -> None:
    low, high = last_value(MODEL, {})
    assert low < 0.8 < high < low + 0.2
    assert capsys.readouterr().out == 'converged\n'


def test_a_posterior_in_the_graph(aiida_profile: Any) -> None:
    volumes = 10 * np.array(volume_factors(7, 0.06))
    values = vinet(volumes, -5, 200 / GPA, 4, 10) + 1e-4 * np.random.default_rng(0).standard_normal(7)
    state = orm.Dict({'volumes': list(volumes), 'energies': list(values)})
    evaluation = SimpleNamespace(outputs=SimpleNamespace(equation_of_state=state))
    found = last_value(CALCULATION.replace('3000', '200'), {'evaluation': evaluation})
    assert found['mean'] == pytest.approx(200, abs=3)


def test_the_table_of_a_campaign_is_a_tool_of_its_node() -> None:
    from aiida_inversedesign.tools import CampaignTools

    assert CAMPAIGN.strip().splitlines()[-1].startswith('load_node(1234).tools.equations_of_state()')
    assert callable(CampaignTools.equations_of_state)
