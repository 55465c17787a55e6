"""The bar of a campaign in the foreground follows what its work chains report, whatever their schedule."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.cli.progress import CampaignProgress

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
    assert '9 evaluations' not in out.getvalue()
