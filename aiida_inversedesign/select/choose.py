"""Choose the next batch: who is excluded, which arm each slot belongs to, and what it was chosen for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import KNOWN, EvaluationRow
from aiida_inversedesign.campaign.spec import Select
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.select.already_evaluated import AlreadyEvaluated
from aiida_inversedesign.select.batch import choose_points
from aiida_inversedesign.select.initial import initial_design
from aiida_inversedesign.select.observed import Observed, SelectError
from aiida_inversedesign.select.promise import promise
from aiida_inversedesign.select.replication import Rule, measured_points, repeat_of_best, repeat_worth_more

#: Repeats of a point that may fail before it is not measured again.
MOST_FAILURES = 2
#: Between the id of a candidate and the number of its evaluation, where it is evaluated again: ``g001_c0042_r2``.
_REPEAT = '_r'


@dataclass(frozen=True)
class Choice:
    """One chosen candidate and why it was chosen.

    :param arm: ``initial`` (no surrogate yet), ``acquisition``, ``replicate``, or ``control`` (drawn at random).
    :param acquisition: ``spread``, ``estimate`` or ``transfer`` (:mod:`aiida_inversedesign.select.promise`, by what a
        potential or an earlier campaign says), ``random``, or a name of :mod:`aiida_inversedesign.select.acquisition`.
    :param value: the acquisition's value when it was chosen, or the promise; None for ``spread`` and ``random``.
    :param predicted: mean and standard deviation per property when it was chosen.
    :param repeats: the evaluated candidate that is measured again; empty for a new one.
    """

    candidate: str
    arm: Literal['initial', 'acquisition', 'replicate', 'control']
    acquisition: str
    value: float | None = None
    predicted: dict[str, tuple[float, float]] = field(default_factory=dict)
    repeats: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data['predicted'] = {name: list(pair) for name, pair in self.predicted.items()}
        if not self.repeats:
            del data['repeats']
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Choice:
        """The choice of :meth:`to_dict`."""
        data = dict(data)
        data['predicted'] = {name: (pair[0], pair[1]) for name, pair in data['predicted'].items()}
        return cls(**data)


def choose_batch(
    goal: Goal,
    settings: Select,
    space: SpaceSection,
    candidates: Sequence[Candidate],
    rows: Sequence[EvaluationRow],
    surrogate: Surrogate | None,
    size: int,
    seed: int,
    pending: Sequence[str] = (),
    pending_arms: Sequence[str] = (),
    foreseen: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Choice]:
    """Choose up to ``size`` candidates; the same arguments give the same batch.

    Left out are candidates that a screen rejected, that were evaluated or are running, and that equal (as the space
    compares them) one that was evaluated (as proposed or relaxed), is running, or was chosen before in the batch.
    Slots are filled in the order control arm, acquisition; each choice counts as evaluated for the next.

    :param pending: ids of candidates whose evaluations are running; all must be among ``candidates``.
    :param pending_arms: the arm of each of them, by which the control arm keeps its share; by default unknown.
    :param foreseen: what earlier campaigns say of properties of candidates, by id, for a choice without a surrogate; a
        potential's estimate of a property counts more.
    :returns: fewer than ``size`` choices if no more candidates are left.
    :raises SelectError: if the size is negative, ids repeat, or a pending id is not among the candidates.
    """
    if size < 0:
        raise SelectError(f'the batch size must not be negative, got {size}')
    by_id = {candidate.id: candidate for candidate in candidates}
    if len(by_id) != len(candidates):
        raise SelectError('two candidates have the same id: ids must be unique within a campaign')
    arms = dict(zip(pending, pending_arms, strict=False))
    repeated = [name for name in pending if arms.get(name) == 'replicate']
    pending = [name for name in pending if name not in repeated]
    unknown = [name for name in pending if name not in by_id]
    if unknown:
        raise SelectError(f'pending candidate(s) {", ".join(unknown)} are not in the pool: hand over their pool too')
    gone = {row.candidate for row in rows} | set(pending)
    pool = [candidate for candidate in candidates if candidate.accepted and candidate.id not in gone]
    if not pool or size == 0:
        return []
    running = [by_id[name] for name in dict.fromkeys(pending)]
    duplicates = AlreadyEvaluated(space, rows, running)
    if surrogate is None:
        return _initial(goal, space, pool, running, rows, duplicates, size, seed, foreseen or {})
    choices = _informed(goal, settings, space, pool, running, rows, surrogate, duplicates, size, seed, pending_arms)
    if settings.replicate is not None and choices and choices[-1].arm == 'acquisition':
        waiting = [*running, *(by_id[choice.candidate] for choice in choices[:-1])]
        last = by_id[choices[-1].candidate]
        again = _repeated(goal, settings.replicate, space, rows, surrogate, waiting, last, repeated)
        choices = [*choices[:-1], again or choices[-1]]
    return choices


def _repeated(
    goal: Goal,
    rule: Rule,
    space: SpaceSection,
    rows: Sequence[EvaluationRow],
    surrogate: Surrogate,
    waiting: list[Candidate],
    last: Candidate,
    repeated: Sequence[str],
) -> Choice | None:
    """What is measured again instead of the last candidate of a batch, or None.

    :param waiting: what is evaluated besides. :param repeated: ids of what is being measured again.
    """
    points, origins = measured_points(rows), {row.candidate: row for row in rows}
    running = {origins[_origin(name)].proposed.content_hash for name in repeated if _origin(name) in origins}
    if rule == 'auto':
        name = goal.objectives[0].property
        model = surrogate.models[name].condition(surrogate.inputs_of(space, waiting))
        inputs = surrogate.inputs_of(space, [point.rows[0] for point in points])
        found = repeat_worth_more(goal, points, model, inputs, surrogate.inputs_of(space, [last]), running)
    else:
        found = repeat_of_best(goal, points, rule, running)
    if found is None:
        return None
    first = found.point.rows[0]
    taken = [*repeated, *(row.candidate for row in rows)]
    number = 1 + sum(_origin(name) == first.candidate for name in taken)
    failures = sum(_origin(row.candidate) == first.candidate and row.status == 'failed' for row in rows)
    if failures >= MOST_FAILURES:
        return None
    predicted = surrogate.predict(space, [first.proposed], [first.probability], [first.estimates])
    return Choice(
        f'{first.candidate}{_REPEAT}{number}',
        'replicate',
        'replicate',
        found.value,
        {name: (float(mean[0]), float(deviation[0])) for name, (mean, deviation) in predicted.items()},
        first.candidate,
    )


def _origin(name: str) -> str:
    """The candidate that an id of a repeated evaluation repeats, or the id itself."""
    head, mark, number = name.rpartition(_REPEAT)
    return head if mark and number.isdigit() else name


def control_slots(
    fraction: float, rows: Sequence[EvaluationRow], size: int, draw: float, pending_arms: Sequence[str] = ()
) -> int:
    """How many of the next ``size`` slots belong to the control arm.

    What is missing to the fraction over the campaign so far (initial design left out), rounded at random so that
    small batches meet it on average.

    :param draw: uniform random number in [0, 1).
    :param pending_arms: arms of evaluations that are running.
    """
    later = [arm for arm in (*(row.arm for row in rows), *pending_arms) if arm not in ('initial', KNOWN)]
    missing = fraction * (len(later) + size) - later.count('control')
    return int(np.clip(np.floor(missing + draw), 0, size))


def _initial(
    goal: Goal,
    space: SpaceSection,
    pool: list[Candidate],
    running: list[Candidate],
    rows: Sequence[EvaluationRow],
    duplicates: AlreadyEvaluated,
    size: int,
    seed: int,
    foreseen: Mapping[str, Mapping[str, float]],
) -> list[Choice]:
    known = [*pool, *running]
    contents, probabilities = [item.content for item in known], [item.probability for item in known]
    features, _ = space.describe(
        [*contents, *(row.proposed for row in rows)], [*probabilities, *(row.probability for row in rows)]
    )

    def acceptable(index: int, chosen: list[int]) -> bool:
        return duplicates.is_new(pool[index]) and duplicates.differs(pool[index], [pool[i] for i in chosen])

    # half of the first batch goes to what a potential or earlier campaigns hold for best: the other half tells where
    # they err
    first: list[int] = []
    worth = promise(goal, [{**foreseen.get(candidate.id, {}), **candidate.estimates} for candidate in pool])
    if worth is not None:
        for index in np.argsort(-worth, kind='stable').tolist():
            if len(first) < (size + 1) // 2 and np.isfinite(worth[index]) and acceptable(index, first):
                first.append(index)
    chosen = initial_design(
        features,
        [*(candidate.key for candidate in known), *(row.key for row in rows)],
        [*map(_standing, known), *(row.probability for row in rows)],
        size - len(first),
        seed,
        done=[*first, *range(len(pool), len(features))],
        acceptable=lambda index, chosen: acceptable(index, [*first, *chosen]),
    )
    name = 'transfer' if foreseen else 'estimate'
    by_estimate = [
        Choice(pool[index].id, 'initial', name, None if worth is None else float(worth[index])) for index in first
    ]
    return by_estimate + [Choice(pool[index].id, 'initial', 'spread') for index in chosen]


def _standing(candidate: Candidate) -> float | None:
    """The probability of a proposal; the rank decides between equal ones."""
    if candidate.probability is None:
        return None
    return candidate.probability - 1e-6 * (candidate.rank or 0)


def _informed(
    goal: Goal,
    settings: Select,
    space: SpaceSection,
    pool: list[Candidate],
    running: list[Candidate],
    rows: Sequence[EvaluationRow],
    surrogate: Surrogate,
    duplicates: AlreadyEvaluated,
    size: int,
    seed: int,
    pending_arms: Sequence[str],
) -> list[Choice]:
    rng = np.random.default_rng(seed)
    slots = control_slots(settings.control_fraction, rows, size, float(rng.random()), pending_arms)
    inputs = surrogate.inputs_of(space, pool)

    def acceptable(index: int, taken: list[int]) -> bool:
        return duplicates.is_new(pool[index]) and duplicates.differs(pool[index], [pool[i] for i in taken])

    chosen = choose_points(
        settings.acquisition,
        goal,
        surrogate,
        Observed.from_rows(rows, surrogate, goal.properties, space),
        inputs,
        size,
        seed,
        pending=surrogate.inputs_of(space, running),
        control=slots,
        acceptable=acceptable,
    )
    return [
        Choice(
            pool[position.index].id,
            position.arm,
            position.acquisition,
            position.value,
            # one by one: what is recorded must not depend on the size of the batch
            {
                name: (float(mean[0]), float(deviation[0]))
                for name, model in surrogate.models.items()
                for mean, deviation in [model.predict(inputs[[position.index]])]
            },
        )
        for position in chosen
    ]
