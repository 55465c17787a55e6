"""A campaign with the asynchronous schedule, and one that resumes it, verified; what is altered in them is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tampers import Copy, opened

from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.foreground import run_campaign
from aiida_inversedesign.workchains.resume import resume_campaign

SECTIONS = {
    'select': {'initial': 3, 'batch': 2, 'schedule': 'asynchronous', 'control_fraction': 0.2},
    'evaluate': {'fail_fraction': 0.2},
    'budget': {'evaluations': 5, 'at_once': 2},
}


def test_a_stream_and_what_resumes_it_are_identical(campaign: Any) -> None:
    stream = run_campaign(campaign(**SECTIONS)[0])
    assert stream.is_finished_ok, stream.exit_message
    report = verify(stream)
    assert is_sound(report), report
    assert report['decisions'] == report['identical']
    assert report['by_kind']['selection']['decisions'] >= 2
    assert report['evaluations']['calculations'] == report['evaluations']['identical'] == 5

    resumed = run_campaign(resume_campaign(stream, {'evaluations': 7})[0])
    assert resumed.is_finished_ok, resumed.exit_message
    again = verify(resumed)
    assert is_sound(again), again
    assert again['decisions'] == again['identical'] > report['decisions']
    assert again['evaluations']['identical'] == 7
    # the first campaign alone is verified as before
    assert verify(stream)['decisions'] == report['decisions']

    # both have the same settings node, each has a budget of its own
    stream.inputs.settings.backend_entity.set_attribute_many({'seed': 6})
    resumed.inputs.budget.backend_entity.set_attribute_many({'evaluations': 12})
    assert {item['kind'] for item in verify(resumed, sample=1)['findings']} >= {'seed', 'budget', 'changed_node'}


def test_what_a_running_stream_has_not_harvested_yet_is_no_finding(
    campaign: Any, aiida_profile: Any, tmp_path: Path
) -> None:
    """The graph as it is before the last harvest of a campaign that runs, was killed, or says that it has finished."""
    from aiida.orm import WorkChainNode, load_node

    stream = run_campaign(campaign(**SECTIONS)[0])
    (generation,) = (child for child in stream.called if isinstance(child, WorkChainNode))
    harvest = [child for child in generation.called if child.process_label == 'harvest'][-1]
    uuid, pk, attributes = stream.uuid, generation.pk, dict(generation.base.attributes.all)
    copy = Copy.of(Path(aiida_profile.storage_config['filepath']), tmp_path / 'storage', uuid)
    copy.delete(harvest.pk)
    for state, missing in (('waiting', False), ('killed', False), ('finished', True)):
        changed = json.dumps({**attributes, 'process_state': state})
        copy.sql('UPDATE db_dbnode SET attributes = ? WHERE id = ?', changed, pk)
        with opened(copy.folder):
            found = {item['kind'] for item in verify(load_node(uuid))['findings']}
        assert ('missing_row' in found) == missing, (state, found)
