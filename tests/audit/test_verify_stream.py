"""A campaign with the asynchronous schedule, and one that resumes it, verified; what is altered in them is found."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.audit.verify import verify
from aiida_inversedesign.audit.verify.run import is_sound
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
