"""The step that relaxations with pw.x share, in one piece, in slices or in a box: launching one within the limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiida.engine import ExitCode, Process, ToContext

from aiida_inversedesign.campaign.contracts.job_kinds import is_dft
from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.engines.common.limits import Allotment, LimitError, allot
from aiida_inversedesign.engines.common.options import processes, wall_seconds
from aiida_inversedesign.graph.diagnosis import core_seconds, explain, jobs_below


class PwRelaxation(EvaluateWorkChain):
    """An evaluation whose relaxation is the child ``relax``, in the context under the same name."""

    def launch_relaxation(
        self, label: str, process: type[Process], inputs: Callable[[], dict[str, Any]], words: str = ''
    ) -> Any:
        """Submit a relaxation, if the limits leave one and the settings can be used.

        :param inputs: makes its inputs.
        :param words: what it is; by default the name of the process.
        """
        try:
            # of one that was launched before a restart, the limits count the jobs already
            given = {} if self.launched(label) else inputs()
        except LimitError as error:
            return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=error)
        except ValueError as error:
            # no family, no pseudopotential for an element, no cutoffs: aiida-quantumespresso says which
            return self.exit_codes.ERROR_INVALID_SETTINGS.format(reason=error)
        node = self.submit_once(label, process, **given)
        self.report(f'launching {words or process.__name__}<{node.pk}>')
        return ToContext(relax=node)

    def relaxation_failure(self, *outputs: str) -> ExitCode | None:
        """How the evaluation ends if the relaxation has failed, or lacks an output."""
        relax = self.ctx.relax
        if relax.is_finished_ok and all(name in relax.outputs for name in outputs):
            return None
        return self.exit_codes.ERROR_RELAXATION_FAILED.format(reason=explain(relax))

    def _allot(self, chains: int, later: int) -> Allotment:
        """Share what the limits leave among the jobs of the next stage."""
        settings = self.inputs.settings.get_dict()
        jobs, hours = self.limit('dft_calculations'), self.limit('core_hours')
        done = list(jobs_below(self.node))
        return allot(
            chains,
            later,
            settings['max_restarts'],
            wall_seconds(settings),
            processes(settings),
            # a pre-relaxation costs core-hours, but is not a DFT calculation
            None if jobs is None else jobs - sum(is_dft(job.process_type) for job in done),
            None if hours is None else hours - sum(core_seconds(job) for job in done) / 3600,
        )
