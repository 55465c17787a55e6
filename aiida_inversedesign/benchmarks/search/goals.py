"""What is searched for: the goal as a campaign has it, and which members of a pool are hits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Array, Mask
from aiida_inversedesign.campaign.goal import Constraint, Goal, Objective
from aiida_inversedesign.campaign.text.digits import Digits, plain
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.report.figures.pareto import front, losses

#: Share of the pool that are hits where the goal names no threshold.
TOP = 0.05
_NUMBER = r'[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?'
_BOUND = re.compile(
    rf'^\s*(?:(?P<low>{_NUMBER})\s*<=\s*)?(?P<name>[^<>=\s]+)\s*(?:(?P<sign><=|>=)\s*(?P<bound>{_NUMBER})\s*)?$'
)


class GoalError(InverseDesignError):
    """A goal that cannot be understood, or that nothing in the pool can meet."""


@dataclass(frozen=True, eq=False)
class Task:
    """A goal in a pool.

    :param goal: what the arms know.
    :param hits: which members of the pool are hits, shape (n,).
    :param rule: the same in words.
    """

    goal: Goal
    hits: Mask
    rule: str

    @property
    def total(self) -> int:
        """Number of hits in the pool."""
        return int(self.hits.sum())


def parse_goal(text: str, name: str | None, where: Sequence[str] = (), hit: float | None = None) -> Goal:
    """The goal of ``--goal``, ``--property`` and ``--where``.

    :param text: ``maximize``, ``minimize``, ``target:V±T`` (or ``V+-T``), ``window:A,B``, or ``pareto:P1,-P2``, where
        a minus stands before a property that is minimised.
    :param name: the property, not needed for ``pareto``.
    :param where: bounds such as ``heat<=0.2``, ``gap>=1`` or ``1.5<=gap<=3``.
    :param hit: value from which a maximised or minimised property is a hit; the arms know it.
    :raises GoalError: if a part is not understood.
    """
    from pydantic import ValidationError

    kind, _, rest = text.partition(':')
    try:
        constraints = [_constraint(item) for item in where]
        if kind == 'pareto':
            return Goal(objectives=[_direction(item) for item in _split(rest, text)], constraints=constraints)
        if name is None:
            raise GoalError('name the property with --property')
        return Goal(objectives=[_objective(kind, rest, name, hit, text)], constraints=constraints)
    except ValidationError as error:
        reasons = '; '.join(item['msg'].removeprefix('Value error, ') for item in error.errors())
        raise GoalError(f'--goal {text}: {reasons}') from error


def _objective(kind: str, rest: str, name: str, hit: float | None, text: str) -> Objective:
    if kind in ('maximize', 'minimize') and not rest:
        return Objective.model_validate({'property': name, kind: True, 'hit': hit})
    if kind == 'target':
        found = re.fullmatch(rf'\s*({_NUMBER})\s*(?:±|\+-|\+/-)\s*({_NUMBER})\s*', rest)
        if found:
            return Objective(property=name, target=float(found[1]), tolerance=float(found[2]))
    if kind == 'window':
        found = re.fullmatch(rf'\s*({_NUMBER})\s*,\s*({_NUMBER})\s*', rest)
        if found:
            return Objective(property=name, window=(float(found[1]), float(found[2])))
    raise GoalError(
        f'--goal {text}: write maximize, minimize, target:V±T (or target:V+-T), window:LOW,HIGH, or '
        'pareto:P1,-P2 (a minus before what is minimised)'
    )


def _split(rest: str, text: str) -> list[str]:
    names = [item.strip() for item in rest.split(',') if item.strip()]
    if len(names) < 2 or len({item.lstrip('+-') for item in names}) != len(names):
        raise GoalError(f'--goal {text}: name two or more different properties, e.g. pareto:K_VRH,-density')
    return names


def _direction(item: str) -> Objective:
    if item.startswith('-'):
        return Objective(property=item[1:], minimize=True)
    return Objective(property=item.removeprefix('+'), maximize=True)


def _constraint(text: str) -> Constraint:
    found = _BOUND.match(text)
    if found and (found['low'] or found['bound']):
        low = float(found['low']) if found['low'] else None
        bound = float(found['bound']) if found['bound'] else None
        if found['sign'] == '<=' or bound is None:
            return Constraint(property=found['name'], min=low, max=bound)
        if low is None:
            return Constraint(property=found['name'], min=bound)
    raise GoalError(f'--where {text}: write bounds as name<=V, name>=V or LOW<=name<=HIGH')


def make_task(goal: Goal, values: Mapping[str, Array], top: float | None = None) -> Task:
    """Find the hits of a goal in a pool.

    A goal with thresholds defines its hits itself. Otherwise they are the best share ``top`` of those that keep the
    constraints, ties included, or with several objectives the Pareto front; then the arms do *not* know the threshold.

    :param values: answers by property, each of shape (n,).
    :raises GoalError: if the pool has no hit, or nothing but hits.
    """
    if goal.defines_hits:
        if top is not None:
            raise GoalError('--top is for maximize, minimize and pareto without --hit: this goal defines its hits')
        hits, rule = within(goal, values), describe(goal)
    elif len(goal.objectives) > 1:
        hits, rule = _fronts(goal, values, top), 'Pareto front' if top is None else f'best fronts, {top:g} of the pool'
    else:
        share = TOP if top is None else top
        hits, rule = _best(goal, values, share)
    number = int(hits.sum())
    if number in (0, len(hits)):
        raise GoalError(f'{"no" if number == 0 else "every"} member of the pool is a hit ({rule}): change the goal')
    return Task(goal, hits, rule)


def within(goal: Goal, values: Mapping[str, Array]) -> Mask:
    """Which members keep every window, threshold and constraint, shape (n,)."""
    mask = feasible(goal, values)
    for objective in goal.objectives:
        low, high = objective.hit_range or (-math.inf, math.inf)
        mask &= (values[objective.property] >= low) & (values[objective.property] <= high)
    return mask


def limits(constraint: Constraint) -> tuple[float, float]:
    """The bounds of a constraint, infinite where it has none."""
    return (
        -math.inf if constraint.min is None else constraint.min,
        math.inf if constraint.max is None else constraint.max,
    )


def feasible(goal: Goal, values: Mapping[str, Array]) -> Mask:
    """Which members keep every constraint, shape (n,)."""
    mask = np.ones(len(next(iter(values.values()))), dtype=bool)
    for constraint in goal.constraints:
        low, high = limits(constraint)
        mask &= (values[constraint.property] >= low) & (values[constraint.property] <= high)
    return mask


def utilities(goal: Goal, values: Mapping[str, Array]) -> Array:
    """Each objective so that more is better, shape (n, objectives): value, −value, or −distance to the range."""
    return np.stack([-losses(item, values[item.property]) for item in goal.objectives], axis=1)


def describe(goal: Goal) -> str:
    """The hits of a goal in words."""
    parts = []
    for objective in goal.objectives:
        if objective.hit_range is None:
            parts.append(f'{objective.kind} {objective.property}')
        else:
            parts.append(_bounds(objective.property, *objective.hit_range))
    parts += [_bounds(item.property, *limits(item)) for item in goal.constraints]
    return ' and '.join(parts)


def _bounds(name: str, low: float, high: float) -> str:
    left = '' if math.isinf(low) else f'{plain(low)} <= '
    right = '' if math.isinf(high) else f' <= {plain(high)}'
    return f'{left}{name}{right}'


def _best(goal: Goal, values: Mapping[str, Array], share: float) -> tuple[Mask, str]:
    if not 0 < share < 1:
        raise GoalError(f'--top {share:g}: give a share of the pool between 0 and 1, e.g. 0.05')
    able, score = feasible(goal, values), utilities(goal, values)[:, 0]
    if not able.any():
        raise GoalError('no member of the pool keeps the constraints: change --where')
    threshold = float(np.quantile(score[able], 1 - share))
    objective = goal.objectives[0]
    value = threshold if objective.kind == 'maximize' else -threshold
    digits = Digits([value, *values[objective.property].tolist()], least=6)
    sign = '>=' if objective.kind == 'maximize' else '<='
    among = f', {describe(goal).partition(" and ")[2]}' if goal.constraints else ''
    return able & (score >= threshold), f'top {share:g}: {objective.property} {sign} {digits.text(value)}{among}'


def _fronts(goal: Goal, values: Mapping[str, Array], top: float | None) -> Mask:
    """The Pareto front, or the first fronts that together make up a share of the pool."""
    left = np.flatnonzero(feasible(goal, values))
    score = utilities(goal, values)
    hits = np.zeros(len(score), dtype=bool)
    while len(left):
        best = front(score[left])
        hits[left[best]] = True
        left = left[~best]
        if top is None or hits.sum() >= top * len(score):
            break
    return hits
