"""The bar of a campaign in the foreground follows what its work chains report, whatever their schedule."""

from __future__ import annotations

import io
import logging
import re

import pytest
from rich.console import Console

from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.cli.progress import CampaignProgress, shown_steps

SPEC = CampaignSpec.model_validate(
    {
        'name': 'bar',
        'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 300.0}]},
        'space': {'elements': ['B', 'N'], 'ratios': ['1:1']},
        'evaluate': {'engine': 'table', 'data': 'x'},
        'budget': {'evaluations': 20},
    }
)


@pytest.mark.parametrize(
    'report',
    [
        '[12|GenerationWorkChain|inspect_evaluations]: evaluations: 7, failed: 1, distinct hits: 3',
        '[12|AsynchronousWorkChain|harvest]: harvested g001_c0002: evaluations: 7, failed: 1, distinct hits: 3',
    ],
    ids=['generations', 'asynchronous'],
)
def test_a_harvest_moves_the_bar(report):
    out = io.StringIO()
    with CampaignProgress(SPEC, Console(file=out, width=120), done=2) as progress:
        assert progress.bar.tasks[0].completed == 2
        logging.getLogger('aiida.orm.nodes').warning(report)
        logging.getLogger('aiida.orm.nodes').warning(
            '[13|PwBaseWorkChain|run]: evaluations: 9, failed: 0, distinct hits: 9'
        )
    assert progress.bar.tasks[0].completed == 7
    assert progress.bar.tasks[0].fields['found'] == 'hits: 3'
    assert 'evaluations: 7, failed: 1, distinct hits: 3' in out.getvalue()
    assert 'PwBaseWorkChain' not in out.getvalue()
    assert 'evaluations: 9' not in out.getvalue()


def test_without_a_terminal_steps_are_lines_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_steps(between=0.0) as report:
        report('training ours: network 2', 0.25)
    printed = capsys.readouterr()
    assert printed.out == ''
    assert re.fullmatch(r'\d\d:\d\d:\d\d training ours: network 2 25 %\n', printed.err)
    with shown_steps() as report:
        report('training', 0.5)
    assert capsys.readouterr().err == ''
