"""An exported archive tells the same as the profile it came from; what is not an archive is told so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from command_line import call

from aiida_inversedesign.audit.archive import only_campaign, open_archive
from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.record import AuditError


def seal():
    """What has ended is sealed, as AiiDA does; only that can be exported."""
    from aiida.orm import ProcessNode, QueryBuilder

    for node in QueryBuilder().append(ProcessNode).all(flat=True):
        if not node.is_sealed:
            node.seal()


@pytest.fixture(scope='module')
def archived(resumed, tmp_path_factory):
    """The resumed campaign, the JSON of its audit, the archive of exactly it, and one with a further campaign."""
    from aiida.orm import Dict
    from aiida.tools.archive import create_archive

    graph, first, second = resumed
    kept, graph.settings = graph.settings, Dict(graph.settings.get_dict()).store()
    other = graph.campaign()
    graph.settings = kept
    seal()
    path = tmp_path_factory.mktemp('archive') / 'campaign.aiida'
    create_archive([first, second], filename=path)
    both = path.with_name('two.aiida')
    create_archive([first, second, other], filename=both)
    return second.uuid, audit(second), path, both


def lines(report):
    """The JSON as it is printed, without the line that says where it was read."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    return [line for line in text.splitlines() if not line.startswith('  "source": ')]


def test_the_same_json_from_archive_and_profile(archived):
    from aiida.manage import get_manager

    uuid, expected, path, _ = archived
    before = get_manager().get_profile()
    with open_archive(path):
        assert get_manager().get_profile().storage_backend == 'core.sqlite_zip'
        # the campaign that was resumed is not a second one
        found = audit(only_campaign(None, 'the archive'))
        assert audit(only_campaign(uuid[:8], 'the archive')) == found
    assert get_manager().get_profile() is before
    assert found['campaign']['uuid'] == uuid
    assert found['source'] != expected['source']
    assert str(path) in found['source']
    assert lines(found) == lines(expected)


def test_nothing_of_the_archive_changes(archived):
    path = archived[2]
    before = path.read_bytes()
    with open_archive(path):
        audit(only_campaign(None, 'the archive'))
    assert path.read_bytes() == before


def relabelled(whole, path, version):
    """A copy of an archive that says that it has another format; main_0001 changed nothing after main_0000b."""

    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename == 'metadata.json':
                data = json.dumps({**json.loads(data), 'export_version': version}).encode()
            new.writestr(item, data)
    return path


def test_an_archive_of_an_older_aiida_is_converted_and_tells_the_same(archived, tmp_path, caplog):
    _, expected, whole, _ = archived
    path = relabelled(whole, tmp_path / 'older.aiida', 'main_0000b')
    before = path.read_bytes()
    with open_archive(path):
        found = audit(only_campaign(None, 'the archive'))
    assert lines(found) == lines(expected)
    assert str(path) in found['source']
    assert path.read_bytes() == before
    assert 'has the format main_0000b of an older AiiDA' in caplog.text


@pytest.mark.parametrize(
    ('version', 'words'),
    [
        ('main_0002', 'was written by a newer AiiDA.*pip install --upgrade aiida-core'),
        ('main_9999', 'newer AiiDA'),
        ('0.3', 'with aiida-core 1.6 first'),
        ('0.12', 'cannot be converted.*verdi archive migrate'),
    ],
)
def test_an_archive_of_another_aiida_is_told_what_to_do(archived, tmp_path, version, words):
    path = relabelled(archived[2], tmp_path / 'other.aiida', version)
    with pytest.raises(AuditError, match=words), open_archive(path):
        pass


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('missing', 'there is no such file'),
        ('text', 'is not an AiiDA archive'),
        ('cut', 'is not an AiiDA archive'),
        ('zip', 'cannot be read as an AiiDA archive'),
        ('holes', 'cannot be read|is damaged|No such file|damaged'),
        ('empty', 'there is no campaign in'),
    ],
)
def test_what_is_no_archive(archived, tmp_path, name, expected):
    from aiida.tools.archive import create_archive

    path, whole = tmp_path / f'{name}.aiida', archived[2]
    if name == 'text':
        path.write_text('not an archive')
    elif name == 'cut':
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    elif name == 'zip':
        with zipfile.ZipFile(path, 'w') as other:
            other.writestr('readme.txt', 'something else')
    elif name == 'holes':
        # its index is whole, its content is not
        data = bytearray(whole.read_bytes())
        for start in range(0, len(data) * 9 // 10, 4096):
            data[start + 64 : start + 512] = bytes(448)
        path.write_bytes(bytes(data))
    elif name == 'empty':
        from aiida.orm import Int

        create_archive([Int(1).store()], filename=path)
    with pytest.raises(AuditError, match=expected), open_archive(path):
        audit(only_campaign(None, f'the archive {path}'))


def test_several_campaigns_need_a_name(archived):
    uuid, both = archived[0], archived[3]
    with open_archive(both):
        with pytest.raises(AuditError, match='several campaigns'):
            only_campaign(None, 'the archive')
        assert only_campaign(uuid, 'the archive').uuid == uuid
        with pytest.raises(AuditError, match='there is no campaign 0000'):
            only_campaign('0000', 'the archive')


def test_the_command(archived, tmp_path):
    uuid, expected, path, _ = archived
    plot = tmp_path / 'best.png'
    result = call('audit', '--archive', path, '--format', 'json', '--plot', plot)
    assert result.exit_code == 0, result.output
    assert lines(json.loads(result.stdout)) == lines(expected)
    assert plot.stat().st_size > 1000
    copy = tmp_path / 'copy.aiida'
    shutil.copy(path, copy)
    result = call('audit', uuid, '--archive', copy)
    assert result.exit_code == 0, result.output
    result = call('audit', '--archive', tmp_path)
    assert result.exit_code != 0
    assert 'Traceback' not in result.output


def test_nodes_of_the_profile_outlive_the_reading_of_an_archive(archived):
    from aiida.manage import get_manager
    from aiida.orm import Int, QueryBuilder, WorkChainNode, load_node

    from aiida_inversedesign.audit.frames import read_record

    uuid, _, path, both = archived
    held, before = load_node(uuid), get_manager().get_profile_storage()
    assert read_record(path).uuid == uuid
    with pytest.raises(AuditError):
        read_record(both)
    assert get_manager().get_profile_storage() is before
    assert held.pk == load_node(uuid).pk
    assert held.inputs.settings.get_dict()['name'] == 'by hand'
    assert QueryBuilder().append(WorkChainNode, filters={'id': held.pk}).one() == [held]
    assert Int(1).store().is_stored


@pytest.mark.parametrize('command', ['audit', 'verify', 'report', 'paper'])
def test_reading_an_archive_leaves_no_configuration_behind(command, archived, tmp_path):
    home, here, output = (tmp_path / name for name in ('home', 'here', 'output'))
    home.mkdir()
    here.mkdir()
    options = ['--output', str(output)] if command in ('report', 'paper') else []
    folders = {'HOME': str(home), 'AIIDA_PATH': str(home), 'TMPDIR': str(home), 'MPLCONFIGDIR': str(tmp_path / 'plots')}
    program = 'from aiida_inversedesign.cli import cli; cli()'
    done = subprocess.run(
        [sys.executable, '-c', program, command, '--archive', str(archived[2]), *options],
        cwd=here, env=os.environ | folders, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    # the decisions of a campaign made by hand cannot be repeated, which verify says with its exit code
    assert done.returncode == (1 if command == 'verify' else 0), done.stderr
    assert list(home.iterdir()) == list(here.iterdir()) == []
