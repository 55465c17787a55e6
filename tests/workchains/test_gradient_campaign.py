"""Campaigns whose points are found by climbs along the gradient of the acquisition: recorded, counted, replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import check_agreement
from click.testing import CliRunner

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.load import load_record
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.cli import cli
from aiida_inversedesign.engines.external.questions import Questions
from aiida_inversedesign.engines.external.reading import Answered, answer_of_words
from aiida_inversedesign.engines.external.recording import record
from aiida_inversedesign.processes import timed_wait
from aiida_inversedesign.verify.run import is_sound, verify
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

#: Every kind of variable, a mixture and a constraint: each step of a climb is projected on them.
SPACE = {
    'kind': 'parameters',
    'variables': {
        'a': {'min': 0, 'max': 1},
        'b': {'min': 0, 'max': 1},
        'time': {'min': 1, 'max': 100, 'scale': 'log'},
        'passes': {'min': 1, 'max': 5, 'step': 1},
        'gas': {'choices': ['argon', 'air']},
    },
    'mixtures': [{'variables': ['a', 'b']}],
    'constraints': [{'weights': {'a': 1}, 'max': 0.9}],
    'samples': 64,
}


def measured(values: Any) -> float:
    """Highest at a = 0.6, 20 minutes, 3 passes, in argon: 10."""
    found = 10 - 20 * (values['a'] - 0.6) ** 2 - 4 * (np.log10(values['time']) - 1.3) ** 2
    return float(found - 0.2 * (values['passes'] - 3) ** 2 - 2 * (values['gas'] == 'air'))


@pytest.fixture
def laboratory(aiida_profile_clean: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers whatever waits."""
    monkeypatch.setattr(timed_wait, 'FIRST', 0.02)
    look = timed_wait.TimedWaitWorkChain._look

    def answered_before(process: Any) -> None:
        questions = Questions(process.node.caller.caller)
        for item in questions.open():
            words = [f'strength={measured(questions.node(item["candidate"])["values"])}']
            record(questions, Answered(item['candidate'], answer_of_words(words, questions.units)))
        look(process)

    monkeypatch.setattr(timed_wait.TimedWaitWorkChain, '_look', answered_before)


@pytest.mark.slow
@pytest.mark.usefixtures('laboratory')
@pytest.mark.parametrize(
    ('surrogate', 'acquisition', 'schedule', 'how'),
    [
        ('gp', 'log_ei', 'generations', 'own gradient'),
        ('forest', 'ucb', 'generations', 'differences'),
        ('gp', 'ucb', 'asynchronous', 'own gradient'),
    ],
)
def test_climbs_are_recorded_counted_and_replayed(
    surrogate: str, acquisition: str, schedule: str, how: str, tmp_path: Path
) -> None:
    spec = validate_campaign(
        {
            'name': 'climbs',
            'seed': 3,
            'goal': {'objectives': [{'property': 'strength', 'maximize': True}]},
            'space': SPACE,
            'propose': {'method': 'gradient'},
            'select': {'acquisition': acquisition, 'initial': 6, 'batch': 2, 'schedule': schedule},
            'learn': {'surrogate': surrogate},
            'evaluate': {'engine': 'external', 'units': {'strength': 'MPa'}},
            'budget': {'evaluations': 14},
        }
    )
    node = run_campaign(build_campaign(spec))
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    pool, rows = node.outputs.pool.get_candidates(), node.outputs.table.get_rows()
    assert {item.generator for item in pool} == {'sobol', how}
    assert {item.generator for item in pool if item.id.startswith('g001')} == {'sobol'}
    assert all(item.content is not None and spec.space.violation(item.content) == '' for item in pool)
    climbed = {item.id for item in pool if item.generator == how}
    assert climbed & {row.candidate for row in rows}, 'no end of a climb was chosen'
    if surrogate == 'gp':
        initial = max(row.properties['strength'] for row in rows if row.arm == 'initial')
        assert max(row.properties['strength'] for row in rows if row.candidate in climbed) > initial

    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])
    assert report['by_kind']['proposal']['identical'] > 1
    for kind in report['by_kind'].values():
        assert kind['identical'] + kind['within_tolerance'] == kind['decisions'], report['by_kind']

    shares = {item['generator']: item['evaluations']['total'] for item in audit(load_record(node))['by_generator']}
    assert shares[how] == len(climbed & {row.candidate for row in rows})
    result = CliRunner().invoke(cli, ['paper', str(node.pk), '-o', str(tmp_path / 'p'), '--no-archive'])
    assert result.exit_code == 0, result.output
    text = (tmp_path / 'p' / 'methods.md').read_text(encoding='utf-8')
    assert 'climbs of the acquisition by its gradient' in text
