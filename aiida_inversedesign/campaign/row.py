"""The table of all evaluations so far: one row each, failures included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aiida_inversedesign.campaign.curves.curve import Curve
from aiida_inversedesign.campaign.goal import Goal

Arm = Literal['initial', 'acquisition', 'replicate', 'control', 'known']
#: The arm of the starting data.
KNOWN: Arm = 'known'


@dataclass(frozen=True)
class EvaluationRow:
    """One evaluation: a candidate whose evaluation was launched, whatever became of it; or one of the starting data.

    :param arm: why it was chosen: ``initial``, ``acquisition``, ``replicate`` or ``control``; ``known`` was not chosen:
        it was there when the campaign began, has cost nothing and is not counted.
    :param key: what people are shown, e.g. a reduced formula.
    :param proposed: the content as proposed, e.g. a crystal.
    :param relaxed: the content as the evaluation left it, or None if it failed or changes nothing.
    :param properties: value of each property; the units are those of ``campaign.properties``.
    :param errors: standard error of properties that were measured with one, in the property's unit.
    :param replicates: of properties that were measured several times the number of measurements and the standard
        deviation of one.
    :param predicted: mean and standard deviation per property when it was chosen, if there was a surrogate.
    :param reason: why it failed, in words; empty if it completed.
    :param dft_calculations: calculation jobs it cost.
    :param core_hours: None where neither scheduler nor code recorded it.
    :param estimates: what a potential said of properties before the evaluation, in the properties' units.
    :param copy_of: the earlier evaluation that ended in the same thing; empty if none did, None if not determined: it
        failed, or the table is older than this column.
    :param curves: properties that are functions, by name.
    """

    candidate: str
    generation: int
    arm: Arm
    key: str
    status: Literal['completed', 'failed']
    proposed: Any
    relaxed: Any = None
    properties: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    hit: bool | None = None
    predicted: dict[str, tuple[float, float]] = field(default_factory=dict)
    reason: str = ''
    exit_status: int = 0
    dft_calculations: int = 0
    core_hours: float | None = None
    template: str = ''
    probability: float | None = None
    estimates: dict[str, float] = field(default_factory=dict)
    copy_of: str | None = None
    replicates: dict[str, tuple[int, float]] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)

    @property
    def content(self) -> Any:
        """What a surrogate sees of it, as of a candidate: the content as proposed."""
        return self.proposed

    @property
    def result(self) -> Any:
        """What the evaluation ended in: the relaxed content, or the proposed one where the engine changes nothing."""
        return self.proposed if self.relaxed is None else self.relaxed

    @property
    def is_distinct_hit(self) -> bool:
        """Whether the campaign found it, it is a hit, and no earlier evaluation ended in the same thing."""
        return self.hit is True and not self.copy_of and self.arm != KNOWN

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data['proposed'] = self.proposed.to_dict()
        data['relaxed'] = self.relaxed.to_dict() if self.relaxed else None
        for name in ('predicted', 'replicates'):
            data[name] = {key: list(pair) for key, pair in data[name].items()}
        data['curves'] = {name: curve.to_dict() for name, curve in self.curves.items()}
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any], read: Callable[[dict[str, Any]], Any]) -> EvaluationRow:
        """The row of :meth:`to_dict`.

        :param read: makes a content of plain data (:meth:`.contracts.space.SpaceSection.read`).
        """
        data = dict(data)
        data['proposed'] = read(data['proposed'])
        data['relaxed'] = read(data['relaxed']) if data['relaxed'] else None
        for name in ('predicted', 'replicates'):
            data[name] = {key: (pair[0], pair[1]) for key, pair in (data.get(name) or {}).items()}
        # tables of earlier versions have none
        data['estimates'] = data.get('estimates') or {}
        data['curves'] = {name: Curve.from_dict(item) for name, item in (data.get('curves') or {}).items()}
        return cls(**data)


def with_copies(rows: Iterable[EvaluationRow], same: Callable[[Any, Any], bool]) -> list[EvaluationRow]:
    """The rows, each completed one with the earlier evaluation that ended in the same thing.

    Rows that know it already are taken as they are. The first of several matches counts, so that all copies of one
    thing name the same evaluation wherever matching is transitive.

    :param same: whether two results of the same key are the same thing
        (:meth:`.contracts.space.SpaceSection.same_result`).
    """
    found: list[EvaluationRow] = []
    earlier: dict[str, list[EvaluationRow]] = {}
    for row in rows:
        if row.status == 'completed':
            others = earlier.setdefault(row.key, [])
            if row.copy_of is None:
                match = next((other.candidate for other in others if same(other.result, row.result)), '')
                row = replace(row, copy_of=match)
            others.append(row)
        found.append(row)
    return found


def is_hit(goal: Goal, properties: dict[str, float]) -> bool | None:
    """Whether the properties meet every window and constraint; None if the goal defines no hits."""
    if not goal.defines_hits:
        return None
    for objective in goal.objectives:
        bounds = objective.hit_range
        value = properties.get(objective.property)
        if bounds is None or value is None or not bounds[0] <= value <= bounds[1]:
            return False
    return is_feasible(goal, properties)


def is_feasible(goal: Goal, properties: dict[str, float]) -> bool:
    """Whether the properties keep every constraint; a missing property does not."""
    for constraint in goal.constraints:
        value, (low, high) = properties.get(constraint.property), constraint.bounds
        if value is None or value < low or value > high:
            return False
    return True


def loss(goal: Goal, properties: dict[str, float]) -> float:
    """How far the first objective is from its optimum; smaller is better.

    The value with the sign turned where it is maximised, the distance from a target otherwise; in the property's unit.
    """
    objective = goal.objectives[0]
    value = properties[objective.property]
    if objective.kind == 'maximize':
        return -value
    if objective.kind == 'minimize':
        return value
    low, high = objective.hit_range or (value, value)
    if objective.target is not None:
        return abs(value - objective.target)
    return max(low - value, value - high, 0.0)


def best_row(goal: Goal, rows: Iterable[EvaluationRow]) -> EvaluationRow | None:
    """The completed row with the least loss among those that keep the constraints, or None.

    Of starting data only where there is nothing else.
    """
    rows = list(rows)
    own = [row for row in rows if row.arm != KNOWN] or rows
    able = [row for row in own if _is_able(goal, row)]
    return min(able, key=lambda row: loss(goal, row.properties), default=None)


def _is_able(goal: Goal, row: EvaluationRow) -> bool:
    """Whether it completed with the first objective's property and keeps the constraints."""
    measured = row.status == 'completed' and goal.objectives[0].property in row.properties
    return measured and is_feasible(goal, row.properties)


def count_statuses(rows: Sequence[EvaluationRow]) -> dict[str, int]:
    """Number of evaluations: total, completed, failed, hits, distinct hits; separately that of starting data."""
    known = sum(row.arm == KNOWN for row in rows)
    rows = [row for row in rows if row.arm != KNOWN]
    statuses = Counter(row.status for row in rows)
    return {
        'total': len(rows),
        'completed': statuses['completed'],
        'failed': statuses['failed'],
        'hits': sum(row.hit is True for row in rows),
        'distinct_hits': sum(row.is_distinct_hit for row in rows),
        **({'known': known} if known else {}),
    }
