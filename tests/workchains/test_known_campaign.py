"""Campaigns that begin with starting data: learned from, not proposed again, charged nothing, and replayed."""

from __future__ import annotations

import csv
import itertools
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from agreement import check_agreement
from aiida import orm
from click.testing import CliRunner

from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.campaign.text.problems import CampaignFileError
from aiida_inversedesign.cli import cli
from aiida_inversedesign.workchains.build import SetupError, build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

CAMPAIGN = """
name: barrels
seed: 3
goal:
  objectives: [{property: toughness, maximize: true, hit: 45}]
space:
  kind: parameters
  variables:
    n: {min: 6, max: 12, step: 2}
    theta: {values: [0, 50, 100, 150, 200], unit: "°"}
    shape: {choices: [round, square]}
known: known.csv
propose: {method: library, library: barrels.csv}
select: {initial: 3, batch: 3}
evaluate: {engine: table, data: barrels.csv, units: {toughness: J}, free_space_gb: 0}
budget: {evaluations: 6}
"""
KNOWN = ('n', 'theta', 'shape', 'toughness (J)')


def write(folder: Path, text: str = CAMPAIGN) -> Path:
    """A campaign file beside the data of 40 designs and starting data: ten of them, and the best."""
    generator = random.Random(1)
    rows = [
        [n, theta, shape, round(50 - (n - 10) ** 2 - (theta - 100) ** 2 / 500 - 8 * (shape == 'square'), 3)]
        for n, theta, shape in itertools.product((6, 8, 10, 12), (0, 50, 100, 150, 200), ('round', 'square'))
    ]
    known = [*generator.sample(rows, 10), [10, 100, 'round', 49.5], [10, 100, 'round', 50.5]]
    for name, heading, found in (('barrels', ('n', 'theta', 'shape', 'toughness'), rows), ('known', KNOWN, known)):
        with (folder / f'{name}.csv').open('w', newline='') as file:
            csv.writer(file).writerows([heading, *found])
    path = folder / 'campaign.yaml'
    path.write_text(text)
    return path


@pytest.fixture(scope='module')
def finished(aiida_profile: Any, tmp_path_factory: Any) -> SimpleNamespace:
    """A campaign with starting data, run to its end."""
    aiida_profile.reset_storage()
    path = write(tmp_path_factory.mktemp('known'))
    node = run_campaign(build_campaign(read_campaign(path)))
    assert node.is_finished_ok, node.exit_message
    return SimpleNamespace(node=node, path=path)


def points(node: Any) -> tuple[list[Any], list[Any]]:
    """The rows of the starting data, and those that the campaign evaluated."""
    rows = node.outputs.table.get_rows()
    return [row for row in rows if row.arm == 'known'], [row for row in rows if row.arm != 'known']


def test_known_points_are_learned_from_and_not_evaluated_again(finished: SimpleNamespace) -> None:
    known, own = points(finished.node)
    assert len(known) == len({row.key for row in known})
    best = next(row for row in known if row.key == 'n=10, theta=100, shape=round')
    assert best.properties['toughness'] == pytest.approx(50)
    assert len(own) == 6
    assert not {row.key for row in own} & {row.key for row in known}
    # there is a surrogate before the first evaluation
    assert all(row.arm == 'acquisition' and 'toughness' in row.predicted for row in own)
    assert finished.node.outputs.table.counts['total'] == 6
    # the file itself is an input of the calculation that made the rows, under its name and without its folder
    [step] = [node for node in finished.node.called_descendants if node.process_label == 'take_known']
    assert step.inputs.known.get_content() == (finished.path.parent / 'known.csv').read_text()
    assert finished.node.inputs.settings['known'] == 'known.csv'


def test_every_reader_shows_them_apart_and_counts_none(finished: SimpleNamespace, tmp_path: Path) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.frames import evaluations, known, read_record
    from aiida_inversedesign.audit.plot import plot_best_so_far
    from aiida_inversedesign.audit.status import describe

    check_agreement(finished.node)
    record, (given, own) = read_record(finished.node.pk), points(finished.node)
    hits = sum(row.hit is True for row in own)
    figures, status = audit(record), describe(finished.node)
    assert figures['evaluations']['total'] == status['used']['evaluations']['value'] == 6
    assert figures['evaluations']['hits'] == status['used']['hits']['value'] == hits
    assert figures['known']['points'] == status['known']['points'] == len(given)
    assert figures['known']['best']['key'] == status['known']['best']['key'] == 'n=10, theta=100, shape=round'
    # random search would not look at them either
    assert figures['enrichment']['base_rate']['n'] == 40 - len(given)
    assert len(evaluations(record)) == 6
    assert set(known(record)['arm']) == {'known'}
    assert plot_best_so_far(figures, tmp_path / 'best.png').stat().st_size > 0
    words = CliRunner().invoke(cli, ['status', str(finished.node.pk)]).output
    assert f'starting data: {len(given)} points of known.csv, not counted; the best is n=10, theta=100' in words


def test_verify_takes_them_again(finished: SimpleNamespace) -> None:
    from aiida_inversedesign.verify.run import is_sound, verify

    report = verify(finished.node)
    assert is_sound(report), (report['findings'], report['different'])
    assert report['by_kind']['known']['identical'] == 1


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_stream_begins_with_them_and_is_resumed_with_them(tmp_path: Path) -> None:
    from aiida_inversedesign.verify.run import is_sound, verify
    from aiida_inversedesign.workchains.resume import resume_campaign

    text = CAMPAIGN.replace('known: known.csv\n', '').replace('batch: 3', 'batch: 2, schedule: asynchronous')
    spec = read_campaign(write(tmp_path, text)).model_copy(update={'known': str(tmp_path / 'known.csv')})
    node = run_campaign(build_campaign(spec))
    assert node.is_finished_ok, node.exit_message
    known, own = points(node)
    assert len(own) == 6
    assert all(row.arm == 'acquisition' for row in own)
    builder, _ = resume_campaign(node, {'evaluations': 8})
    later = run_campaign(builder)
    again, more = points(later)
    assert [row.to_dict() for row in again] == [row.to_dict() for row in known]
    assert len(more) == 8
    check_agreement(later)
    report = verify(later)
    assert is_sound(report), (report['findings'], report['different'])


@pytest.mark.usefixtures('aiida_profile_clean')
def test_what_is_wrong_is_told_before_anything_is_launched(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / 'known.csv').write_text('n,theta,shape,toughness\n10,100,round,"49,5"\n10,120,round,40\n')
    with pytest.raises(SetupError, match=r"line 2: toughness = '49,5' is not a number") as caught:
        build_campaign(read_campaign(path))
    assert 'line 3: theta = 120 is not on its grid' in str(caught.value)
    outside = path.with_name('other.yaml')
    outside.write_text(CAMPAIGN.replace('known.csv', '../known.csv'))
    with pytest.raises(CampaignFileError, match='leads out of the folder'):
        read_campaign(outside)
    result = CliRunner().invoke(cli, ['launch', str(path), '--known', str(tmp_path / 'none.csv')])
    assert result.exit_code == 1
    assert 'none.csv' in result.output
    assert not orm.QueryBuilder().append(orm.ProcessNode).count()
    result = CliRunner().invoke(cli, ['check', str(write(tmp_path)), '--offline'])
    assert 'starting data' in result.output, result.output
