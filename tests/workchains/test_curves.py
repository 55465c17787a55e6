"""Campaigns that search by numbers of curves: looked up, stored as arrays, audited and verified."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from agreement import check_agreement

from aiida_inversedesign.campaign.curves.curve import Axis, Curve
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template

CAMPAIGN = """
name: hills
seed: 3
goal:
  objectives: [{property: dos, functional: first_moment, range: [1, 9], minimize: true, hit: 4.5}]
  constraints: [{property: dos, functional: value, at: 5.0, max: 0.9}]
propose: {method: library, library: hills}
select: {initial: 5, batch: 3}
evaluate:
  engine: table
  data: hills
  functions: {dos: {unit: 1/eV, axis: energy, axis_unit: eV, first: 0, last: 10}}
  free_space_gb: 0
budget: {evaluations: 11}
"""
FIRST = 'dos_first_moment_1_to_9'


def library() -> Library:
    """Rocksalt crystals whose hill moves with the lattice constant."""
    sites = [[0, 0, 0], [0.5, 0.5, 0.5]]
    half = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    templates = []
    for cation in ('Li', 'Na', 'K', 'Rb', 'Cs'):
        for anion in ('F', 'Cl', 'Br', 'I', 'H'):
            length = 3.5 + len(templates) * 0.15
            values = np.exp(-0.5 * (np.linspace(0, 10, 41) - length) ** 2)
            crystal = Crystal(half * length, (cation, anion), np.array(sites, dtype=float))
            templates.append(
                Template(cation + anion, crystal, 'made up', 'CC0', curves={'dos': tuple(values.tolist())})
            )
    return Library(templates)


def written(folder: Path, text: str = CAMPAIGN) -> Path:
    path = folder / 'campaign.yaml'
    path.write_text(text)
    return path


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_campaign_searches_by_a_number_of_a_curve(tmp_path: Path) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.curves import inside, residuals, tested
    from aiida_inversedesign.audit.explanation import explanation
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.nodes.curves import curves_of
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.paper.facts import Facts
    from aiida_inversedesign.paper.tables import write_tables
    from aiida_inversedesign.report.html import render
    from aiida_inversedesign.verify.run import is_sound, verify
    from aiida_inversedesign.workchains.build import SetupError, build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    LibraryData.from_library(library(), label='hills').store()
    with pytest.raises(SetupError, match=r"has a list 'spectrum'; it has dos"):
        build_campaign(read_campaign(written(tmp_path, CAMPAIGN.replace('dos', 'spectrum'))))
    node = run_campaign(build_campaign(read_campaign(written(tmp_path))))
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    rows = node.outputs.table.get_rows()
    assert len(rows) == 11
    assert any(row.hit for row in rows)
    for row in rows:
        assert set(row.properties) >= {FIRST, 'dos_value_at_5'}
    evaluations = [child for child in node.called_descendants if child.process_label == 'TableEvaluateWorkChain']
    (curve,) = curves_of(evaluations[0].outputs.curves).values()
    assert (curve.name, curve.unit, curve.axis.name, curve.axis.unit, len(curve.grid)) == (
        'dos',
        '1/eV',
        'energy',
        'eV',
        41,
    )
    found = evaluations[0].outputs.properties.get_dict()
    assert found[FIRST]['unit'] == 'eV'
    assert found['dos_value_at_5']['value'] == pytest.approx(curve.at(5.0)[0])
    for row in rows:
        assert row.curves['dos'].at(5.0)[0] == pytest.approx(row.properties['dos_value_at_5'])
    surrogate = node.outputs.surrogate.get_surrogate()
    assert surrogate.curves['dos'].kind == 'krfd'
    assert 'curves' in surrogate.record[FIRST]['candidates']
    record = load_record(node)
    assert len(record.curves) == 11
    found = tested(record.curves, 'dos')
    assert len(found) == 6
    chosen = [item for item in record.evaluations if item.candidate == found[0].candidate]
    assert chosen[0].arm == 'acquisition'
    assert residuals(found)[1].shape == inside(found)[1].shape == (6, 41)
    page = render(record, audit(record))
    assert 'plot-curve-residual-0' in page
    assert 'download="curves.csv"' in page
    (folder := tmp_path / 'tables').mkdir()
    write_tables(Facts(record, audit(record)), folder)
    lines = (folder / 'curves.csv').read_text().splitlines()
    assert lines[0] == 'candidate,key,property,unit,axis,axis_unit,point,computed,predicted,low80,high80'
    assert len(lines) == 1 + 41 * sum(bool(row.hit) for row in rows)
    assert record.units == {FIRST: 'eV', 'dos_value_at_5': '1/eV'}
    assert audit(record)['evaluations']['total'] == 11
    # models of curves are fitted again with the curves of the rows that each refit knows
    explained = explanation(node)['models'][FIRST]
    assert explained['rows'] == 11
    assert len(explained['importances']) > 1
    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])


@pytest.mark.usefixtures('aiida_profile_clean')
@pytest.mark.slow
def test_curves_are_learned_with_the_asynchronous_schedule(tmp_path: Path) -> None:
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.verify.run import is_sound, verify
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    LibraryData.from_library(library(), label='hills').store()
    text = (
        CAMPAIGN.replace('batch: 3', 'batch: 2, schedule: asynchronous') + 'learn: {surrogate: curves, curves: krfd}\n'
    )
    node = run_campaign(build_campaign(read_campaign(written(tmp_path, text))))
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.surrogate.models == {FIRST: 'curves', 'dos_value_at_5': 'curves'}
    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])


@pytest.mark.usefixtures('aiida_profile_clean')
@pytest.mark.slow
@pytest.mark.parametrize('curves', [0, 6])
def test_starting_data_may_have_curves_or_numbers_alone(tmp_path: Path, curves: int) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.report.html import render
    from aiida_inversedesign.verify.run import is_sound, verify
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    made = library()
    LibraryData.from_library(made, label='hills').store()
    lines = []
    for place, item in enumerate(list(made)[::2][:12]):
        own = Curve.of('dos', np.linspace(0, 10, 41), item.curves['dos'], Axis('energy', 'eV'), '1/eV')
        crystal = {name: item.crystal.to_dict()[name] for name in ('lattice', 'species', 'frac_coords')}
        numbers = {FIRST: Functional.of('first_moment', range=(1, 9)).of_curve(own), 'dos_value_at_5': own.at(5.0)[0]}
        lines.append(json.dumps({**crystal, **({'dos': list(item.curves['dos'])} if place < curves else numbers)}))
    (tmp_path / 'known.jsonl').write_text('\n'.join(lines))
    text = CAMPAIGN + 'known: known.jsonl\nlearn: {surrogate: curves, curves: krfd}\n'
    node = run_campaign(build_campaign(read_campaign(written(tmp_path, text))))
    assert node.is_finished_ok, node.exit_message
    check_agreement(node)
    rows = node.outputs.table.get_rows()
    known, own_rows = rows[:12], rows[12:]
    assert [row.arm for row in known] == ['known'] * 12
    assert sum('dos' in row.curves for row in known) == curves
    assert all(
        row.properties['dos_value_at_5'] == pytest.approx(row.curves['dos'].at(5.0)[0]) for row in known[:curves]
    )
    # without a curve there is nothing to choose by yet
    assert {row.arm for row in own_rows if row.generation == 1} == {'acquisition' if curves else 'initial'}
    assert {row.arm for row in own_rows if row.generation > 1} == {'acquisition'}
    surrogate = node.outputs.surrogate.get_surrogate()
    assert surrogate.record[FIRST]['rows_without_curve'] == 12 - curves
    assert len(surrogate.models[FIRST].y) == 12 + len(own_rows)
    record = load_record(node)
    page = render(record, audit(record))
    assert f'{12 - curves} of 12 points of the starting data have {FIRST} without the curve dos' in page
    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])
    assert report['by_kind']['known']['identical'] == 1


def test_a_library_keeps_lists_as_curves() -> None:
    made = library()
    again = Library.from_bytes(made.to_bytes())
    assert again[3].curves == made[3].curves
    assert again.content_hash == made.content_hash
    plain = Library([Template(item.id, item.crystal, item.source, item.license) for item in made])
    assert plain.content_hash != made.content_hash
    assert all(not item.curves for item in Library.from_bytes(plain.to_bytes()))


def test_lists_of_numbers_are_imported_and_others_are_not(tmp_path: Path) -> None:
    from aiida_inversedesign.libraries.values import curves_of

    fields = {
        'dos': [0, 1, 2.5, 3, 4], 'vector': [1, 2, 3], 'words': ['a'] * 9, 'holes': [1, None, 2, 3, 4],
        'species': [1] * 9, 'flags': [True] * 9, 'nan': [float('nan')] * 9, 'table': [[1, 2]] * 9,
    }  # fmt: skip
    assert curves_of(json.loads(json.dumps(fields)), frozenset({'species'})) == {'dos': (0, 1, 2.5, 3, 4)}
