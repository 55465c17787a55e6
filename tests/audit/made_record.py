"""Records of campaigns as the audit reads them, made without a profile."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from aiida_inversedesign.audit.record import (
    CampaignRecord,
    CandidateRecord,
    EvaluationRecord,
    GenerationRecord,
    LibraryRecord,
    SurrogateRecord,
)
from aiida_inversedesign.campaign.candidate import Verdict
from aiida_inversedesign.campaign.row import is_hit
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.engines.quantumespresso.reasons import PW
from aiida_inversedesign.graph.job_record import JobRecord

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PAIRS = (('B', 'N'), ('Si', 'C'), ('Al', 'N'), ('Ga', 'As'), ('Ti', 'C'), ('Na', 'Cl'))
ONE = [{'property': 'bulk_modulus', 'maximize': True, 'hit': 300.0}]
TWO = [
    {'property': 'bulk_modulus', 'maximize': True, 'hit': 200.0},
    {'property': 'density', 'minimize': True, 'hit': 6.0},
]


def counts(**numbers: int) -> dict[str, int]:
    """How many evaluations there are of each kind, as an audit says it; none of the kinds that are not named."""
    kinds = ('total', 'completed', 'failed', 'running', 'stopped', 'hits', 'distinct_hits', 'copies', 'reused')
    return {**dict.fromkeys(kinds, 0), **numbers}


def zincblende(first: str, second: str, a: float = 4.0) -> Crystal:
    """A primitive cell of two atoms."""
    return Crystal(a / 2 * (np.ones((3, 3)) - np.eye(3)), (first, second), [[0, 0, 0], [0.25, 0.25, 0.25]])


def made_record(
    evaluations: int = 24,
    *,
    objectives: list[dict[str, Any]] | None = None,
    constraints: list[dict[str, Any]] | None = None,
    batch: int = 6,
    fail: float = 0.1,
    running: int = 0,
    jobs: bool = True,
    text: str = '',
    answers: bool = False,
    **fields: Any,
) -> CampaignRecord:
    """A campaign of so many evaluations, every fourth of a later generation a random control.

    :param text: put into every text that comes from outside but formulas: names, reasons, labels.
    """
    draw = random.Random(5)
    goal = {'objectives': objectives or ONE, 'constraints': constraints or []}
    data = {
        'name': f'by hand{text}',
        'goal': goal,
        'propose': {'library': 'aflow'},
        'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'family'},
    }
    settings = CampaignSettings.model_construct(**vars(CampaignSettings.model_validate({**data, 'name': 'by hand'})))
    record = CampaignRecord(
        **{
            'pk': 9,
            'uuid': '5c1f0f3e-7a54-4a3c-9d55-3f0f7e1c2b11',
            'name': settings.name,
            'state': 'finished',
            'exit_status': 0,
            'exit_message': None,
            'stop_reason': f'budget used up: {evaluations} of {evaluations} evaluations{text}',
            'created': START,
            'changed': START + timedelta(minutes=2 * evaluations + 1),
            'resumed': (),
            'settings': settings,
            'budget': {'evaluations': evaluations},
            'library': LibraryRecord(f'aflow{text}', 'b' * 36, 100, 'c' * 64, {f'AFLOW{text}': {'licence': 'CC BY'}}),
            'model': {'name': 'shipped'},
            'versions': {'aiida-core': f'2.9.4{text}'},
            'codes': ({'label': f'pw@localhost{text}', 'version': '7.2'},),
            'generations': tuple(
                GenerationRecord(
                    number, 20 + number, f'generation-{number}', 'finished', 0, None, START, START,
                    surrogate=SurrogateRecord(f'surrogate-{number}', 'auto', {'bulk_modulus': f'gp{text}'}, {}),
                )
                for number in range(1, 1 + -(-evaluations // batch))
            ),
            'evaluations': (),
            'jobs': (),
            'candidates': (),
            'answers_reason': 'the answers of DFT are not known beforehand',
            'source': f'profile test{text}',
        }
    )  # fmt: skip
    made, launched, candidates = [], [], []
    for place in range(evaluations):
        generation = 1 + place // batch
        pair = PAIRS[draw.randrange(len(PAIRS))]
        crystal = zincblende(*pair, a=draw.uniform(3.5, 6.0))
        content = json.dumps(crystal.to_dict())
        status = 'running' if place >= evaluations - running else 'failed' if draw.random() < fail else 'completed'
        value = draw.uniform(50, 400)
        found = {'bulk_modulus': value, 'density': draw.uniform(2, 9), 'band_gap': draw.uniform(0, 3)}
        arm = 'initial' if generation == 1 else 'control' if place % 4 == 0 else 'acquisition'
        start = START + timedelta(minutes=2 * place)
        name = f'g{generation:03d}_c{place:04d}{text}'
        predicted = {'bulk_modulus': (value + draw.gauss(0, 30), 30.0)} if generation > 1 else {}
        own = _jobs(place, name, start, status) if jobs else []
        launched += own
        made.append(
            EvaluationRecord(
                name,
                crystal.formula,
                generation,
                status,
                arm=arm,
                template=f'mp-{place}{text}',
                generator='enumeration',
                prototype=f'AB_cF8_216_a_c{text}',
                acquisition='log_ei' if generation > 1 else 'spread',
                hit=is_hit(record.goal, found) if status == 'completed' else None if status == 'running' else False,
                properties=found if status == 'completed' else {},
                predicted=predicted,
                reason=f'pw.x ran out of wall time{text}' if status == 'failed' else '',
                exit_status={'failed': 310, 'completed': 0, 'running': None}[status],
                dft_calculations=sum(not job.cached for job in own),
                core_hours=0.1,
                pk=1000 + place,
                uuid=f'1b2c3d4e-0000-4000-8000-{place:012d}',
                started=start,
                ended=None if status == 'running' else start + timedelta(minutes=2),
                proposed_text=content,
                relaxed_text=content if status == 'completed' else None,
            )
        )
        for number in range(3):
            verdicts = {f'distance{text}': Verdict(number != 2, 0.9)}
            candidates.append(
                CandidateRecord(f'{name}{number}', crystal.formula, verdicts=verdicts, content_text=content)
            )
    changed: dict[str, Any] = {'evaluations': tuple(made), 'jobs': tuple(launched), 'candidates': tuple(candidates)}
    if answers:
        changed['answers'] = {
            item.id: {'bulk_modulus': draw.uniform(50, 400), 'density': 3.0, 'band_gap': 1.0} for item in candidates
        }
    return replace(record, **{**changed, **fields})


def _jobs(place: int, name: str, start: datetime, status: str) -> list[JobRecord]:
    """Two relaxations and three points of an equation of state; the second relaxation of a failed evaluation fails."""
    made = []
    for number in range(2 if status != 'completed' else 5):
        path = (
            ('relax', f'iteration_{number + 1:02d}', 'iteration_01')
            if number < 2
            else (f'eos_{number}', 'iteration_01')
        )
        failed = status == 'failed' and number == 1
        state = 'waiting' if status == 'running' and number == 1 else 'finished'
        begun = start + timedelta(seconds=20 * number)
        made.append(
            JobRecord(
                5000 + 10 * place + number, begun, 1, 1000 + place, name, path, PW,
                None if state == 'waiting' else 400 if failed else 0, state, 2, 15.0, 120.0, place == 1 and number == 0,
                uuid=f'job-{place}-{number}', changed=begun + timedelta(seconds=18),
            )
        )  # fmt: skip
    return made
