"""How the hard limits of one evaluation are shared out among its jobs. Imports no aiida."""

from __future__ import annotations

from dataclasses import dataclass

from aiida_inversedesign.campaign.contracts.engine import LEAST_SECONDS

#: share of the core-hours that a stage may use while another comes after it
STAGE_SHARE = 0.7


class LimitError(RuntimeError):
    """The next stage does not fit into the limits any more, with the reason."""


@dataclass(frozen=True)
class Allotment:
    """What each of the chains of one stage may do.

    :param jobs: most jobs of each chain, restarts included.
    :param seconds: most wall-clock seconds of each job.
    """

    jobs: tuple[int, ...]
    seconds: int


def allot(
    chains: int,
    later: int,
    max_restarts: int,
    max_seconds: int,
    processes: int,
    jobs_left: int | None,
    core_hours_left: float | None,
) -> Allotment:
    """Share the remainder among the chains of a stage, so that the worst case cannot exceed it.

    Every chain gets one job; the remainder goes into restarts, evenly. Each job gets the wall time the user named,
    unless all jobs of the stage, each running to its limit on ``processes`` cores, could use too many core-hours: then
    restarts are given up and the wall time is cut.

    :param chains: calculations of this stage, each of which may be restarted.
    :param later: jobs of the stages after this one, which must remain possible.
    :raises LimitError: if not even one job for each chain fits.
    """
    jobs = [1 + max_restarts] * chains
    if jobs_left is not None:
        spare = jobs_left - later - chains
        if spare < 0:
            raise LimitError(
                f'{jobs_left} more calculation jobs are allowed for this evaluation, but {chains + later} are needed'
            )
        jobs = [1 + min(max_restarts, spare // chains + (index < spare % chains)) for index in range(chains)]
    seconds = max_seconds
    if core_hours_left is not None:
        core_seconds = core_hours_left * 3600 * (STAGE_SHARE if later else 1)
        if sum(jobs) * processes * seconds > core_seconds:
            jobs = [1] * chains
            seconds = min(seconds, int(core_seconds / (processes * chains)))
        if seconds < min(LEAST_SECONDS, max_seconds):
            raise LimitError(
                f'{core_hours_left:.3g} core-hours are left for this evaluation: too little for {chains + later} jobs '
                f'of {LEAST_SECONDS} s on {processes} core(s)'
            )
    return Allotment(tuple(jobs), seconds)


def restart_policy(jobs: int) -> tuple[int, str]:
    """``max_iterations`` and ``on_unhandled_failure`` of a restarting work chain that launches at most ``jobs`` jobs.

    ``restart_once`` brings back jobs that were killed or lost their node, but AiiDA (2.9) does not count that restart
    against ``max_iterations``: one has to be kept back for it.
    """
    return (jobs - 1, 'restart_once') if jobs > 2 else (jobs, 'abort')
