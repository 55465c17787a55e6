"""Campaigns that learn from earlier ones: of another space, by PK and from an archive, recorded and replayed."""

from __future__ import annotations

import csv
import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from agreement import check_agreement
from aiida import orm
from click.testing import CliRunner

from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.cli import cli
from aiida_inversedesign.graph.campaigns import CAMPAIGN as CAMPAIGN_TYPE
from aiida_inversedesign.verify.case import Case
from aiida_inversedesign.verify.passed_on import check_passed_on
from aiida_inversedesign.verify.run import is_sound, verify
from aiida_inversedesign.workchains.build import SetupError, build_campaign
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
select: {{initial: 4, batch: 3, schedule: {schedule}}}
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
    given = {
        'name': name,
        'angles': angles,
        'earlier': earlier,
        'evaluations': evaluations,
        'unit': 'J',
        'schedule': 'generations',
    }
    given |= changes
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
    from aiida.tools.archive import create_archive

    create_archive([first], filename=folder / 'earlier.aiida')
    later = run(write(folder, [first.pk]))
    create_archive([later], filename=folder / 'later.aiida')
    return SimpleNamespace(
        folder=folder,
        first=first,
        later=later,
        alone=run(write(folder, [], evaluations=7)),
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


@pytest.mark.parametrize(
    ('item', 'message'),
    [
        (999_999, 'there is no campaign 999999 in this profile: `aiida-inversedesign status` lists them'),
        ('settings', 'is a Dict, not a campaign'),
        ('twice', 'or one that it resumed: name it once'),
        ({'campaign': 'first', 'property': 'colour'}, r'has no colour; it has toughness \(J\)'),
    ],
)
def test_what_is_no_campaign_is_refused(campaigns: SimpleNamespace, item: Any, message: str) -> None:
    first = campaigns.first
    items = {'settings': [first.inputs.settings.pk], 'twice': [first.pk, first.uuid]}.get(str(item), [item])
    items = [{**one, 'campaign': first.pk} if isinstance(one, dict) else one for one in items]
    with pytest.raises(SetupError, match=message):
        build_campaign(read_campaign(write(campaigns.folder, items)))


def test_other_units_are_refused(campaigns: SimpleNamespace) -> None:
    path = write(campaigns.folder, [campaigns.first.pk], unit='kJ')
    with pytest.raises(SetupError, match=r'learn\.from\[0\]: campaign .* has toughness in J, this campaign in kJ'):
        build_campaign(read_campaign(path))


def test_archives_without_a_campaign_or_with_two_are_refused(campaigns: SimpleNamespace) -> None:
    from aiida.tools.archive import create_archive

    folder = campaigns.folder
    create_archive([campaigns.first, campaigns.alone], filename=folder / 'two.aiida')
    create_archive([campaigns.first.outputs.stop_reason], filename=folder / 'none.aiida', create_backward=False)
    (folder / 'text.aiida').write_text('no archive')
    for name, message in (
        ('two.aiida', 'has several campaigns: name one of'),
        ('none.aiida', 'there is no campaign in the archive'),
        ('text.aiida', 'is not an AiiDA archive'),
        ('lacking.aiida', 'there is no such file'),
        ('../far.aiida', 'leads out of the folder'),
    ):
        result = CliRunner().invoke(cli, ['check', str(write(folder, [name]))])
        assert result.exit_code == 1
        assert message in result.output, result.output
        assert 'learn.from[0]' in result.output
    result = CliRunner().invoke(cli, ['check', str(write(folder, ['two.aiida', 999_999, 'lacking.aiida']))])
    for words in (
        'learn.from[0]',
        'several campaigns',
        'learn.from[1]',
        'no campaign 999999',
        'learn.from[2]',
        'no such',
    ):
        assert words in result.output, result.output


def test_audit_status_and_report_say_it(campaigns: SimpleNamespace) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.report.html import render

    record = load_record(campaigns.later)
    figures = audit(record)
    [task] = figures['transfer']['campaigns']['toughness']
    assert (task['rows'], task['property'], task['campaign']) == (20, 'toughness', campaigns.first.uuid)
    last = figures['transfer']['by_generation'][-1]
    assert last['mae'] < last['mae_without']
    assert 'decide nothing' in figures['transfer']['by_generation'][0]['reason']
    assert audit(campaigns.alone)['transfer'] is None
    words = 'learned from 20 rows of earlier (toughness)'
    for command in ('status', 'audit'):
        output = CliRunner().invoke(cli, [command, str(campaigns.later.pk)]).output
        assert words in ' '.join(output.replace('│', ' ').split()), output
    assert campaigns.first.uuid in render(record, figures)


def test_a_table_of_another_campaign_is_found(campaigns: SimpleNamespace) -> None:
    case = Case.of(campaigns.later)
    inputs, other = case.graph.inputs[campaigns.later.pk], campaigns.alone.outputs.table
    inputs['campaigns__table_01'] = replace(inputs['campaigns__table_01'], node=other.pk, uuid=other.uuid)
    messages = [finding.message for finding in check_passed_on(case)]
    assert 'the table_01 was not made with the settings of its campaign' in messages
    assert 'generation_001 has another table_01 than the campaign' in messages


@pytest.mark.slow
def test_a_stream_learns_from_it_and_is_resumed_with_it(campaigns: SimpleNamespace) -> None:
    from aiida_inversedesign.workchains.resume import resume_campaign

    node = run(write(campaigns.folder, [campaigns.first.uuid], evaluations=7, schedule='asynchronous'))
    assert [row.generation for row in node.outputs.table.get_rows()] == [1] * 7
    builder, _ = resume_campaign(node, {'evaluations': 9})
    later = run_campaign(builder)
    assert later.inputs.campaigns.table_01.uuid == campaigns.first.outputs.table.uuid
    report = verify(later)
    assert is_sound(report), (report['findings'], report['different'])


@pytest.mark.slow
def test_an_archive_is_imported_and_its_nodes_are_linked(campaigns: SimpleNamespace, aiida_profile: Any) -> None:
    folder, uuid = campaigns.folder, campaigns.first.uuid
    rows = [row.to_dict() for row in campaigns.later.outputs.table.get_rows()]
    aiida_profile.reset_storage()
    path = write(folder, ['earlier.aiida'])
    result = CliRunner().invoke(cli, ['launch', str(path)])
    assert result.exit_code == 0, result.output
    assert uuid in result.output
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'label': 'later', 'process_type': CAMPAIGN_TYPE})
    [node] = query.all(flat=True)
    assert node.inputs.settings['learn']['from'] == [{'campaign': uuid, 'property': None}]
    assert node.inputs.campaigns.table_01.creator.process_label == 'harvest'
    assert [row.to_dict() for row in node.outputs.table.get_rows()] == rows
    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])


@pytest.mark.slow
def test_the_archive_of_the_later_one_can_be_verified_alone(campaigns: SimpleNamespace) -> None:
    from aiida_inversedesign.audit.archive import only_campaign, open_archive

    with open_archive(campaigns.folder / 'later.aiida'):
        report = verify(only_campaign(None, 'the archive'))
    assert is_sound(report), (report['findings'], report['different'])
    assert report['decisions'] == report['identical'] + report['within_tolerance']


@pytest.mark.usefixtures('aiida_profile_clean')
def test_the_campaign_of_an_archive_is_the_one_that_learned() -> None:
    from aiida.common.links import LinkType

    from aiida_inversedesign.audit.archive import only_campaign

    found = []
    settings = [orm.Dict({'name': name}).store() for name in ('earlier', 'later')]
    for given in ({'settings': settings[0]}, {'settings': settings[1], 'campaigns__settings_01': settings[0]}):
        node = orm.WorkChainNode(process_type=CAMPAIGN_TYPE)
        for label, one in given.items():
            node.base.links.add_incoming(one, LinkType.INPUT_WORK, label)
        found.append(node.store())
    assert only_campaign(None, 'the archive').uuid == found[1].uuid
    assert only_campaign(found[0].uuid, 'the archive').uuid == found[0].uuid
