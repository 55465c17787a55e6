"""The loop of the benchmark and the real campaign take the same decisions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.benchmarks.search.goals import make_task, parse_goal
from aiida_inversedesign.benchmarks.search.loop import Plan
from aiida_inversedesign.benchmarks.search.ours import OurArm
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError, read_pool
from aiida_inversedesign.benchmarks.search.through_campaign import as_stored, first_of_ours, through_campaign


@pytest.fixture(scope='module')
def elastic(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """60 real crystals, one of them twice: a campaign does not evaluate it again."""
    with gzip.open(shared / 'data' / 'elastic_structures.jsonl.gz', 'rt') as stream:
        lines = [row for row, _ in zip(stream, range(60), strict=False)]
    # the first of the best is the first to be chosen, and its copy would be the next
    best = max(lines, key=lambda row: json.loads(row)['K_VRH'])
    copy = {**json.loads(best), 'id': 'copy'}
    path = tmp_path_factory.mktemp('elastic') / 'some.jsonl'
    path.write_text(''.join(lines) + json.dumps(copy) + '\n')
    return read_pool(path, ['K_VRH'], crystals=True)


@pytest.mark.parametrize(
    'arm',
    [
        OurArm('gp:log_ei', 'gp', 'log_ei'),
        pytest.param(OurArm('auto', 'auto', 'auto'), marks=pytest.mark.slow),
        pytest.param(OurArm('forest:thompson', 'forest', 'thompson'), marks=pytest.mark.slow),
    ],
)
def test_a_campaign_takes_the_decisions_of_the_search(aiida_profile_clean: Any, elastic: Pool, arm: OurArm) -> None:
    task = make_task(parse_goal('maximize', 'K_VRH'), elastic.values)
    found = through_campaign(elastic, task, Plan(10, 2, 15), arm, seed=3)
    assert found['different'] is None, found
    assert 'reason' not in found
    assert (found['decisions'], found['identical']) == (3, 3)


def test_features_alone_make_no_campaign(pool: Pool) -> None:
    task = make_task(parse_goal('maximize', 'y'), pool.values)
    with pytest.raises(PoolError, match='take a pool of structures'):
        through_campaign(pool, task, Plan(10, 2, 14), OurArm('auto', 'auto', 'auto'), seed=0)


def test_peers_have_no_campaigns() -> None:
    assert first_of_ours(['random', 'botorch', 'forest:ucb', 'auto']).name == 'forest:ucb'
    with pytest.raises(PoolError, match='an arm of ours'):
        first_of_ours(['random', 'botorch'])


def test_answers_are_compared_as_nodes_keep_them(elastic: Pool) -> None:
    from aiida.orm import Dict

    stored = as_stored(elastic).values['K_VRH']
    answers = elastic.values['K_VRH'].tolist()
    assert stored.tolist() == Dict({'values': answers}).store()['values']
    assert np.abs(stored - answers).max() < 1e-9
