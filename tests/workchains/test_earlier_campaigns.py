"""Campaigns that learn from earlier ones: of another space, by PK and from an archive, recorded and replayed."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from agreement import check_agreement
from aiida import orm
from click.testing import CliRunner

from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.cli import cli
from aiida_inversedesign.verify.run import is_sound, verify
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

CAMPAIGN = """
name: {name}
seed: 3
goal:
  objectives: [{{property: toughness, maximize: true, hit: 45}}]
space:
  kind: parameters
  variables:
    n: {{values: [6, 8, 10, 12]}}
    theta: {{values: {angles}, unit: "°"}}
propose: {{method: library, library: barrels.csv}}
select: {{initial: 4, batch: 3}}
learn: {{from: {earlier}}}
evaluate: {{engine: table, data: barrels.csv, units: {{toughness: {unit}}}, free_space_gb: 0}}
budget: {{evaluations: {evaluations}}}
"""
#: Angles of the earlier and of the later campaign: no point is in both.
EARLIER, LATER = list(range(0, 210, 30)), list(range(10, 210, 20))


def toughness(n: float, theta: float) -> float:
    return round(50 - (n - 10) ** 2 - (theta - 110) ** 2 / 500, 3)


def write(folder: Path, earlier: list[Any], name: str = 'later', evaluations: int = 16, **changes: str) -> Path:
    """A campaign file beside the data of its designs."""
    angles = EARLIER if name == 'earlier' else LATER
    with (folder / 'barrels.csv').open('w', newline='') as file:
        rows = [[n, theta, toughness(n, theta)] for n, theta in itertools.product((6, 8, 10, 12), angles)]
        csv.writer(file).writerows([['n', 'theta', 'toughness'], *rows])
    path = folder / f'{name}.yaml'
    given = {'name': name, 'angles': angles, 'earlier': earlier, 'evaluations': evaluations, 'unit': 'J', **changes}
    path.write_text(CAMPAIGN.format(**given))
    return path


def run(path: Path) -> Any:
    node = run_campaign(build_campaign(read_campaign(path)))
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture(scope='module')
def campaigns(aiida_profile: Any, tmp_path_factory: Any) -> SimpleNamespace:
    """A campaign, its archive, one that learned from it, and one that did not."""
    aiida_profile.reset_storage()
    folder = tmp_path_factory.mktemp('earlier')
    first = run(write(folder, [], 'earlier', 20))
    archive = folder / 'earlier.aiida'
    from aiida.tools.archive import create_archive

    create_archive([first], filename=archive)
    return SimpleNamespace(
        folder=folder,
        first=first,
        archive=archive,
        later=run(write(folder, [first.pk])),
        alone=run(write(folder, [])),
    )


def test_it_starts_where_the_earlier_one_ended(campaigns: SimpleNamespace) -> None:
    def hits(node: Any) -> int:
        return sum(bool(row.hit) for row in node.outputs.table.get_rows()[:7])

    assert hits(campaigns.later) > hits(campaigns.alone)
    [choose, *_] = [node for node in campaigns.later.called_descendants if node.process_label == 'select_batch']
    choices = choose.outputs.batch['choices']
    assert [item['acquisition'] for item in choices] == ['transfer', 'transfer', 'spread', 'spread']
    # the best of what it says is near the best there is
    assert {row.hit for row in campaigns.later.outputs.table.get_rows()[:2]} == {True}


def test_the_earlier_nodes_are_linked_and_named_by_uuid(campaigns: SimpleNamespace) -> None:
    node, first = campaigns.later, campaigns.first
    given = node.inputs.campaigns
    assert given.table_01.uuid == first.outputs.table.uuid
    assert given.settings_01.uuid == first.inputs.settings.uuid
    assert node.inputs.settings['learn']['from'] == [{'campaign': first.uuid, 'property': None}]
    fits = [item for item in node.called_descendants if item.process_label == 'fit_surrogate']
    assert fits
    assert all(item.inputs.campaigns.table_01.uuid == given.table_01.uuid for item in fits)


def test_how_much_it_helped_is_recorded_at_each_update(campaigns: SimpleNamespace) -> None:
    record = campaigns.later.outputs.surrogate.get_surrogate().record['toughness']['earlier']
    [task] = record['campaigns']
    assert task['campaign'] == campaigns.first.uuid
    assert len(task['rows']) == 20
    assert task['reason'] == 'points with the variables n, theta in both, described alike; toughness in J in both'
    assert record['mae'] < record['mae_without']
    assert record['n'] >= 10


def test_decisions_and_inputs_are_verified(campaigns: SimpleNamespace) -> None:
    check_agreement(campaigns.later)
    report = verify(campaigns.later)
    assert is_sound(report), (report['findings'], report['different'])


@pytest.mark.usefixtures('aiida_profile')
def test_an_archive_is_imported_and_its_nodes_are_linked(campaigns: SimpleNamespace, aiida_profile: Any) -> None:
    folder, uuid = campaigns.folder, campaigns.first.uuid
    rows = [row.to_dict() for row in campaigns.later.outputs.table.get_rows()]
    aiida_profile.reset_storage()
    path = write(folder, ['earlier.aiida'])
    result = CliRunner().invoke(cli, ['launch', str(path)])
    assert result.exit_code == 0, result.output
    assert uuid in result.output
    [node] = orm.QueryBuilder().append(orm.WorkChainNode, filters={'label': 'later'}).all(flat=True)
    assert node.inputs.settings['learn']['from'] == [{'campaign': uuid, 'property': None}]
    assert node.inputs.campaigns.table_01.creator.process_label == 'harvest'
    assert [row.to_dict() for row in node.outputs.table.get_rows()] == rows
    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])
