"""A campaign in the foreground whose disk fails for a while: it says so, and goes on when the disk is back."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aiida_inversedesign.cli.progress import CampaignProgress
from aiida_inversedesign.workchains import foreground


@pytest.fixture
def hasty(aiida_config: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """AiiDA gives up after two attempts within a second."""
    options = {'transport.task_maximum_attempts': 2, 'transport.task_retry_initial_interval': 1}
    before = {name: aiida_config.get_option(name) for name in options}
    for name, value in options.items():
        aiida_config.set_option(name, value)
    monkeypatch.setattr(foreground, 'PLAY_INTERVAL', 1.0)
    yield
    for name, value in before.items():
        aiida_config.set_option(name, value)


def test_it_goes_on_when_the_disk_is_back(campaign: Any, tmp_path: Path, hasty: None) -> None:
    from rehearsal import make_python_code

    folder = tmp_path / 'jobs'
    make_python_code(folder, 'inversedesign.table')
    builder, spec = campaign(
        evaluate={'code': 'python@localhost', 'delay_seconds': 0.1},
        budget={'evaluations': 2},
        select={'initial': 2, 'batch': 2},
    )
    folder.rmdir() if folder.is_dir() else None
    folder.write_text('no folder can be made below a file')
    out = io.StringIO()

    def mend() -> None:
        while 'trying again from time to time' not in out.getvalue():
            time.sleep(0.2)
        folder.unlink()

    mended = threading.Thread(target=mend, daemon=True)
    mended.start()
    with CampaignProgress(spec, Console(file=out, width=250)):
        node = foreground.run_campaign(builder)
    mended.join()
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.table.counts['completed'] == 2
    said = out.getvalue()
    assert 'the upload of job' in said
    assert 'Error' in said
    assert 'trying again in 1 s' in said
    assert 'trying again from time to time' in said
