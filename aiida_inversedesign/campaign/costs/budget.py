"""The rules of the budget: how large the next batch may be, what each evaluation may cost, and when to stop.

The loop, ``conclude``, ``check``, ``resume`` and ``verify`` all ask here; ``budget_of_stream`` adds what holds while
evaluations of the asynchronous schedule run side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_inversedesign.campaign.costs import least_cost
from aiida_inversedesign.campaign.demands import core_hours_needed, fewest_jobs, jobs_needed
from aiida_inversedesign.campaign.spec import Budget, CampaignSettings

#: Less than this many core-hours for one evaluation is not worth launching: a minute on one core. What an evaluation
#: needs at its settings is recorded with each allowance and conclusion; this is for those of versions before.
LEAST_CORE_HOURS = 1 / 60

#: The key under which that is recorded.
HOURS_NEEDED = 'core_hours_per_evaluation'


@dataclass(frozen=True)
class Spent:
    """What a campaign has used so far, its predecessors included.

    :param core_hours: what was recorded; jobs without a record count with their whole allowance.
    """

    evaluations: int = 0
    failed: int = 0
    distinct_hits: int = 0
    generations: int = 0
    dft_calculations: int = 0
    core_hours: float = 0.0

    @classmethod
    def of(cls, counts: Mapping[str, int], generations: int, dft_calculations: int = 0, core_hours: float = 0) -> Spent:
        """What was used.

        :param counts: ``total``, ``failed`` and ``distinct_hits`` of the newest table, empty without one; a table that
            does not tell distinct hits counts with all its hits.
        """
        distinct = counts.get('distinct_hits', counts.get('hits', 0))
        return cls(counts.get('total', 0), counts.get('failed', 0), distinct, generations, dft_calculations, core_hours)

    def record(self, settings: CampaignSettings) -> dict[str, Any]:
        """The same as plain data, with what one more evaluation needs: what ``conclude`` is given."""
        needed = {'dft_per_evaluation': jobs_needed(settings), HOURS_NEEDED: core_hours_needed(settings)}
        return {**vars(self), **needed}


@dataclass(frozen=True)
class Limits:
    """What one or several evaluations may cost at most; None: no limit."""

    dft_calculations: int | None = None
    core_hours: float | None = None

    def less(self, costs: Iterable[tuple[int, float]]) -> Limits:
        """What remains after some costs, each in DFT calculations and core-hours."""
        spent = list(costs)
        jobs, hours = self.dft_calculations, self.core_hours
        return Limits(
            None if jobs is None else jobs - sum(calculations for calculations, _ in spent),
            None if hours is None else hours - math.fsum(used for _, used in spent),
        )

    def covered(self, evaluations: int, needed: int, hours: float = 0.0) -> int:
        """How many of some evaluations these limits cover.

        :param needed: DFT calculations of each. :param hours: core-hours that each needs at least.
        """
        if self.dft_calculations is not None and needed > 0:
            evaluations = min(evaluations, max(0, self.dft_calculations // needed))
        if self.core_hours is not None and hours > 0:
            evaluations = min(evaluations, max(0, int(self.core_hours / hours + 1e-9)))
        return evaluations

    def share(self, launched: int) -> Limits:
        """The limits of each of ``launched`` evaluations: together they cannot exceed these."""
        launched = max(launched, 1)
        return Limits(
            None if self.dft_calculations is None else self.dft_calculations // launched,
            None if self.core_hours is None else self.core_hours / launched,
        )


@dataclass(frozen=True)
class Allowance:
    """What one generation may do at most.

    :param evaluations: most evaluations.
    :param dft_calculations: most DFT calculation jobs of the whole generation, or None.
    :param core_hours: most core-hours of the whole generation, or None.
    """

    evaluations: int
    dft_calculations: int | None
    core_hours: float | None

    @property
    def limits(self) -> Limits:
        """What all evaluations of the generation may cost together."""
        return Limits(self.dft_calculations, self.core_hours)

    def record(self, settings: CampaignSettings, budget: Budget) -> dict[str, Any]:
        """What a generation is given: the allowance and how many evaluations may run at once.

        A stream decides by itself when it has enough hits or too many failures, for which it gets the budget.
        """
        extra: dict[str, Any] = {}
        if settings.select.schedule == 'asynchronous':
            extra['budget'] = budget.model_dump(mode='json')
        if budget.core_hours is not None:
            extra[HOURS_NEEDED] = core_hours_needed(settings)
        return {**vars(self), 'at_once': budget.at_once, **extra}


def next_allowance(
    settings: CampaignSettings, budget: Budget, spent: Spent, hours_needed: float | None = None
) -> Allowance | str:
    """What the next generation of a campaign may do, or the reason why there is none.

    :param hours_needed: core-hours of one evaluation; by default what the engine says.
    """
    wanted = settings.select.initial if spent.generations == 0 else settings.select.batch
    if settings.select.schedule == 'asynchronous':
        wanted = budget.evaluations
    hours = core_hours_needed(settings) if hours_needed is None else hours_needed
    return allowance(budget, spent, wanted, jobs_needed(settings), hours)


def conclusion(budget: Budget, record: Mapping[str, Any]) -> str | None:
    """Why a campaign stops, or None if its budget allows more and nobody asked it to stop.

    :param record: :meth:`Spent.record`, with ``exhausted``, why nothing is left to evaluate, and ``requested``, why the
        campaign was to stop although its budget allowed more (a user's request, no disk space).
    """
    used = dict(record)
    if 'hits' in used:  # the name in records of versions that did not tell distinct hits
        used['distinct_hits'] = used.pop('hits')
    exhausted, requested, needed = used.pop('exhausted', None), used.pop('requested', None), used['dft_per_evaluation']
    del used['dft_per_evaluation']
    hours = used.pop(HOURS_NEEDED, None)
    reason = exhausted or allowance(budget, Spent(**used), 1, needed, hours)
    return reason if isinstance(reason, str) else requested


def evaluations_at_most(settings: CampaignSettings, budget: Budget) -> int:
    """The most evaluations that a whole budget covers, with the references of one formula."""
    references = least_cost.of_references(settings.goal, settings.space, settings.evaluate)
    left = Limits(budget.dft_calculations, budget.core_hours).less(
        [(references.dft_calculations, references.core_hours)]
    )
    needed, hours, fewest = jobs_needed(settings), core_hours_needed(settings), fewest_jobs(settings)
    covered = left.covered(budget.evaluations, needed, hours)
    if not covered or fewest == needed:
        return covered
    # each is launched while what it needs at most is left, and may take the fewest jobs
    left = left.less([(needed, hours)])
    return 1 + left.covered(budget.evaluations - 1, fewest, hours * fewest / needed)


def references_covered(settings: CampaignSettings, limits: Limits, missing: Sequence[str]) -> list[str]:
    """The elements whose references can be computed within these limits, each a relaxation of its own."""
    needed = jobs_needed(settings, ['energy']), core_hours_needed(settings, ['energy'])
    return list(missing[: limits.covered(len(missing), *needed)])


def stop_reason(budget: Budget, spent: Spent, hours_needed: float | None = None) -> str | None:
    """Why the campaign has to stop now, or None if it may go on.

    :param hours_needed: core-hours that one evaluation needs at least; None: not recorded, by versions before.
    """
    if budget.hits is not None and spent.distinct_hits >= budget.hits:
        return f'target reached: {spent.distinct_hits} distinct hits (wanted {budget.hits})'
    if (
        budget.failure_rate is not None
        and spent.evaluations >= budget.failure_minimum
        and spent.failed > budget.failure_rate * spent.evaluations
    ):
        return (
            f'too many failures: {spent.failed} of {spent.evaluations} evaluations failed '
            f'(budget.failure_rate {budget.failure_rate:g})'
        )
    if budget.max_failures is not None and spent.failed >= budget.max_failures:
        return f'too many failures: {spent.failed} evaluations failed (budget.max_failures {budget.max_failures})'
    for name, words in (
        ('evaluations', 'evaluations'),
        ('dft_calculations', 'DFT calculations'),
        ('generations', 'generations'),
    ):
        limit, used = getattr(budget, name), getattr(spent, name)
        if limit is not None and used >= limit:
            return f'budget used up: {used} of {limit} {words}'
    if budget.core_hours is not None:
        left, used = budget.core_hours - spent.core_hours, f'{spent.core_hours:.3g} of {budget.core_hours:g} core-hours'
        if hours_needed is None:
            return f'budget used up: {used}' if left < LEAST_CORE_HOURS else None
        if left <= 0:
            return f'budget used up: {used}'
        if left < hours_needed:
            return f'budget used up: {used}; {left:.2g} left, less than one evaluation needs ({hours_needed:.2g})'
    return None


def allowance(
    budget: Budget, spent: Spent, wanted: int, dft_per_evaluation: int, hours_needed: float | None = None
) -> Allowance | str:
    """What the next generation may do, or the reason why not even one evaluation fits into the budget.

    :param dft_per_evaluation: DFT jobs of one evaluation that goes well.
    :param hours_needed: as :func:`stop_reason` takes it.
    """
    reason = stop_reason(budget, spent, hours_needed)
    if reason is not None:
        return reason
    size = min(wanted, budget.evaluations - spent.evaluations)
    dft_left = core_hours_left = None
    if budget.dft_calculations is not None:
        dft_left = budget.dft_calculations - spent.dft_calculations
        if dft_per_evaluation > 0:
            size = min(size, dft_left // dft_per_evaluation)
        if size < 1:
            return (
                f'budget used up: {dft_left} of {budget.dft_calculations} DFT calculations are left, '
                f'and one evaluation needs {dft_per_evaluation}'
            )
    if budget.core_hours is not None:
        core_hours_left = budget.core_hours - spent.core_hours
        least = LEAST_CORE_HOURS if hours_needed is None else hours_needed
        size = Limits(None, core_hours_left).covered(size, 0, least)
    return Allowance(size, dft_left, core_hours_left)
