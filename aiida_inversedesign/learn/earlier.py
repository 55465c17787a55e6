"""What earlier campaigns evaluated, as priors of a surrogate: the transfer between campaigns.

The rows of an earlier campaign are described as this campaign describes its own candidates, and condensed into one
:class:`~aiida_inversedesign.learn.models.transfer.Prior` for each property. Of the property itself, in the same unit,
the slope 1 is expected; of another property nothing is, and the slope is learned.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.models.transfer import LEAST_ROWS, Prior, learn_prior
from aiida_inversedesign.learn.regressor import RegressorError

#: Priors learned before: every generation of a campaign asks for the same.
_REMEMBERED = 16
_memory: OrderedDict[str, Prior] = OrderedDict()


class EarlierError(InverseDesignError):
    """An earlier campaign from which this one cannot learn, and what to do."""


@dataclass(frozen=True)
class EarlierCampaign:
    """A campaign as its nodes hold it: its settings, and its evaluations in their order."""

    settings: CampaignSettings
    rows: Sequence[EvaluationRow]


@dataclass(frozen=True)
class SourceTask:
    """One property of an earlier campaign that is learned from.

    :param campaign: UUID of the campaign, as ``learn.from`` of the settings has it. :param name: what it is called.
    :param property: whose values they are. :param unit: theirs.
    :param same: whether it is a property of this campaign's goal, in the same unit.
    :param rows: completed evaluations with a value. :param values: these, shape (n,).
    """

    campaign: str
    name: str
    property: str
    unit: str
    same: bool
    reason: str
    rows: tuple[EvaluationRow, ...]
    values: Array

    def describe(self) -> dict[str, Any]:
        """Plain JSON data: what is recorded of it."""
        return {
            'campaign': self.campaign,
            'name': self.name,
            'property': self.property,
            'unit': self.unit,
            'same_property': self.same,
            'reason': self.reason,
            'rows': [row.candidate for row in self.rows],
        }


def source_tasks(spec: CampaignSettings, campaigns: Sequence[EarlierCampaign]) -> list[SourceTask]:
    """What a campaign learns from, in the order of ``learn.from``.

    :raises EarlierError: see :func:`tasks_of`; or if there is another number of campaigns than ``learn.from`` names.
    """
    asked = spec.learn.earlier
    if len(campaigns) != len(asked):
        raise EarlierError(f'learn.from names {len(asked)} campaigns, and {len(campaigns)} were given')
    pairs = zip(asked, campaigns, strict=True)
    return [task for item, one in pairs for task in tasks_of(spec, item.campaign, item.property, one)]


def tasks_of(spec: CampaignSettings, identifier: str, asked: str | None, earlier: EarlierCampaign) -> list[SourceTask]:
    """What can be learned from one campaign.

    :param identifier: of the campaign. :param asked: a property of it; None: those that both goals have.
    :raises EarlierError: if the campaigns share no descriptors or properties, a unit differs, it is the same campaign,
        or there are too few completed evaluations.
    """
    given, who = earlier.settings, f'campaign {identifier} ({earlier.settings.name})'
    if _without_sources(given) == _without_sources(spec):
        raise EarlierError(
            f'{who} is this campaign itself, with the same settings and seed: continue it with '
            f'`aiida-inversedesign resume {identifier}`'
        )
    reason = _shared_descriptors(spec.space, given.space, who)
    own = spec.goal.properties
    names = [asked] if asked is not None else [name for name in own if name in given.goal.properties]
    if not any(name in row.properties for name in names for row in earlier.rows):
        raise EarlierError(_nothing(who, asked, own, earlier))
    found = []
    for name in names:
        rows = tuple(row for row in earlier.rows if row.status == 'completed' and name in row.properties)
        values = np.array([row.properties[name] for row in rows], dtype=np.float64)
        if len(rows) < LEAST_ROWS or np.ptp(values) == 0:
            raise EarlierError(
                f'{who} has {len(rows)} completed evaluations with {name}: at least {LEAST_ROWS} with different values '
                'are needed to learn from it'
            )
        unit, same = unit_of(given, name), name in own
        if same and unit != spec.unit(name):
            raise EarlierError(
                f'{who} has {name} in {unit or "no unit"}, this campaign in {spec.unit(name) or "no unit"}: the '
                'numbers cannot be compared; use the same unit in both, or another name for one of them'
            )
        why = f'{reason}; ' + (
            f'{name} in {unit or "the same unit"} in both' if same else f'{name}: a slope is learned'
        )
        found.append(SourceTask(identifier, given.name, name, unit, same, why, rows, values))
    return found


def unit_of(settings: CampaignSettings, name: str) -> str:
    """The unit of a property that rows of a campaign have; empty where that is not known."""
    try:
        return settings.unit(name)
    except KeyError:
        return ''


def _without_sources(settings: CampaignSettings) -> dict[str, Any]:
    return {**settings.model_dump(mode='json'), 'learn': None}


def _shared_descriptors(own: SpaceSection, given: SpaceSection, who: str) -> str:
    """Why candidates of two spaces can be described alike.

    :raises EarlierError: if they cannot.
    """
    refused = 'campaigns that share no descriptors'
    if own.kind != given.kind:
        raise EarlierError(f'{refused}: {who} has {given.nouns}, this campaign {own.nouns}')
    lacking = [name for name in own.headings if name not in given.headings]
    if lacking:
        there = ', '.join(given.headings)
        raise EarlierError(f'{refused}: {who} has no variable {", ".join(lacking)}; it has {there}')
    for name, unit in own.headings.items():
        if unit != given.headings[name]:
            raise EarlierError(
                f'{refused}: {who} has the variable {name} in {given.headings[name] or "no unit"}, this campaign in '
                f'{unit or "no unit"}'
            )
    variables = f' with the variables {", ".join(own.headings)}' if own.headings else ''
    return f'{own.nouns}{variables} in both, described alike'


def _nothing(who: str, asked: str | None, own: Sequence[str], earlier: EarlierCampaign) -> str:
    """Why there is nothing to learn, and what could be named instead."""
    there = sorted({name for row in earlier.rows for name in row.properties})
    if not there:
        return f'{who} has no completed evaluation: nothing can be learned from it'
    listed = ', '.join(f'{name} ({unit_of(earlier.settings, name) or "no unit"})' for name in there)
    wanted = asked or ' or '.join(own)
    remedy = '' if asked else f': to learn from another property write {{campaign: …, property: {there[0]}}}'
    return f'{who} has no {wanted}; it has {listed}{remedy}'


def earlier_priors(
    tasks: Sequence[SourceTask], space: SpaceSection, columns: Sequence[int] | None = None, seed: int = 0
) -> tuple[Prior, ...]:
    """One prior for each task; several of one property share what is expected of them.

    :param space: of this campaign: it describes the rows. :param columns: the descriptors that are used; None: all.
    :raises EarlierError: if the rows cannot be described so, or nothing can be learned from them.
    """
    found = []
    for task in tasks:
        digest = hashlib.sha256(repr((space.model_dump(mode='json'), columns, seed, task.same)).encode())
        digest.update(repr([(row.proposed.content_hash, row.probability) for row in task.rows]).encode())
        digest.update(task.values.tobytes())
        key = digest.hexdigest()
        if key not in _memory:
            _memory[key] = _learn(task, space, columns, seed)
            while len(_memory) > _REMEMBERED:
                _memory.popitem(last=False)
        share = sum(other.same and other.property == task.property for other in tasks) or 1
        prior = _memory[key]
        found.append(replace(prior, level=prior.level / share, spread=prior.spread / share, origin=task.campaign))
    return tuple(found)


def _learn(task: SourceTask, space: SpaceSection, columns: Sequence[int] | None, seed: int) -> Prior:
    who = f'campaign {task.campaign} ({task.name})'
    try:
        features, _ = space.describe([row.proposed for row in task.rows], [row.probability for row in task.rows])
    except (LookupError, TypeError, ValueError) as error:
        raise EarlierError(f'campaigns that share no descriptors: {who} cannot be described ({error})') from error
    try:
        return learn_prior(
            task.property, features if columns is None else features[:, columns], task.values, seed, task.same
        )
    except RegressorError as error:
        raise EarlierError(f'{who}: {error}') from error


def foreseen(priors: Sequence[Prior], features: Array) -> list[dict[str, float]]:
    """What priors of the goal's own properties say of candidates, in the properties' units, length n.

    :param features: raw descriptors, shape (n, d).
    """
    said: dict[str, Array] = {}
    for prior in priors:
        if prior.spread:
            said[prior.name] = said.get(prior.name, 0.0) + prior.level + prior.spread * prior(features)
    return [{name: float(column[index]) for name, column in said.items()} for index in range(len(features))]


def foreseen_of(
    spec: CampaignSettings, campaigns: Sequence[EarlierCampaign], candidates: Sequence[Candidate]
) -> dict[str, dict[str, float]]:
    """What earlier campaigns say of candidates before there is a surrogate, by id; empty without such campaigns.

    :raises EarlierError: if nothing can be learned from one.
    """
    if not campaigns or not candidates:
        return {}
    features, names = spec.space.describe(
        [candidate.content for candidate in candidates], [candidate.probability for candidate in candidates]
    )
    tasks = source_tasks(spec, campaigns)
    columns = spec.space.columns(names, sum(len(task.rows) for task in tasks))
    priors = earlier_priors(tasks, spec.space, columns, spec.seed)
    said = foreseen(priors, features if columns is None else features[:, columns])
    return {candidate.id: values for candidate, values in zip(candidates, said, strict=True) if values}


def record_of(tasks: Sequence[SourceTask], priors: Sequence[Prior]) -> list[dict[str, Any]]:
    """What is recorded of the campaigns that were learned from, as plain JSON data."""
    return [{**task.describe(), 'error': prior.error} for task, prior in zip(tasks, priors, strict=True)]
