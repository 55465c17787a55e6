"""A campaign as pandas DataFrames: evaluations, jobs, candidates, generations, hits. The same from profile and archive.

Each function takes the record of a campaign, so that several tables cost one reading::

    from aiida_inversedesign.audit.frames import evaluations, read_record

    record = read_record(1234)                      # or read_record('campaign.aiida'), without any profile
    table = evaluations(record)
    table.attrs['units']['bulk_modulus']            # 'GPa'

``DataFrame.attrs['units']`` has the unit of each column that has one, ``attrs['campaign']`` the campaign's UUID.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.audit.metrics.best import best_of_each
from aiida_inversedesign.audit.record import CampaignRecord, EvaluationRecord
from aiida_inversedesign.campaign.contracts.engine import find
from aiida_inversedesign.campaign.properties import unit_of
from aiida_inversedesign.graph.job_record import JobRecord

if TYPE_CHECKING:
    from pandas import DataFrame


def _names(text: str) -> tuple[str, ...]:
    """Names of columns: words are easier to read than a column of strings."""
    return tuple(text.split())


#: Units of the columns that every campaign has.
_UNITS = {'core_hours': 'h', 'duration': 's', 'wall_time': 's'}

_EVALUATION = _names(
    'candidate key generation arm generator proposer template prototype surrogate acquisition acquisition_value '
    'probability status reason exit_status hit copy_of'
)
#: Columns that are empty where candidates are not crystals.
_CRYSTAL = _names('template template_formula prototype proto_label')
_TIMES = ('dft_calculations', 'core_hours', 'started', 'ended', 'pk', 'uuid')


def read_record(source: Any, campaign: str | None = None) -> CampaignRecord:
    """The record of a campaign.

    :param source: its node, PK or UUID in the loaded profile; or the path of an archive (``.aiida``), for which no
        profile is needed.
    :param campaign: PK or UUID of the campaign, where an archive has several.
    :raises AuditError: if there is no such campaign.
    """
    from aiida_inversedesign.audit.load import load_record

    if isinstance(source, Path) or (isinstance(source, str) and source.endswith('.aiida')):
        from aiida_inversedesign.audit.archive import only_campaign, open_archive

        with open_archive(source):
            return load_record(only_campaign(campaign, f'the archive {source}'))
    return load_record(source)


def evaluations(record: CampaignRecord) -> DataFrame:
    """One row for each evaluation, in the order of the launches.

    Each property has a column of its name; its standard error, where one was measured, is in ``<property>_error``, and
    what the surrogate predicted at the choice in ``<property>_predicted`` and ``<property>_predicted_std``. Variables
    of the space have columns of their names, ``variable_<name>`` where a name is taken.
    """
    return _evaluation_frame(record, record.evaluations)


def known(record: CampaignRecord) -> DataFrame:
    """One row for each point of the starting data; columns as those of :func:`evaluations`."""
    return _evaluation_frame(record, record.known)


def hits(record: CampaignRecord) -> DataFrame:
    """The evaluations that are hits, in the order of the launches; columns as those of :func:`evaluations`."""
    return _evaluation_frame(record, [item for item in record.evaluations if item.hit])


def best(record: CampaignRecord, number: int = 10) -> DataFrame:
    """The best evaluation of each distinct thing that keeps the constraints, the best value first."""
    return _evaluation_frame(record, best_evaluations(record)[:number])


def best_evaluations(record: CampaignRecord) -> list[EvaluationRecord]:
    """The best completed evaluation of each distinct thing that keeps the constraints, the best first."""
    return [item for item, _ in best_of_each(record.evaluations, record.goal)]


def job_end(job: JobRecord, ends: Mapping[int | None, datetime | None]) -> datetime | None:
    """When a job ended; None while it runs.

    A node that is marked later, as the cache marks what it may not copy, has changed after its end: no job ends after
    the evaluation that it was made for.

    :param ends: when each evaluation ended, by its PK.
    """
    if not job.has_ended or job.changed is None:
        return None
    return min(job.changed, ends.get(job.evaluation_id) or job.changed)


def jobs(record: CampaignRecord) -> DataFrame:
    """One row for each calculation job, references, restarts, failures and cache copies included."""
    ends = {item.pk: item.ended for item in record.evaluations}
    numbers = {generation.pk: generation.number for generation in record.generations}
    columns = _names(
        'evaluation generation kind path is_dft is_reference is_restart cached state exit_status failure processes '
        'wall_time core_hours created changed code code_version computer pk uuid'
    )
    rows = [
        _row(
            job, columns, generation=numbers.get(job.generation), path='/'.join(job.path), wall_time=job.wall_seconds,
            changed=job_end(job, ends) or job.changed, pk=job.id,
        )
        for job in record.jobs
    ]  # fmt: skip
    return _frame(record, rows, columns)


def candidates(record: CampaignRecord) -> DataFrame:
    """One row for each candidate that was considered, rejected ones included, with the screen that rejected it."""
    evaluated = {item.candidate: item.status for item in record.evaluations}
    columns = _names(
        'candidate key proposer generator template template_formula prototype proto_label probability rank source '
        'accepted rejected_by reason evaluated also_proposed_by'
    )
    rows = []
    for item in record.candidates:
        verdict = item.verdicts.get(item.rejected_by or '')
        why = verdict.reason if verdict else ''
        rows.append(_row(item, columns, candidate=item.id, reason=why, evaluated=evaluated.get(item.id, '')))
    return _frame(record, rows, columns)


def generations(record: CampaignRecord) -> DataFrame:
    """One row for each generation, as often as it was launched: what it evaluated, what that cost, what was learned."""
    columns = _names(
        'number state exit_status created changed evaluations completed failed hits dft_calculations core_hours '
        'chosen_with surrogate pk uuid'
    )
    last = {generation.number: generation.pk for generation in record.generations}
    rows = []
    for generation in record.generations:
        # an interrupted generation and the one that took it up share their number: its evaluations are the latter's
        final = last[generation.number] == generation.pk
        own = [item for item in record.evaluations if item.generation == generation.number and final]
        hours = [item.core_hours for item in own if item.core_hours is not None]
        statuses = [item.status for item in own]
        rows.append(
            _row(
                generation, columns, evaluations=len(own), completed=statuses.count('completed'),
                failed=statuses.count('failed'), hits=sum(item.hit is True for item in own),
                dft_calculations=sum(item.dft_calculations for item in own), core_hours=sum(hours) if hours else None,
                surrogate=_models(generation.surrogate),
            )
        )  # fmt: skip
    return _frame(record, rows, columns)


def _row(item: Any, columns: Iterable[str], **own: Any) -> dict[str, Any]:
    """A row of a table: attributes of an object under their own names, but for what is given."""
    return {name: own[name] if name in own else getattr(item, name) for name in columns}


def _models(surrogate: Any) -> str:
    """The kinds of model that a surrogate consists of."""
    if surrogate is None:
        return ''
    return ', '.join(dict.fromkeys(surrogate.models.values())) or surrogate.kind


def property_names(record: CampaignRecord) -> list[str]:
    """Every property that the goal names or an evaluation has, those of the goal first."""
    found: dict[str, None] = dict.fromkeys(record.goal.properties)
    for item in record.evaluations:
        found.update(dict.fromkeys(item.properties))
    return list(found)


def property_unit(record: CampaignRecord, name: str) -> str:
    """Unit of a property; empty if it has none or it is not known.

    What a data set has beside the goal's properties need not be in the package's units, though it has the same name.
    """
    engine = find(record.engine)
    declared = (engine.units(record.settings.evaluate) if engine is not None else None) or {}
    if engine is not None and engine.looks_up and name not in record.goal.properties:
        return str(declared.get(name, ''))
    return unit_of(name, declared) or ''


def _evaluation_frame(record: CampaignRecord, chosen: Sequence[EvaluationRecord]) -> DataFrame:
    names = property_names(record)
    # the same columns for all tables of a campaign, whichever rows they have
    predicted = [name for name in names if any(name in item.predicted for item in record.evaluations)]
    measured = [name for name in names if any(name in item.errors for item in record.evaluations)]
    rows: list[dict[str, Any]] = []
    for item in chosen:
        row = {name: getattr(item, name) for name in _EVALUATION}
        row |= {name: item.properties.get(name) for name in names}
        row |= {f'{name}_error': item.errors.get(name) for name in measured}
        for name in predicted:
            row[f'{name}_predicted'], row[f'{name}_predicted_std'] = item.predicted.get(name, (None, None))
        row |= {name: getattr(item, name) for name in _TIMES}
        row['duration'] = (item.ended - item.started).total_seconds() if item.ended and item.started else None
        rows.append(row)
    results = [column for name in names for column in (name, f'{name}_error') if column == name or name in measured]
    results += [f'{name}_predicted{ending}' for name in predicted for ending in ('', '_std')]
    taken = {record.space.key_name, *_EVALUATION, *results, 'duration', *_TIMES}
    units = {}
    for variable in record.coordinates(record.evaluations):
        units[variable.name if variable.name not in taken else f'variable_{variable.name}'] = variable.unit
    for index, variable in enumerate(record.coordinates(chosen)):
        for row, value in zip(rows, variable.values, strict=True):
            row[list(units)[index]] = value
    frame = _frame(record, rows, [*_EVALUATION[:2], *units, *_EVALUATION[2:], *results, 'duration', *_TIMES])
    frame.attrs['units'] |= {column: unit for column, unit in units.items() if unit}
    return frame


def _frame(record: CampaignRecord, rows: list[dict[str, Any]], columns: Iterable[str]) -> DataFrame:
    """The rows as a table that knows its units."""
    import pandas as pd

    # what only crystals have
    left_out = () if record.space.of_crystals else _CRYSTAL
    columns = [name for name in columns if name not in left_out]
    frame = pd.DataFrame(rows, columns=columns).rename(columns={'key': record.space.key_name})
    units = {name: unit for name, unit in _UNITS.items() if name in columns}
    for name in property_names(record):
        unit = property_unit(record, name)
        for column in (name, f'{name}_error', f'{name}_predicted', f'{name}_predicted_std'):
            if unit and column in columns:
                units[column] = unit
    frame.attrs = {'campaign': record.uuid, 'units': units}
    return frame
