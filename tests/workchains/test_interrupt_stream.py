"""An asynchronous campaign whose process is killed, as by a power cut, and the one that resumes it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.foreground import run_campaign

EVALUATE = 'aiida.workflows:inversedesign.evaluate.table'
#: AiiDA sets the exit status before the outputs, and the state after them: only then has an evaluation ended.
EVALUATED = (
    f"SELECT count(*) FROM db_dbnode WHERE process_type = '{EVALUATE}' "
    "AND json_extract(attributes, '$.process_state') = 'finished'"
)


def evaluated() -> list[Any]:
    """The evaluations of all campaigns that have ended."""
    from aiida.orm import QueryBuilder, WorkChainNode

    filters = {'process_type': EVALUATE, 'attributes.process_state': 'finished'}
    return QueryBuilder().append(WorkChainNode, filters=filters).all(flat=True)


def launch_and_kill(profile: Any, spec: Any, folder: Path, after: int) -> None:
    """Launch a campaign in a process of its own, and kill that once so many evaluations have ended."""
    file = folder / 'campaign.json'
    file.write_text(json.dumps(spec.model_dump(mode='json')))
    command = [sys.executable, '-m', 'aiida_inversedesign.cli', '-p', profile.name, 'launch', str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    path = Path(profile.storage_config['filepath']) / 'database.sqlite'
    with sqlite3.connect(f'file:{path}?mode=ro', uri=True) as database:
        while database.execute(EVALUATED).fetchone()[0] < after:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_killed_stream_goes_on_and_evaluates_nothing_twice(campaign: Any, aiida_profile: Any, tmp_path: Path) -> None:
    from aiida.orm import QueryBuilder

    from aiida_inversedesign.workchains.campaign import InverseDesignWorkChain
    from aiida_inversedesign.workchains.resume import resume_campaign

    _, spec = campaign(
        select={'initial': 3, 'batch': 2, 'schedule': 'asynchronous'},
        learn={'surrogate': 'gp'},
        budget={'evaluations': 9, 'at_once': 2},
    )
    launch_and_kill(aiida_profile, spec, tmp_path, after=4)
    (first,) = QueryBuilder().append(InverseDesignWorkChain).all(flat=True)
    assert not first.is_terminated
    before = {node.label for node in evaluated()}
    assert 4 <= len(before) < 9

    builder, again = resume_campaign(first, {}, gone=True)
    assert again.budget.evaluations == 9
    second = run_campaign(builder)
    assert second.is_finished_ok, second.exit_message
    rows = second.outputs.table.get_rows()
    assert [row.status for row in rows] == ['completed'] * 9
    assert len({row.candidate for row in rows}) == 9
    # what had ended before was taken over, whether it had been harvested or not
    after = [node.label for node in evaluated()]
    assert len(after) == len(set(after)) == 9
    assert before < set(after)
    assert second.outputs.surrogate.rows == {'stiffness': 9}
    found = verify(second)
    assert is_sound(found), found
