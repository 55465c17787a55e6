"""``verify`` and ``report`` of campaigns that found nothing, failed, never began, or are not there to be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import call

from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.foreground import run_campaign

THREE = {'select': {'initial': 3, 'batch': 2}, 'budget': {'evaluations': 3}}
#: Sections of a campaign, its evaluations, and what its page says.
STATES = {
    'no hit': (
        THREE | {'goal': {'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 1e6}]}},
        3,
        'No crystal meets the goal',
    ),
    'all failed': (THREE | {'evaluate': {'fail_fraction': 1.0}}, 3, 'No evaluation has completed: 3 failed.'),
    'empty': (THREE | {'space': {'formulas': ['XeHe']}}, 0, 'Nothing has been evaluated'),
}


@pytest.mark.parametrize(
    'name', [pytest.param(name, marks=[] if name == 'all failed' else [pytest.mark.slow]) for name in STATES]
)
def test_what_can_be_said_is_said(campaign: Any, tmp_path: Path, name: str) -> None:
    sections, evaluations, words = STATES[name]
    node = run_campaign(campaign(**sections)[0])
    report = verify(node)
    assert is_sound(report), report
    assert report['decisions'] == report['identical']
    assert report['evaluations']['calculations'] == report['evaluations']['identical'] == evaluations
    path = tmp_path / 'page.html'
    assert call('report', node.pk, '-o', path).exit_code == 0
    page = path.read_text()
    assert words in page


def test_a_running_and_an_interrupted_campaign(campaign: Any) -> None:
    """What is there so far is verified: no stop reason is missed."""
    from aiida.common.links import LinkType
    from aiida.orm import Dict, WorkChainNode

    builder, _ = campaign(**THREE)
    for state in ('running', 'killed', 'excepted'):
        node = WorkChainNode(process_type='aiida.workflows:inversedesign.campaign')
        for label in ('settings', 'budget', 'library'):
            value = builder[label]
            value = value if hasattr(value, 'store') else Dict(dict(value))
            node.base.links.add_incoming(value.store(), LinkType.INPUT_WORK, label)
        node.set_process_state(state)
        node.store()
        report = verify(node)
        assert is_sound(report), report
        assert report['decisions'] == 0


@pytest.mark.parametrize('command', ['verify', 'report'])
def test_what_cannot_be_read_is_told(command: str, aiida_profile_clean: Any, tmp_path: Path) -> None:
    from aiida.orm import Int

    number = Int(1).store()
    cut = tmp_path / 'cut.aiida'
    cut.write_bytes(b'PK\x03\x04' + b'0' * 200)
    text = tmp_path / 'text.aiida'
    text.write_text('no archive')
    for arguments, words in (
        ((number.pk,), 'not a campaign'),
        ((987654,), 'there is no campaign 987654'),
        ((), 'name a campaign'),
        (('--archive', cut), str(cut)),
        (('--archive', text), str(text)),
        (('--archive', tmp_path / 'missing.aiida'), 'missing.aiida'),
    ):
        result = call(command, *arguments)
        assert result.exit_code == 1, result.output
        assert words in result.output.replace('\n', ''), result.output
        assert 'Traceback' not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ['cut.aiida', 'text.aiida']
