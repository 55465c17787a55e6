"""Every decision of a real campaign taken again, from the profile, from its archive, and in several processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tampers import TAMPERINGS, Copy, opened, tampered

from aiida_inversedesign.cli.verify import show
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.foreground import run_campaign

CAMPAIGN = {
    'name': 'rehearsal',
    'seed': 5,
    'goal': {'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 250}]},
    'propose': {'library': 'metals', 'method': 'library'},
    'select': {'initial': 3, 'batch': 2, 'control_fraction': 0.2},
    'evaluate': {'engine': 'table', 'data': 'answers', 'units': {'stiffness': 'GPa'}, 'fail_fraction': 0.15},
    'budget': {'evaluations': 5},
}


@pytest.fixture(scope='module')
def finished(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The storage of a campaign of five evaluations that was resumed for two more; run once, tests make copies."""
    from rehearsal import make_library

    from aiida_inversedesign.campaign.load import validate_campaign
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.resume import resume_campaign

    for label in ('metals', 'answers'):
        LibraryData.from_library(make_library(), label=label).store()
    first = run_campaign(build_campaign(validate_campaign(CAMPAIGN)))
    second = run_campaign(resume_campaign(first, {'evaluations': 7})[0])
    assert second.is_finished_ok, second.exit_message
    storage = Path(aiida_profile.storage_config['filepath'])
    return Copy.of(storage, tmp_path_factory.mktemp('verify') / 'finished', second.uuid)


@pytest.fixture
def copy(finished: Copy, tmp_path: Path) -> Copy:
    """A copy that a test may change."""
    return Copy.of(finished.folder, tmp_path / 'copy', finished.campaign)


def count_nodes() -> int:
    from aiida.orm import Node, QueryBuilder

    return QueryBuilder().append(Node).count()


def test_every_decision_is_identical_and_nothing_is_stored(finished: Copy) -> None:
    with opened(finished.folder):
        before = count_nodes()
        report = verify(finished.campaign)
        assert count_nodes() == before
    assert is_sound(report), report
    assert report['decisions'] == report['identical'] == sum(kind['decisions'] for kind in report['by_kind'].values())
    assert set(report['by_kind']) == {'proposal', 'selection', 'harvest', 'fit', 'conclusion'}
    # the campaign that was resumed is verified with it
    assert report['by_kind']['conclusion']['decisions'] == 2
    assert report['evaluations']['calculations'] == report['evaluations']['identical'] == 7
    assert report['nodes']['checked'] > 50
    assert report['nodes']['without_hash'] == 0
    assert report['sample'] is None
    json.dumps(report, allow_nan=False)


def test_a_sample_is_seeded_and_told(finished: Copy) -> None:
    steps: list[tuple[int, int]] = []
    report = finished.verify(sample=2, seed=4, progress=lambda step, done, total: steps.append((done, total)))
    assert is_sound(report), report
    assert report['sample']['size'] == 2
    assert report['sample']['seed'] == 4
    assert report['sample']['of']['harvest'] > 2
    assert report['by_kind']['harvest']['decisions'] == 2
    assert report['evaluations']['calculations'] == 2
    assert steps[-1][0] == steps[-1][1]


@pytest.mark.slow
def test_two_processes_give_the_same(finished: Copy) -> None:
    alone, shared = finished.verify(), finished.verify(jobs=2)
    assert {**alone, 'seconds': 0} == {**shared, 'seconds': 0}


def test_an_archive_gives_the_same(finished: Copy, tmp_path: Path) -> None:
    from aiida.orm import load_node
    from aiida.tools.archive import create_archive
    from command_line import call

    from aiida_inversedesign.graph.campaigns import chain_of

    path = tmp_path / 'campaign.aiida'
    with opened(finished.folder):
        # an archive of one campaign does not hold the one that it resumed
        create_archive([load_node(pk) for pk in chain_of(finished.load().pk)], filename=path)
    expected = finished.verify()
    result = call('verify', '--archive', path, '--format', 'json')
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report['findings'] == expected['findings'] == []
    assert (report['decisions'], report['by_kind']) == (expected['decisions'], expected['by_kind'])


def test_not_a_campaign(finished: Copy) -> None:
    with opened(finished.folder):
        with pytest.raises(InverseDesignError, match='is not a campaign'):
            verify(finished.load().inputs.settings)
        with pytest.raises(InverseDesignError, match='at least 1'):
            verify(finished.campaign, sample=0)


def test_tampering_is_found_and_named(finished: Copy, tmp_path: Path) -> None:
    """A row and the budget, with hashes made to fit; ``test_verify_tampering`` has all ten."""
    for tampering in (TAMPERINGS[0], TAMPERINGS[9]):
        copy = tampered(tampering, finished.folder, tmp_path / tampering.expected, finished.campaign, careful=True)
        report = copy.verify(sample=1)
        assert tampering.expected in {item['kind'] for item in report['findings']}
        assert not is_sound(report)
        show(report)


def test_content_that_was_changed_is_found_by_its_hash(copy: Copy) -> None:
    with opened(copy.folder):
        budget = copy.load().inputs.budget
        copy.change(budget.pk, {**budget.get_dict(), 'failure_minimum': 50})
        uuid = budget.uuid
    findings = copy.verify(sample=1)['findings']
    assert ('changed_node', uuid) in [(item['kind'], item['node']) for item in findings]


@pytest.fixture
def disagreeing(copy: Copy) -> Copy:
    """A copy with another seed, so that fits run again give other results."""
    with opened(copy.folder):
        settings = copy.load().inputs.settings
        copy.change(settings.pk, {**settings.get_dict(), 'seed': 77})
    return copy


def test_a_run_by_another_version_that_differs_is_not_repeatable(disagreeing: Copy) -> None:
    """It is distinguished from one that should have given the same."""
    from aiida.orm import CalcFunctionNode, QueryBuilder

    with opened(disagreeing.folder):
        for (node,) in QueryBuilder().append(CalcFunctionNode).all():
            disagreeing.change(node.pk, {**node.base.attributes.all, 'version': {'core': '2.9.4', 'plugin': '0.0.1'}})
    report = disagreeing.verify(sample=1)
    assert report['different'] == []
    assert all('aiida-inversedesign 0.0.1' in item['message'] for item in report['not_repeatable'])
    assert {item['kind'] for item in report['not_repeatable']} >= {'fit'}
    assert {item['kind'] for item in report['findings']} >= {'seed', 'changed_node'}


def test_a_run_by_other_code_of_the_same_version_is_not_repeatable(disagreeing: Copy) -> None:
    """Generations record a digest of the code and versions of libraries; to change them is found by the hash."""
    from aiida_inversedesign.campaign.environment import ATTRIBUTE, environment
    from aiida_inversedesign.workchains.generation import GenerationWorkChain

    with opened(disagreeing.folder):
        assert disagreeing.verify_one_fit().status == 'different'
        generations = [node for node in disagreeing.load().called if node.process_class is GenerationWorkChain]
        other = environment()
        other['code'], other['libraries']['numpy'] = '0123456789abcdef', '1.26.4'
        for node in generations:
            assert node.base.attributes.get(ATTRIBUTE) == environment()
            disagreeing.change(node.pk, {**node.base.attributes.all, ATTRIBUTE: other})
        without = {
            node.pk: {name: value for name, value in node.base.attributes.all.items() if name != ATTRIBUTE}
            for node in (disagreeing.load(), *generations)
        }
        changed = {node.uuid for node in generations}
    with opened(disagreeing.folder):
        replay = disagreeing.verify_one_fit()
    assert replay.status == 'not_repeatable'
    assert 'digest 0123456789abcdef' in replay.message
    assert 'numpy 1.26.4 (here ' in replay.message
    with opened(disagreeing.folder):
        for pk, attributes in without.items():
            disagreeing.change(pk, attributes)
    with opened(disagreeing.folder):
        replay = disagreeing.verify_one_fit()
    assert replay.status == 'not_repeatable'
    assert 'recorded no digest' in replay.message
    findings = disagreeing.verify(sample=1)['findings']
    assert changed <= {item['node'] for item in findings if item['kind'] == 'changed_node'}


def test_settings_of_another_version_are_told(copy: Copy) -> None:
    """A goal that this version does not understand: no decision is called different, and the reason stands once."""
    with opened(copy.folder):
        settings = copy.load().inputs.settings
        goal = {**settings['goal'], 'objectives': [{'property': 'stiffness', 'sense': 'up'}]}
        copy.change(settings.pk, {**settings.get_dict(), 'goal': goal})
        for pk, attributes in copy.sql("SELECT id, attributes FROM db_dbnode WHERE node_type LIKE 'process.%'"):
            version = {'core': '2.9.4', 'plugin': '0.0.1'}
            copy.change(pk, {**json.loads(attributes), 'version': version})
    copy.rehash()
    report = copy.verify(sample=2)
    assert report['different'] == []
    assert {item['kind'] for item in report['findings']} == {'not_readable'}
    (finding,) = report['findings']
    assert 'written by aiida-inversedesign 0.0.1, and goal.objectives.0.sense cannot be read by' in finding['message']
    assert all(len(item['message'].splitlines()) == 1 for item in report['not_repeatable'])
