"""DataFrames of a campaign and ``node.tools``, against the audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_record import made_record

from aiida_inversedesign.audit import frames
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.tools import CampaignTools


def test_the_node_finds_its_tools(resumed: Any) -> None:
    from aiida.orm import load_node

    _, first, second = resumed
    # the class is found by the entry point of the same name as the process's
    tools = load_node(second.pk).tools
    assert type(tools) is CampaignTools
    assert len(tools.evaluations()) == 5
    assert len(load_node(first.pk).tools.evaluations()) == 4


def test_tables_agree_with_the_audit(resumed: Any) -> None:
    _, _, second = resumed
    tools = CampaignTools(second)
    report, evaluations, jobs = tools.audit(), tools.evaluations(), tools.jobs()
    assert evaluations['status'].value_counts().to_dict() == {'completed': 4, 'failed': 1}
    assert len(tools.hits()) == report['evaluations']['hits'] == 2
    assert list(tools.hits()['bulk_modulus']) == [372.0, 433.0]
    assert evaluations['dft_calculations'].sum() == report['dft_calculations']['total']
    real = jobs[jobs.is_dft & ~jobs.cached]
    assert len(real) == report['dft_calculations']['total']
    assert real.is_restart.sum() == report['dft_calculations']['restarts']
    assert real.is_reference.sum() == report['dft_calculations']['references']
    assert real.core_hours.sum() == pytest.approx(report['core_hours'])
    assert jobs.cached.sum() == report['dft_calculations']['cached']
    assert (jobs[jobs.cached].core_hours == 0).all()
    assert list(tools.best(2)['candidate']) == [item['candidate'] for item in report['best'][:2]]
    considered = tools.candidates()
    assert considered.accepted.mean() == report['validity']['value']
    assert list(considered[~considered.accepted].rejected_by) == ['distance']
    assert tools.status()['used']['evaluations']['value'] == 5


def test_units_stand_beside_the_columns(resumed: Any) -> None:
    tools = CampaignTools(resumed[2])
    evaluations = tools.evaluations()
    units = evaluations.attrs['units']
    assert units['bulk_modulus'] == units['bulk_modulus_predicted'] == units['bulk_modulus_predicted_std'] == 'GPa'
    assert evaluations.attrs['campaign'] == resumed[2].uuid
    assert set(units) <= set(evaluations.columns)
    # a table without rows has the same columns
    record = tools.record()
    assert list(frames.best(record, 0).columns) == list(evaluations.columns)
    row = evaluations.set_index('candidate').loc['g001_c0003']
    assert (row.bulk_modulus_predicted, row.bulk_modulus_predicted_std) == (130.0, 9.0)


def test_generations_count_each_evaluation_once(resumed: Any) -> None:
    table = CampaignTools(resumed[2]).generations()
    # the second generation was interrupted and taken up again
    assert list(table.number) == [1, 2, 2]
    assert table.evaluations.sum() == 5
    assert table.hits.sum() == 2


def test_the_record_of_an_archive_gives_the_same_tables(resumed: Any, tmp_path: Path) -> None:
    from aiida.tools.archive import create_archive
    from pandas.testing import assert_frame_equal

    _, _, second = resumed
    archive = tmp_path / 'campaign.aiida'
    _seal_all()
    create_archive([resumed[1], second], filename=archive)
    uuid = second.uuid
    here = frames.read_record(uuid)
    there = frames.read_record(archive)
    assert there.uuid == uuid
    for table in (frames.evaluations, frames.jobs, frames.candidates, frames.generations):
        expected, found = table(here), table(there)
        keys = [name for name in expected.columns if name != 'pk']  # PKs are new in an archive
        assert_frame_equal(expected[keys], found[keys], check_dtype=False)
        assert expected.attrs == found.attrs


def _seal_all() -> None:
    """End every process: AiiDA exports only sealed ones."""
    from aiida.orm import ProcessNode, QueryBuilder

    for node in QueryBuilder().append(ProcessNode).all(flat=True):
        if not node.is_sealed:
            node.seal()


def test_what_a_data_set_has_beside_the_goal_is_in_no_unit_of_ours() -> None:
    """The data set's volume may be that of a cell; asked for by the goal, or declared, its unit is known."""
    table = {'engine': 'table', 'data': 'elastic', 'units': {'stiffness': 'GPa'}}
    record = made_record(3)
    settings = CampaignSettings.model_validate({**record.settings.model_dump(mode='json'), 'evaluate': table})
    looked_up = replace(record, settings=settings)
    assert frames.property_unit(record, 'volume') == 'Å^3/atom'
    assert frames.property_unit(looked_up, 'volume') == ''
    assert frames.property_unit(looked_up, 'bulk_modulus') == 'GPa'
    assert frames.property_unit(looked_up, 'stiffness') == 'GPa'


def test_no_job_ends_after_its_evaluation() -> None:
    """The cache marks jobs of failed evaluations at the harvest, long after they ended."""
    record = made_record(4, fail=1.0)
    ended = record.evaluations[0].ended
    assert ended is not None
    marked = replace(record.jobs[1], changed=ended + timedelta(hours=2))
    shown = frames.jobs(replace(record, jobs=(record.jobs[0], marked)))
    assert list(shown['changed']) == [record.jobs[0].changed, ended]
    assert frames.job_end(replace(marked, state='waiting'), {marked.evaluation_id: ended}) is None
