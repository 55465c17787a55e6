"""What a reader must know of the settings stands in audit, report and methods; without DFT there are no costs in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_record import made_record

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.cli.audit import show_reports
from aiida_inversedesign.paper.facts import Facts
from aiida_inversedesign.paper.methods import methods
from aiida_inversedesign.report.html import render

SAYS = 'Fe and Ni may carry magnetic moments, which calculations without spin polarisation leave out'


def record_of(keys: tuple[str, ...], **evaluate: Any) -> CampaignRecord:
    """A campaign with pw.x that evaluated these formulas."""
    record = made_record(8)
    settings = record.settings.model_dump(mode='json')
    settings['evaluate'] |= evaluate
    evaluations = tuple(replace(item, key=keys[place % len(keys)]) for place, item in enumerate(record.evaluations))
    return replace(record, settings=CampaignSettings.model_validate(settings), evaluations=evaluations)


def test_magnetic_elements_are_named_wherever_results_are_shown() -> None:
    record = record_of(('NiO', 'FeO', 'BN'))
    figures = audit(record, 'none')
    (remark,) = figures['remarks']
    assert remark.startswith(SAYS)
    assert f'{remark}.' in render(record, figures)
    assert f'{remark}.' in methods(Facts(record, figures))


@pytest.mark.parametrize(('keys', 'evaluate'), [(('BN', 'SiC'), {}), (('FeO',), {'spin': True})])
def test_there_is_nothing_to_say(keys: tuple[str, ...], evaluate: dict[str, Any]) -> None:
    assert audit(record_of(keys, **evaluate), 'none')['remarks'] == []


def test_without_dft_nothing_is_counted_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    figures = audit(made_record(12, jobs=False), 'none')
    assert figures['evaluations']['hits'] > 0
    assert figures['dft_calculations']['total'] == 0
    assert figures['dft_per_hit'] is None
    assert figures['dft_per_hit_reason'] == 'no DFT calculation was made'
    assert figures['cost_per_hit_intervals']['dft_calculations'] is None
    show_reports(figures)
    text = capsys.readouterr().out
    assert '0 DFT' not in text
    assert 'after 0' not in text
