"""Process slots: parents wait in them, and with too few of them nothing can run."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_inversedesign.campaign.costs.slots import missing_workers, slots_needed
from aiida_inversedesign.campaign.load import validate_campaign


def spec(properties: tuple[str, ...] = ('volume',), at_once: int | None = 3, **evaluate: Any) -> Any:
    engine = {'engine': 'quantumespresso', 'pw': 'pw@x', 'pseudos': 'p'} | evaluate
    return validate_campaign(
        {
            'name': 'slots',
            'goal': {'objectives': [{'property': name, 'minimize': True} for name in properties]},
            'space': {'elements': ['Si', 'C', 'Ge', 'N', 'B'], 'ratios': ['1', '1:1']},
            'select': {'initial': 6},
            'evaluate': engine,
            'budget': {'evaluations': 9, 'at_once': at_once},
        }
    )


@pytest.mark.parametrize(
    ('properties', 'evaluate', 'queued', 'parents', 'full'),
    [
        # campaign and generation; then evaluation, relaxation, base and job for each of the three
        (('volume',), {}, True, 2 + 3 * 3, 2 + 3 * 4),
        # evaluation, and a base and a job for each of the points
        (('bulk_modulus',), {}, True, 2 + 3 * 8, 2 + 3 * 15),
        (('bulk_modulus',), {'eos_points': 9}, True, 2 + 3 * 10, 2 + 3 * 19),
        # without a scheduler two points at once: evaluation, two bases, two jobs
        (('bulk_modulus',), {}, False, 2 + 3 * 3, 2 + 3 * 5),
        # the references of the five elements come before the batch, not more at once than evaluations
        (('formation_energy',), {}, True, 2 + 3 * 3, 2 + 3 * 4),
        (('volume',), {'engine': 'ase', 'code': 'python@x'}, True, 2 + 3, 2 + 6),
        (('formation_energy',), {'engine': 'ase', 'code': 'python@x'}, True, 2 + 3, 2 + 6),
    ],
)
def test_slots_of_each_stage(
    properties: tuple[str, ...], evaluate: dict[str, Any], queued: bool, parents: int, full: int
) -> None:
    if evaluate.get('engine') == 'ase':
        evaluate = {**evaluate, 'pw': None, 'pseudos': None}
    needed = slots_needed(_without_none(properties, evaluate), queued)
    assert (needed.parents, needed.full) == (parents, full)
    assert needed.least == parents + 1


def _without_none(properties: tuple[str, ...], evaluate: dict[str, Any]) -> Any:
    if evaluate.get('engine') != 'ase':
        return spec(properties, **evaluate)
    return validate_campaign(
        spec(properties).model_dump(mode='json') | {'evaluate': {'engine': 'ase', 'code': 'python@x'}}
    )


def test_a_table_without_jobs_needs_no_slot_for_one() -> None:
    data = spec().model_dump(mode='json')
    table = {'engine': 'table', 'data': 'd'}
    plain = slots_needed(validate_campaign(data | {'evaluate': table}), True)
    jobs = slots_needed(validate_campaign(data | {'evaluate': {**table, 'code': 'python@x'}}), True)
    assert (plain.least, plain.full) == (5, 5)
    assert (jobs.least, jobs.full) == (6, 8)


def test_without_at_once_the_larger_batch_counts() -> None:
    assert slots_needed(spec(at_once=None), True).full == 2 + 6 * 4
    data = spec(('formation_energy',), at_once=None).model_dump(mode='json')
    references = slots_needed(validate_campaign(data | {'select': {'initial': 2}}), True)
    assert (references.parents, references.full) == (2 + 5 * 3, 2 + 5 * 4)


@pytest.mark.parametrize(('needed', 'free', 'each', 'workers'), [(10, 10, 4, 0), (11, 10, 4, 1), (19, 10, 4, 3)])
def test_workers_to_add(needed: int, free: int, each: int, workers: int) -> None:
    assert missing_workers(needed, free, each) == workers
