"""The audit's table says why a figure is not known, in a campaign without jobs' records and without a hit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.record import CampaignRecord, EvaluationRecord
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.cli.audit import show_reports


def record_of(constraint: float, **changes: Any) -> CampaignRecord:
    """Two completed evaluations with a density of 5 g/cm³, of which so much at most is allowed."""
    from datetime import UTC, datetime

    goal = {
        'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 1e4}],
        'constraints': [{'property': 'density', 'max': constraint}],
    }
    done = EvaluationRecord('c1', 'BN', 1, 'completed', hit=False, properties={'bulk_modulus': 300.0, 'density': 5.0})
    evaluate = {'engine': 'ase', 'code': 'python@localhost'}
    space = {'elements': ['B', 'N'], 'ratios': ['1:1']}
    settings = CampaignSettings.model_validate({'name': 'words', 'goal': goal, 'space': space, 'evaluate': evaluate})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    record = CampaignRecord(
        1, 'a' * 36, 'words', 'finished', 0, None, 'done', now, now, (), settings, {},
        None, None, {}, (), (), (done, replace(done, candidate='c2')), (), (),
    )  # fmt: skip
    return replace(record, **changes)


@pytest.mark.parametrize(('most', 'words'), [(6.0, 'c2'), (4.0, 'none of the 2 completed evaluations keeps the cons')])
def test_a_best_that_breaks_the_constraints_is_none(most: float, words: str, capsys: Any) -> None:
    show_reports(audit(record_of(most), 'none'))
    shown = capsys.readouterr().out
    assert words in shown
    assert 'no evaluation has completed' not in shown


def test_costs_that_are_not_known_say_why(capsys: Any) -> None:
    show_reports(audit(record_of(6.0), 'none'))
    shown = ' '.join(capsys.readouterr().out.replace('│', ' ').split())
    assert 'DFT calculations per distinct hit not known: no hit so far' in shown


def test_units_have_raised_exponents_and_a_missing_interval_its_reason(capsys: Any) -> None:
    figures = audit(record_of(6.0), 'none')
    assert figures['campaign']['units']['density'] == 'g/cm^3'
    figures['diversity'] |= {'value': 0.4, 'n': 2, 'interval_reason': 'a single pair has no spread'}
    show_reports(figures)
    shown = capsys.readouterr().out
    assert 'g/cm³' in ''.join(shown.split())
    assert shown.count('no interval for diversity: a single pair has no spread') == 1


def test_a_wide_table_breaks_headings_between_words(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv('COLUMNS', '80')
    figures = audit(record_of(6.0), 'none')
    figures['best'][0] |= {'prototype': 'A_hP4_194_f', 'space_group': {'symbol': 'P6_3/mmc'}, 'polymorphs': 2}
    figures['best'][0]['e_above_polymorph'] = 0.0
    show_reports(figures)
    shown = capsys.readouterr().out
    table = shown[shown.index('best crystals') :]
    assert {'bulk', 'modulus', '(GPa)', 'P6_3/mmc'} <= set(table.split())
    assert max(map(len, table.splitlines())) <= 80


def test_names_of_properties_are_words() -> None:
    named = [property_text(name) for name in ('homo_lumo_gap', 'bulk_modulus')]
    assert named == ['HOMO–LUMO gap', 'bulk modulus']
    assert property_text('density', 'g/cm^3') == 'density (g/cm³)'
