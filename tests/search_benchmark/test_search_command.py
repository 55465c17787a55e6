"""``benchmark search`` as a user calls it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import command_line
import pytest

call = partial(command_line.call, 'benchmark', 'search')


def test_json_has_the_documented_keys_and_a_rerun_the_same_figures(pool_file: Path, tmp_path: Path) -> None:
    output = tmp_path / 'found.json'
    common = ('--pool', pool_file, '--property', 'y', '--ignore', 'z', '--arms', 'random,random_drawn', '--seeds', 3)
    result = call(*common, '--initial', 10, '--budget', 30, '--format', 'json', '--output', output)
    assert result.exit_code == 0, result.output
    data = json.loads(output.read_text())
    assert json.loads(result.stdout) == data
    assert data['schema'] == 'inversedesign/1'
    assert (data['pool']['n'], data['pool']['left_out']) == (120, {'without y': 1})
    assert (data['hits'], data['seeds']) == (6, 3)
    for arm in data['arms'].values():
        assert {'hits_at', 'evaluations_to_half', 'evaluations_to_all', 'acceleration', 'enrichment_at'} <= set(arm)
        assert {'seconds_per_step', 'peak_mb'} <= set(arm)
        assert set(arm['hits_at']['20']) >= {'mean', 'low', 'high'}
        assert set(arm['evaluations_to_half']) >= {'median', 'low', 'high'}
    again = call(*common, '--initial', 10, '--budget', 30, '--format', 'json', '--output', output)
    assert json.loads(again.stdout) == data


def test_the_tables_fit_the_screen(pool_file: Path) -> None:
    result = call(
        '--pool', pool_file, '--property', 'y', '--ignore', 'z', '--arms', 'random,gp:log_ei', '--seeds', 2,
        '--initial', 10, '--budget', 20,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert 'left out: 1 without y' in result.stdout.replace('\n', ' ')
    assert 'gp:log_ei' in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--property', 'yy'), "no column 'yy'"),
        (('--property', 'y', '--arms', 'gp:best'), "'gp:best' is not an arm"),
        (('--property', 'y', '--goal', 'window:8,9'), 'no member of the pool is a hit'),
        (('--property', 'y', '--initial', '200'), '--initial 200'),
        ((), 'name the property'),
    ],
)
def test_errors_are_messages(pool_file: Path, arguments: tuple[str, ...], message: str) -> None:
    result = call('--pool', pool_file, *arguments)
    assert result.exit_code == 1
    assert message in result.output.replace('\n', ' ')


def test_help_needs_no_profile_and_shows_an_example() -> None:
    assert 'benchmark search --pool elastic.jsonl.gz' in call('--help').output
