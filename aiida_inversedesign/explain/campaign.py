"""The explanation of a campaign as plain data, from its rows, its surrogate, its pool and its last choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import unit_of
from aiida_inversedesign.campaign.row import EvaluationRow, is_hit
from aiida_inversedesign.explain.choices import Decision, reasons
from aiida_inversedesign.explain.hits import Hits, rules_of
from aiida_inversedesign.explain.learned import (
    LEADING,
    MOST_CANDIDATES,
    ExplainError,
    Task,
    dependences,
    distances,
    domain,
    importances,
    quality,
)
from aiida_inversedesign.learn.curves.rows import curves_of_rows
from aiida_inversedesign.learn.fit import errors_of, values_of
from aiida_inversedesign.learn.models.mixture import model_of_rows
from aiida_inversedesign.learn.regressor import RegressorError
from aiida_inversedesign.learn.surrogate import Surrogate, estimated_property
from aiida_inversedesign.screen.rules import printable
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.select.observed import Observed

SCHEMA = 'inversedesign/1'
#: Random halves of a campaign's rows on which rules are counted.
_SPLITS = 10
#: Candidates with the best predictions that are named where they lie outside of the data.
_BEST = 10


@dataclass(frozen=True)
class Selection:
    """A recorded selection: what it was given, and what it chose.

    :param choices: as recorded (:meth:`aiida_inversedesign.select.choose.Choice.to_dict`).
    :param running: ids of the candidates that were being evaluated.
    """

    generation: int
    seed: int
    rows: Sequence[EvaluationRow]
    surrogate: Surrogate
    candidates: Sequence[Candidate]
    running: Sequence[str]
    choices: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Campaign:
    """What is known of a campaign.

    :param surrogate: the newest. :param candidates: all that passed every screen.
    :param selections: those whose choices are explained, the newest last.
    :param units: of the properties. :param noisy: whether the engine measures.
    """

    goal: Goal
    space: SpaceSection
    rows: Sequence[EvaluationRow]
    surrogate: Surrogate
    candidates: Sequence[Candidate]
    selections: Sequence[Selection] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    noisy: bool = True

    @cached_property
    def curves(self) -> dict[str, CurveRows]:
        """The curves of the rows, by the names of their numbers."""
        # which regression learns them is settled in the surrogate
        return curves_of_rows(self.rows, self.goal.functionals, 'auto')

    def own_units(self, features: Array) -> tuple[Array, list[str]]:
        """Descriptors in their own units, shape (n, d), and the units."""
        values, units = np.empty_like(features), []
        for column, name in enumerate(self.surrogate.names):
            if (estimated := estimated_property(name)) is not None:
                values[:, column], unit = features[:, column], unit_of(estimated) or ''
            else:
                values[:, column], unit = self.space.in_own_unit(name, features[:, column])
            units.append(unit)
        return values, units


def explain(campaign: Campaign) -> dict[str, Any]:
    """Everything that the explanation says: ``models`` by property, ``choices``, ``rules``.

    :raises ExplainError: if no property of the goal can be explained: too few rows, or constant values.
    """
    rng = np.random.default_rng(campaign.seed)
    evaluated = {row.candidate for row in campaign.rows}
    rest = [item for item in campaign.candidates if item.id not in evaluated]
    drawn = np.sort(rng.permutation(len(rest))[:MOST_CANDIDATES]).tolist()
    rest = [rest[index] for index in drawn]
    everything = campaign.surrogate.features_of(campaign.space, [*campaign.rows, *rest])
    models, refused = {}, {}
    for name in campaign.goal.properties:
        try:
            models[name] = _model(campaign, name, everything, rest)
        except (ExplainError, RegressorError) as error:
            # of the rows that a refit knows too few may have their curves
            refused[name] = str(error)
    if not models:
        raise ExplainError('; '.join(refused.values()))
    return {
        'schema': SCHEMA,
        'seed': campaign.seed,
        'rows': len(campaign.rows),
        'candidates': len(campaign.candidates),
        'models': models,
        'not_explained': refused,
        'choices': [item for selection in campaign.selections for item in _choices(campaign, selection)],
        'rules': _rules(campaign, everything),
    }


def _model(campaign: Campaign, name: str, everything: Array, rest: Sequence[Candidate]) -> dict[str, Any]:
    surrogate = campaign.surrogate
    values = values_of(campaign.rows, name)
    known = np.isfinite(values)
    pool = surrogate.standardise(everything)
    errors = errors_of(campaign.rows, name, campaign.noisy)[known]
    task = Task(
        name,
        surrogate.models[name],
        pool[: len(values)][known],
        values[known],
        pool,
        surrogate.names,
        campaign.seed,
        errors if np.isfinite(errors).any() else None,
        campaign.curves[name].at(known) if name in campaign.curves else None,
    )
    ranked = importances(task)
    curves = dependences(task, [item['group'] for item in ranked[:LEADING]])
    for curve in curves:
        column = surrogate.names.index(curve['group'])
        grid = np.zeros((len(curve['grid']), len(surrogate.names)))
        grid[:, column] = np.array(curve['grid']) * surrogate.width[column] + surrogate.center[column]
        own, units = campaign.own_units(grid)
        # without what remains of zero by scaling there and back
        size = float(np.ptp(own[:, column])) or 1.0
        curve['grid'], curve['unit'] = (np.round(own[:, column] / size, 9) * size).tolist(), units[column]
    limits = domain(task)
    limits['best_beyond'] = _best_beyond(campaign, task, rest, pool[len(values) :], limits['limit'])
    return {
        'kind': task.model.kind,
        'rows': int(known.sum()),
        'r2': quality(task),
        'importances': ranked,
        'constant': task.constant,
        'dependences': curves,
        'domain': limits,
    }


def _best_beyond(
    campaign: Campaign, task: Task, rest: Sequence[Candidate], inputs: Array, limit: float
) -> list[dict[str, Any]]:
    """Of the candidates with the best predictions of the first objective those that lie beyond the limit."""
    objective = campaign.goal.objectives[0]
    if not rest or objective.property != task.name:
        return []
    mean, deviation = task.model.predict(inputs)
    low, high = objective.hit_range or (-np.inf, np.inf)
    worth = {'maximize': mean, 'minimize': -mean}.get(
        objective.kind, -np.maximum(np.maximum(low - mean, mean - high), 0.0)
    )
    best = np.argsort(-worth, kind='stable')[:_BEST]
    away = distances(inputs[best], task.X)
    return [
        {
            'candidate': rest[index].id,
            'key': rest[index].key,
            'predicted': float(mean[index]),
            'deviation': float(deviation[index]),
            'distance': float(far),
        }
        for index, far in zip(best.tolist(), away, strict=True)
        if far > limit
    ]


def _choices(campaign: Campaign, selection: Selection) -> list[dict[str, Any]]:
    """Why the candidates of a selection were chosen; those of the control arm were drawn at random."""
    space, surrogate = campaign.space, selection.surrogate
    by_id = {item.id: item for item in selection.candidates}
    gone = {row.candidate for row in selection.rows} | set(selection.running)
    pool = [item for item in selection.candidates if item.accepted and item.id not in gone]
    indices = {item.id: number for number, item in enumerate(pool)}
    chosen = [choice for choice in selection.choices if choice['candidate'] in indices]

    decision = Decision(
        campaign.goal,
        surrogate,
        Observed.from_rows(selection.rows, surrogate, campaign.goal.properties, space),
        [row.key for row in selection.rows],
        surrogate.inputs_of(space, pool),
        [item.id for item in pool],
        surrogate.inputs_of(space, [by_id[name] for name in selection.running if name in by_id]),
        [indices[choice['candidate']] for choice in chosen],
        selection.seed,
    )
    found = []
    for number, choice in enumerate(chosen):
        item = {
            'candidate': choice['candidate'],
            'key': by_id[choice['candidate']].key,
            'generation': selection.generation,
            'arm': choice['arm'],
            'acquisition': choice['acquisition'],
            'value': choice['value'],
            'predicted': choice['predicted'],
        }
        if choice['arm'] == 'acquisition' and choice['acquisition'] != 'random':
            item |= reasons(decision, number, choice['acquisition'])
            if item['change']:
                item['change']['next_key'] = by_id[item['change']['next']].key
        found.append(item)
    return found


def _rules(campaign: Campaign, everything: Array) -> dict[str, Any]:
    """The rules that hits obey, or the reason why none are found."""
    if not campaign.goal.defines_hits:
        return {'rules': [], 'reason': 'the goal does not say what a hit is: give it a hit threshold or a window'}
    ended = np.array([index for index, row in enumerate(campaign.rows) if row.status == 'completed'], dtype=np.int64)
    hit = np.array([is_hit(campaign.goal, campaign.rows[index].properties) is True for index in ended], dtype=bool)
    own, units = campaign.own_units(everything)
    surrogate = campaign.surrogate
    inputs, names = surrogate.standardise(everything), campaign.goal.properties
    values = {name: values_of(campaign.rows, name) for name in names}

    def probability(known: Integers) -> Array:
        rows = ended[known]
        models = {}
        for name in names:
            own_rows = rows[np.isfinite(values[name][rows])]
            curves = campaign.curves[name].at(own_rows) if name in campaign.curves else None
            models[name] = model_of_rows(surrogate.models[name], inputs[own_rows], values[name][own_rows], None, curves)
        observed = Observed(inputs[:0], {name: np.empty(0) for name in names}, np.empty(0, dtype=bool))
        # a hit of what completes: failures are another matter
        refitted = replace(surrogate, models=models, failure=None)
        score = make_acquisition('pi', campaign.goal, refitted, observed, campaign.seed)
        return np.exp(score.score(inputs, np.empty((0, inputs.shape[1]))))

    first = names[0]
    found = surrogate.models[first].predict(inputs)[0]
    found[: len(values[first])] = np.where(np.isfinite(values[first]), values[first], found[: len(values[first])])
    shown = (f'{first}, found or predicted', campaign.units.get(first, ''), found)
    task = Hits(printable(own), surrogate.names, units, ended, hit, probability, campaign.space.nouns, shown)
    try:
        return rules_of(task, campaign.seed, _SPLITS)
    except RegressorError as error:
        return {'rules': [], 'reason': str(error)}
