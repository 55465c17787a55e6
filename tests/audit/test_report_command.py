"""``report`` on a campaign made by hand in a real profile."""

from __future__ import annotations

import json
from functools import partial

import command_line
import pytest

run = partial(command_line.call, 'report')


def test_a_page_of_a_campaign_and_one_it_is_compared_with(resumed, tmp_path):
    _, first, second = resumed
    path = tmp_path / 'page.html'
    result = run(second.pk, '-o', path, '--compare', first.uuid, '--format', 'json')
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said['report'] == str(path)
    assert said['bytes'] == path.stat().st_size < 8e6
    assert (said['evaluations'], said['compared']) == (5, [first.uuid])
    page = path.read_text()
    assert '2 crystals meet the goal' in page
    assert 'Stopped – target reached.' in page
    assert second.uuid in page


def test_the_default_name_and_what_is_printed(resumed, tmp_path, monkeypatch):
    _, _, second = resumed
    monkeypatch.chdir(tmp_path)
    result = run(second.pk)
    path = tmp_path / f'campaign-{second.uuid[:8]}-report.html'
    assert path.is_file()
    assert f'{path} (5.0 MB' in result.output or f'{path} (4.' in result.output


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('-o', 'missing/page.html'), 'does not exist: make it first'),
        (('--compare', '999999'), 'there is no campaign 999999'),
    ],
)
def test_errors_name_what_is_wrong(resumed, tmp_path, monkeypatch, arguments, words):
    _, _, second = resumed
    monkeypatch.chdir(tmp_path)
    result = run(second.pk, *arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert list(tmp_path.iterdir()) == []


def test_an_archive_has_the_same_page(resumed, tmp_path):
    from aiida.orm import ProcessNode, QueryBuilder
    from aiida.tools.archive import create_archive

    for node in QueryBuilder().append(ProcessNode).all(flat=True):
        node.seal()
    _, first, second = resumed
    archive = tmp_path / 'campaign.aiida'
    create_archive([first, second], filename=archive)
    pages = []
    for source in ((second.pk,), ('--archive', archive)):
        path = tmp_path / f'{len(pages)}.html'
        result = run(*source, '-o', path, '--structures', 'none')
        assert result.exit_code == 0, result.output
        data = path.read_text().partition('id="data">')[2].partition('</script>')[0]
        pages.append(json.loads(data))
    assert pages[0]['table'] == pages[1]['table']
    assert pages[0]['figures'] == pages[1]['figures']
