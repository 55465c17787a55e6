"""The data of the table of all evaluations, which the page's script sorts, filters and saves."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.audit.frames import property_unit
from aiida_inversedesign.audit.record import CampaignRecord, EvaluationRecord
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.campaign.row import KNOWN
from aiida_inversedesign.campaign.text.digits import MOST, digits_to
from aiida_inversedesign.report.cif import cif_text
from aiida_inversedesign.report.figures.elements import elements_of
from aiida_inversedesign.report.theme import lean
from aiida_inversedesign.report.words import ARMS

#: Properties that are printed where the goal does not name more.
MOST_PRINTED = 4


def table_data(record: CampaignRecord, figures: dict[str, Any]) -> dict[str, Any]:
    """Columns (key, title, kind), one row of plain values for each evaluation, and crystals as CIF.

    Starting data follow the evaluations, without a number.
    """
    items = [*record.evaluations, *record.known]
    space, variables = record.space, record.coordinates(items)
    names = list(record.goal.properties)
    for item in items:
        names += [name for name in item.properties if name not in names]
    predicted = [name for name in names if any(name in item.predicted for item in record.evaluations)]
    titles = {name: property_text(name, property_unit(record, name)) for name in names}
    columns = [
        ('number', '#', 'number'),
        ('key', space.key_name, 'formula' if space.of_crystals else 'text'),
        ('status', 'status', 'text'),
        ('hit', 'hit', 'text'),
        *(
            (f'v:{item.name}', property_text(item.name, item.unit), 'text' if item.choices else 'number')
            for item in variables
        ),
        *(column for name in names for column in _measured(name, titles[name])),
        *((f'm:{name}', f'predicted {titles[name]}', 'number') for name in predicted),
        *((f's:{name}', f'± {titles[name]}', 'number') for name in predicted),
        ('generation', 'generation', 'number'),
        ('arm', 'chosen as', 'text'),
        ('acquisition', 'acquisition', 'text'),
        ('generator', f'{space.key_name} by', 'text'),
        ('prototype', 'prototype', 'text'),
        ('copy', 'same as', 'text'),
        ('doubts', 'doubtful', 'text'),
        ('template', 'template', 'text'),
        ('dft', 'DFT calculations', 'number'),
        ('hours', 'core-hours', 'number'),
        ('reason', 'why it failed', 'text'),
        ('candidate', 'candidate', 'text'),
        ('uuid', 'UUID', 'uuid'),
    ]
    # paper has room for the goal's properties, or four
    beside = names[max(len(record.goal.properties), MOST_PRINTED) :]
    wide = [f'p:{name}' for name in beside] + [key for key, _, _ in columns if key[:2] in ('v:', 'm:', 's:')]
    own = [{f'v:{item.name}': item.values[index] for item in variables} for index in range(len(items))]
    rows = [
        _row(index, item, [key for key, _, _ in columns], own[index - 1], record.prototype(item))
        for index, item in enumerate(items, start=1)
    ]
    # what no evaluation has needs no column
    used = [index for index in range(len(columns)) if index < 4 or any(row[index] not in (None, '') for row in rows)]
    return {
        'name': record.name,
        'columns': [columns[index] for index in used],
        'rows': [[row[index] for index in used] for row in rows],
        'digits': {f'p:{name}': record.digits(name).most for name in names},
        'wide': [*wide, 'acquisition', 'generator', 'prototype', 'template', 'hours', 'uuid'],
        'elements': [sorted(elements_of(item.key)) if space.of_crystals else [] for item in items],
        'cifs': [_cif(record, item) for item in items] if space.of_crystals else None,
    }


def _measured(name: str, title: str) -> list[tuple[str, str, str]]:
    """The columns of a property: its value, and its standard error where one was measured."""
    return [(f'p:{name}', title, 'number'), (f'e:{name}', f'± measured {title}', 'number')]


def _row(index: int, item: EvaluationRecord, keys: list[str], variables: dict[str, Any], prototype: str) -> list[Any]:
    own: dict[str, Any] = {
        **variables,
        'number': None if item.arm == KNOWN else index,
        'key': item.key,
        'status': item.status,
        'hit': '' if item.hit is None else 'yes' if item.hit else 'no',
        'generation': item.generation,
        'arm': ARMS.get(item.arm, item.arm),
        'acquisition': item.acquisition,
        'generator': item.generator,
        'prototype': prototype,
        'copy': item.copy_of,
        'doubts': '; '.join(item.doubts),
        'template': item.template,
        'dft': item.dft_calculations,
        'hours': lean([item.core_hours], 4)[0],
        'reason': item.reason,
        'candidate': item.candidate,
        'uuid': item.uuid,
    }
    for name, value in item.properties.items():
        own[f'p:{name}'] = lean([value], MOST)[0]
    for name, error in item.errors.items():
        own[f'e:{name}'] = lean([error], 3)[0]
    for name, (mean, deviation) in item.predicted.items():
        own[f'm:{name}'], own[f's:{name}'] = (
            lean([mean], max(digits_to(mean, deviation), 5))[0],
            lean([deviation], 3)[0],
        )
    return [own.get(key) for key in keys]


def _cif(record: CampaignRecord, item: EvaluationRecord) -> str:
    """The relaxed crystal, or the proposed one where there is none; empty without either."""
    crystal = item.result
    if crystal is None:
        return ''
    comments = {
        'campaign': f'{record.name} {record.uuid}',
        'evaluation': f'{item.candidate} {item.uuid}',
        'structure': 'relaxed' if item.relaxed is not None else 'as proposed, not relaxed',
    }
    for name, value in item.properties.items():
        digits = max(record.digits(name).of(value), 6)
        comments[property_text(name)] = f'{value:.{digits}g} {property_unit(record, name)}'.rstrip()
    return cif_text(crystal, f'{item.key}_{item.candidate}', comments)
