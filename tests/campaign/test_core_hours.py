"""What a budget of core-hours keeps back, and that it is used up to that."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_inversedesign.campaign.costs.budget import (
    HOURS_NEEDED,
    Limits,
    Spent,
    conclusion,
    next_allowance,
    stop_reason,
)
from aiida_inversedesign.campaign.costs.budget_of_stream import evaluation_limits
from aiida_inversedesign.campaign.demands import core_hours_needed
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.spec import Budget, CampaignSpec

#: Of one job with the least wall time, half a minute on one core.
JOB = 30 / 3600


def spec(
    name: str = 'volume', batch: int = 4, engine: str = 'ase', hours: float = 1.0, **evaluate: Any
) -> CampaignSpec:
    own = {
        'ase': {'code': 'python@x'},
        'quantumespresso': {'pw': 'pw@x', 'pseudos': 'family'},
        'table': {'data': 'own', 'units': {'shine': 'cd'}},
    }[engine]
    return validate_campaign(
        {
            'name': 'hours',
            'goal': {'objectives': [{'property': name, 'minimize': True}]},
            'space': {'elements': ['Cu', 'Au'], 'ratios': ['1:1']},
            'select': {'initial': 4, 'batch': 4},
            'evaluate': {'engine': engine, **own, **evaluate},
            'budget': {'evaluations': 100, 'core_hours': hours},
        }
    )


@pytest.mark.parametrize(
    ('settings', 'jobs'),
    [
        (spec(), 1),
        (spec('bulk_modulus'), 1),
        (spec(options={'num_machines': 2, 'num_mpiprocs_per_machine': 8}), 16),
        (spec(options={'max_wallclock_seconds': 15}), 0.5),
        (spec(engine='quantumespresso'), 2),
        (spec('bulk_modulus', engine='quantumespresso'), 9),
        (spec('shine', engine='table'), 0),
        (spec('shine', engine='table', code='python@x'), 1),
    ],
)
def test_what_an_evaluation_needs(settings: CampaignSpec, jobs: float) -> None:
    assert core_hours_needed(settings) == pytest.approx(jobs * JOB)


@pytest.mark.parametrize(
    ('used', 'says'),
    [
        (0.0, None),
        (1 - JOB * 1.01, None),
        (0.9925, 'budget used up: 0.993 of 1 core-hours; 0.0075 left, less than one evaluation needs (0.0083)'),
        (1.0, 'budget used up: 1 of 1 core-hours'),
        (1.2, 'budget used up: 1.2 of 1 core-hours'),
    ],
)
def test_the_end_names_what_is_left_and_what_is_needed(used: float, says: str | None) -> None:
    settings, spent = spec(), Spent(evaluations=3, generations=1, core_hours=used)
    assert conclusion(settings.budget, spent.record(settings)) == says
    allowed = next_allowance(settings, settings.budget, spent)
    assert allowed == says if says else not isinstance(allowed, str)


def test_a_conclusion_of_an_earlier_version_comes_out_the_same() -> None:
    settings = spec()
    record = Spent(evaluations=3, generations=1, core_hours=0.985).record(settings)
    del record[HOURS_NEEDED]
    assert conclusion(settings.budget, record) == 'budget used up: 0.985 of 1 core-hours'
    assert stop_reason(settings.budget, Spent(core_hours=0.98)) is None


@pytest.mark.parametrize('left', [1.0, 1.5, 3.0, 3.99, 4.0, 50.0])
def test_a_batch_is_as_large_as_what_is_left_covers(left: float) -> None:
    settings = spec(hours=60 * JOB)
    allowed = next_allowance(settings, settings.budget, Spent(generations=1, core_hours=(60 - left) * JOB))
    assert not isinstance(allowed, str)
    assert allowed.evaluations == min(4, int(left))
    assert allowed.record(settings, settings.budget)[HOURS_NEEDED] == pytest.approx(JOB)


def test_an_engine_without_jobs_is_not_cut() -> None:
    settings = spec('shine', engine='table', hours=0.001)
    allowed = next_allowance(settings, settings.budget, Spent())
    assert not isinstance(allowed, str)
    assert allowed.evaluations == 4


def test_without_a_limit_nothing_is_recorded() -> None:
    settings = spec()
    budget = Budget(evaluations=4)
    allowed = next_allowance(settings, budget, Spent())
    assert not isinstance(allowed, str)
    assert HOURS_NEEDED not in allowed.record(settings, budget)


def test_the_stream_is_used_up_to_what_one_needs() -> None:
    assert evaluation_limits(Limits(None, 1.2 * JOB), [], 4, 0, least_hours=JOB) == Limits(None, JOB)
    assert evaluation_limits(Limits(None, 0.9 * JOB), [], 4, 0, least_hours=JOB) is None
    assert evaluation_limits(Limits(None, 3 * JOB), [Limits(None, 2.5 * JOB)], 1, 0, least_hours=JOB) is None
