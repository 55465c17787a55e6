"""A campaign whose candidates come from several sources: recorded, counted source by source, and replayed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

ROOT = Path(__file__).parents[2]
SOURCES = {'dissimilarity': 0.4, 'symmetric': 0.3, 'decoration': 0.2, 'substitution': 0.1}


def test_a_mixture_is_recorded_counted_and_replayed(campaign: Any) -> None:
    for package in ('pyxtal', 'icet'):
        pytest.importorskip(package)
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.verify.run import is_sound, verify

    builder, _ = campaign(
        space={'formulas': ['CuAu', 'AlNi'], 'max_sites': 4, 'charge_neutral': 'off'},
        propose={'method': None, 'sources': SOURCES, 'library': 'metals', 'top_k': 6},
        budget={'evaluations': 4},
    )
    node = run_campaign(builder)
    pool = node.outputs.pool.get_candidates()
    assert {item.proposer for item in pool if item.content is not None} >= {'symmetric', 'decoration'}
    found = {entry['proposer'] for entry in audit(load_record(node))['by_proposer']}
    assert found == {item.proposer for item in pool if item.accepted}
    report = verify(node)
    assert is_sound(report), report
    assert report['by_kind']['proposal']['identical'] == 1


def test_a_source_whose_package_is_missing_is_told_before_the_launch(
    campaign: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiida_inversedesign.workchains.build import SetupError

    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name, *rest: None if name == 'pyxtal' else there(name, *rest)
    )
    space = {'formulas': ['CuAu'], 'charge_neutral': 'off'}
    for propose, where in (
        ({'method': 'symmetric'}, 'propose.method'),
        ({'method': None, 'sources': {'cspml': 1, 'symmetric': 1}}, 'propose.sources'),
    ):
        with pytest.raises(SetupError) as caught:
            campaign(space=space, propose=propose)
        expected = f'{where}: symmetric needs the package pyxtal: pip install "aiida-inversedesign[symmetry]"'
        assert expected in caught.value.problems


def test_check_shows_the_shares() -> None:
    from aiida_inversedesign.cli import cli

    path = str(ROOT / 'workflows' / 'new_structures.yaml')
    told = CliRunner().invoke(cli, ['check', path, '--offline'], env={'COLUMNS': '200'})
    expected = (
        'cspml 40 % (4), decoration 20 % (2), colouring 20 % (2), symmetric 10 % (1), substitution 10 % (1) '
        'of 10 crystals a formula from aflow'
    )
    assert expected in told.output
    plan = json.loads(CliRunner().invoke(cli, ['check', path, '--offline', '--format', 'json']).output)
    assert plan['sources']['symmetric'] == {'share': 0.1, 'slots': 1}


def test_few_places_leave_sources_out_and_check_says_so() -> None:
    from aiida_inversedesign.cli.checks.plan import plan

    data = {
        'name': 'few',
        'goal': {'objectives': [{'property': 'lattice_constant', 'target': 3.6, 'tolerance': 0.1}]},
        'space': {'formulas': ['CuAu']},
        'propose': {'sources': SOURCES, 'top_k': 2},
        'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'plain'},
        'budget': {'evaluations': 2},
    }
    remarks = plan(validate_campaign(data), False)['remarks']
    assert any('decoration and substitution' in text and 'at least 4' in text for text in remarks)


def test_check_says_that_shares_are_learned(tmp_path: Path) -> None:
    from aiida_inversedesign.cli import cli

    text = (ROOT / 'workflows' / 'new_structures.yaml').read_text()
    lines = [
        '  sources: [cspml, decoration]\n  renew: 2' if 'sources: {' in line else line for line in text.splitlines()
    ]
    path = tmp_path / 'learned.yaml'
    path.write_text('\n'.join(lines))
    told = CliRunner().invoke(cli, ['check', str(path), '--offline'], env={'COLUMNS': '200'})
    assert 'at first cspml 50 % (5), decoration 50 % (5) of 10 crystals a formula' in told.output


def test_learned_shares_are_replayed(campaign: Any) -> None:
    for package in ('pyxtal', 'icet'):
        pytest.importorskip(package)
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.paper.facts import Facts
    from aiida_inversedesign.paper.methods import methods
    from aiida_inversedesign.verify.run import is_sound, verify

    builder, _ = campaign(
        space={'elements': ['Cu', 'Au', 'Al', 'Ni'], 'ratios': ['1', '1:1'], 'max_sites': 4, 'max_formulas': 2,
               'charge_neutral': 'off'},
        propose={'method': None, 'sources': 'auto', 'library': 'metals', 'top_k': 8, 'renew': 2},
        select={'initial': 2, 'batch': 1},
        budget={'evaluations': 4},
    )  # fmt: skip
    node = run_campaign(builder)
    pool = node.outputs.pool.get_candidates()
    assert {item.id[:4] for item in pool} >= {'g001', 'g002'}
    assert {item.proposer for item in pool if item.content is not None} >= {'symmetric', 'decoration'}
    report = verify(node)
    assert is_sound(report), report
    assert report['by_kind']['proposal']['identical'] >= 2
    record = load_record(node)
    assert 'Thompson sampling' in methods(Facts(record, audit(record)))
