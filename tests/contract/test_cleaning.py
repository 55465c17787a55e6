"""Folders of jobs are removed when an evaluation has ended, if it is asked for; by hand otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.engines.table.settings import Table
from aiida_inversedesign.graph.diagnosis import jobs_below


def evaluate(structure: Any, library: Any, code: Any, **changes: Any) -> Any:
    settings = Table(engine='table', data='x', code=code.full_label, units={'shine': 'lm'}, **changes)
    _, node = run_get_node(
        WorkflowFactory('inversedesign.evaluate.table'),
        candidate=structure,
        properties=orm.List(['shine']),
        settings=orm.Dict(settings.model_dump(mode='json')),
        engine={'data': library, 'code': code},
    )
    return node


@pytest.mark.parametrize(
    ('mode', 'fails', 'removed'),
    [('never', 0.0, False), ('completed', 0.0, True), ('completed', 1.0, False), ('always', 1.0, True)],
)
def test_folders_are_removed_as_the_campaign_asks(
    structure: Any, library: Any, python_code: Any, mode: str, fails: float, removed: bool
) -> None:
    node = evaluate(structure, library, python_code, clean_workdir=mode, fail_fraction=fails)
    assert node.is_failed is bool(fails)
    (job,) = jobs_below(node)
    folder = job.outputs.remote_folder
    assert folder.is_cleaned is removed
    assert Path(folder.get_remote_path()).exists() is not removed
    assert 'results.json' in job.outputs.retrieved.base.repository.list_object_names()


def test_a_computer_that_is_gone_does_not_fail_the_evaluation(
    structure: Any, library: Any, python_code: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiida_inversedesign.engines.common import cleaning

    def refuse(self: Any, transport: Any = None) -> None:
        raise OSError('no route to host')

    monkeypatch.setattr(orm.RemoteData, '_clean', refuse)
    node = evaluate(structure, library, python_code, clean_workdir='always')
    assert node.is_finished_ok
    folders = cleaning.remote_folders(jobs_below(node))
    removed, problems = cleaning.remove_folders(folders)
    assert removed == 0
    assert problems == [f'{python_code.computer.label}: OSError: no route to host']


def test_clean_by_hand(campaign: Any, python_code: Any) -> None:
    from click.testing import CliRunner

    from aiida_inversedesign.cli import cli
    from aiida_inversedesign.workchains.foreground import run_campaign

    evaluate = {'code': python_code.full_label, 'fail_fraction': 0.5}
    node = run_campaign(campaign(evaluate=evaluate, budget={'evaluations': 4})[0])
    counts = node.outputs.table.counts
    assert counts['failed'] > 0
    assert counts['completed'] > 0

    def call(*options: str) -> dict[str, Any]:
        result = CliRunner().invoke(cli, ['clean', str(node.pk), '--format', 'json', *options], catch_exceptions=False)
        return dict(json.loads(result.output))

    planned = call('--dry-run')
    assert (planned['folders'], planned['removed']) == (counts['completed'], 0)
    text = CliRunner().invoke(cli, ['clean', str(node.pk), '--dry-run'], catch_exceptions=False).output
    assert f'{counts["completed"]} ended evaluations on {python_code.computer.label}: would be removed' in text
    paths = [Path(line.split(':', 1)[1]) for line in text.splitlines()[1:]]
    assert len(paths) == counts['completed']
    assert all(path.is_dir() for path in paths)
    assert call()['removed'] == counts['completed']
    assert not any(path.exists() for path in paths)
    assert call()['folders'] == 0
    assert call('--failed')['removed'] == counts['failed']
