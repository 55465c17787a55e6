"""Records of campaigns over points, made without a profile."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

from made_record import made_record

from aiida_inversedesign.audit.record import CampaignRecord, LibraryRecord
from aiida_inversedesign.campaign.row import is_hit
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.spaces.parameters.point import Point

VARIABLES: dict[str, Any] = {
    'x1': {'min': 0, 'max': 10, 'unit': 'mm^2'},
    'rate': {'min': 0.01, 'max': 100, 'scale': 'log'},
    'status': {'values': [1, 2, 3]},
    'shape': {'choices': ['round', 'square']},
}


def made_points(evaluations: int = 24, text: str = '', minimize: bool = False) -> CampaignRecord:
    """A campaign over four variables, one of which has the name of a column; every value has a standard error.

    :param text: put into every text that comes from outside, and behind one of the choices.
    """
    draw = random.Random(3)
    choices = ['round', f'square{text}']
    wish = {'minimize': True, 'hit': 20} if minimize else {'maximize': True, 'hit': 45}
    settings = CampaignSettings.model_validate(
        {
            'name': 'points',
            'goal': {'objectives': [{'property': 'toughness', **wish}]},
            'space': {'kind': 'parameters', 'variables': {**VARIABLES, 'shape': {'choices': choices}}},
            'propose': {'method': 'library', 'library': 'points.csv'},
            'evaluate': {'engine': 'table', 'data': 'points.csv', 'units': {'toughness': 'J'}},
        }
    )
    record = made_record(evaluations, text=text, jobs=False)
    made = []
    for item in record.evaluations:
        values = {'x1': draw.uniform(0, 10), 'rate': 10 ** draw.uniform(-2, 2), 'status': float(draw.randint(1, 3))}
        point = Point({**values, 'shape': choices[draw.randrange(2)]})
        value = 50 - (values['x1'] - 6) ** 2 + draw.gauss(0, 1)
        known = item.status == 'completed'
        found = {'toughness': value} if known else {}
        made.append(
            replace(
                item, key=point.key, space='parameters', proposed_text=json.dumps(point.to_dict()), relaxed_text=None,
                properties=found, errors={'toughness': 0.731} if known else {}, hit=is_hit(settings.goal, found),
                predicted={'toughness': (value + 1, 3.0)} if item.predicted else {}, template='', prototype='',
                proposer='library', dft_calculations=0, core_hours=None,
            )
        )  # fmt: skip
    candidates = [
        replace(one, key=item.key, space='parameters', content_text=item.proposed_text)
        for item in made
        for one in record.candidates[:1]
    ]
    library = LibraryRecord('points', 'b' * 36, 72, 'c' * 64, {})
    return replace(
        record, settings=settings, evaluations=tuple(made), candidates=tuple(candidates), library=library, model=None,
        codes=(),
    )  # fmt: skip
