"""Budgets of the asynchronous schedule: what one more evaluation may cost while others are running."""

from __future__ import annotations

import math
from collections.abc import Iterable

from aiida_inversedesign.campaign.contracts.engine import Jobs
from aiida_inversedesign.campaign.costs.budget import LEAST_CORE_HOURS, Limits
from aiida_inversedesign.campaign.spec import CampaignSettings

#: A surrogate is fitted again when there are this many times the rows of its last fit; in between it is conditioned on
#: the new rows.
REFIT_GROWTH = 1.1

#: Share of the initial candidates that have to end before anything else is chosen. Choices that know next to nothing
#: cost hits; waiting for the last of the initial ones would cost time (``docs/asynchronous.md`` has the figures).
FIRST_SHARE = 0.75

#: While the table has fewer rows than so many times the evaluations at once, each of them teaches much.
EARLY = 3

#: Share of the slots that has to be free in that time before they are filled.
EARLY_SHARE = 0.5

#: An evaluation without limits.
NO_LIMIT = Limits()


def to_choose(
    settings: CampaignSettings, ended: int, running: int, chosen: int, allowed: int, at_once: int, is_first: bool
) -> int:
    """How many candidates are to be chosen now; 0 if it is better to wait for what runs.

    :param ended: evaluations that have ended, those before this stream included.
    :param running: evaluations and references that run.
    :param chosen: evaluations of this stream that have ended or run. :param allowed: those that it may make.
    :param at_once: all slots.
    :param is_first: whether nothing has been chosen yet.
    """
    initial, free = settings.select.initial, at_once - running
    if running and not may_choose(ended, initial, free, at_once):
        return 0
    return max(0, min(max(free, initial) if is_first else free, allowed - chosen))


def evaluation_limits(
    left: Limits,
    reserved: Iterable[Limits],
    free: int,
    needed: int,
    most: Limits = NO_LIMIT,
    least_hours: float = LEAST_CORE_HOURS,
) -> Limits | None:
    """The limits of the next evaluation, or None if the remainder does not cover one.

    What running evaluations may still use is reserved: whatever becomes of them, the budget holds. The rest is shared
    among the free slots, but no evaluation reserves more than it could use with all its restarts.

    :param left: of the budget, running evaluations not subtracted.
    :param reserved: limits of the running evaluations.
    :param free: slots that are free, this one included.
    :param needed: DFT jobs of an evaluation without restarts.
    :param most: DFT jobs and core-hours of an evaluation with all restarts, each for its whole wall time.
    :param least_hours: core-hours below which an evaluation is not launched.
    """
    rest = left.less((item.dft_calculations or 0, item.core_hours or 0.0) for item in reserved)
    jobs = hours = None
    if rest.dft_calculations is not None:
        jobs = min(max(rest.dft_calculations // free, needed), rest.dft_calculations)
        if most.dft_calculations is not None:
            jobs = min(jobs, most.dft_calculations)
        if jobs < max(needed, 0) or rest.dft_calculations < 0:
            return None
    if rest.core_hours is not None:
        hours = max(rest.core_hours / free, min(least_hours, rest.core_hours))
        if most.core_hours is not None:
            hours = min(hours, max(most.core_hours, least_hours))
        if hours < least_hours or hours < 0:
            return None
    return Limits(jobs, hours)


def most_of_one(jobs: Jobs, wall_seconds: int, processes: int) -> Limits:
    """DFT jobs and core-hours of an evaluation in which every job is restarted as often as is allowed.

    :param jobs: of such an evaluation, as its engine says (``Engine.most_jobs``).
    """
    return Limits(jobs.charged, max(jobs.total, 1) * wall_seconds * processes / 3600)


def fit_is_due(rows: int, fitted: int) -> bool:
    """Whether a surrogate is to be fitted again to ``rows`` evaluations, the last fit having had ``fitted``."""
    return rows >= max(fitted + 1, math.ceil(REFIT_GROWTH * fitted))


def may_choose(ended: int, initial: int, free: int, at_once: int) -> bool:
    """Whether it is time to choose what comes next, or better to wait for what runs.

    :param ended: evaluations that have ended, in all. :param initial: candidates of the first choice.
    :param free: slots that are free. :param at_once: all slots.
    """
    if ended < math.ceil(FIRST_SHARE * initial):
        return False
    return ended >= EARLY * at_once or free >= math.ceil(EARLY_SHARE * at_once)
