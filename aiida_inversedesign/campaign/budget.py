"""Budgets: how large the next batch may be, what each evaluation may cost, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass

from aiida_inversedesign.campaign.spec import Budget

#: Less than this many core-hours for one evaluation is not worth launching: a minute on one core.
LEAST_CORE_HOURS = 1 / 60


@dataclass(frozen=True)
class Spent:
    """What a campaign has used so far, its predecessors included.

    :param core_hours: what was recorded; jobs without a record count with their whole allowance.
    """

    evaluations: int = 0
    failed: int = 0
    hits: int = 0
    generations: int = 0
    dft_calculations: int = 0
    core_hours: float = 0.0


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


def stop_reason(budget: Budget, spent: Spent) -> str | None:
    """Why the campaign has to stop now, or None if it may go on."""
    if budget.hits is not None and spent.hits >= budget.hits:
        return f'target reached: {spent.hits} hits (wanted {budget.hits})'
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
    if budget.core_hours is not None and budget.core_hours - spent.core_hours < LEAST_CORE_HOURS:
        return f'budget used up: {spent.core_hours:.3g} of {budget.core_hours:g} core-hours'
    return None


def allowance(budget: Budget, spent: Spent, wanted: int, dft_per_evaluation: int) -> Allowance | str:
    """What the next generation may do, or the reason why not even one evaluation fits into the budget.

    :param wanted: evaluations the generation would like.
    :param dft_per_evaluation: DFT jobs of one evaluation that goes well.
    """
    reason = stop_reason(budget, spent)
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
        size = min(size, int(core_hours_left / LEAST_CORE_HOURS))
    return Allowance(size, dft_left, core_hours_left)


def share(allowed: Allowance, launched: int) -> dict[str, float | int | None]:
    """The limits of each of ``launched`` evaluations, so that together they cannot exceed the allowance."""
    return {
        'dft_calculations': None if allowed.dft_calculations is None else allowed.dft_calculations // launched,
        'core_hours': None if allowed.core_hours is None else allowed.core_hours / launched,
    }
