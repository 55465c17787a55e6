"""One slice of a relaxation with pw.x: a restarting work chain that is content with a number of ionic steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessHandlerReport, process_handler
from aiida_quantumespresso.calculations.pw import PwCalculation
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

from aiida_inversedesign.engines.common.limits import Allotment
from aiida_inversedesign.engines.quantumespresso.pw_inputs import relax_builder


class PwSliceWorkChain(PwBaseWorkChain):
    """A ``PwBaseWorkChain`` that ends, with its outputs, where pw.x has made its largest number of ionic steps.

    Its parent would begin the relaxation again, as often as it may restart; here that is the next slice. Every other
    problem is dealt with as by the parent.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.exit_code(520, 'STEPS_USED', message='The slice has made its ionic steps; the relaxation is not over.')

    @process_handler(priority=650, exit_codes=[PwCalculation.exit_codes.ERROR_IONIC_CYCLE_EXCEEDED_NSTEP])
    def handle_steps_used(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Take what was reached as the result."""
        self.ctx.is_finished = True
        self.report(f'PwCalculation<{calculation.pk}> has made the ionic steps of this slice')
        self.results()
        return ProcessHandlerReport(True, self.exit_codes.STEPS_USED)


def slice_inputs(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    settings: Mapping[str, Any],
    allotment: Allotment,
    final: bool,
) -> dict[str, Any]:
    """Inputs of :class:`PwSliceWorkChain`.

    :param final: whether it belongs to the second of the two relaxations of
        :func:`~aiida_inversedesign.engines.quantumespresso.pw_inputs.relax_builder`, or to the loose one before it.
    :raises ValueError: if the family, a pseudopotential or its cutoffs are missing.
    """
    both = Allotment(allotment.jobs * 2, allotment.seconds)
    builder = relax_builder(code, structure, settings, both)
    namespace = builder.base_relax if final else builder.base_init_relax
    namespace.pw.parameters['CONTROL']['nstep'] = settings['slices']['steps']
    inputs: dict[str, Any] = namespace._inputs(prune=True)
    inputs['pw']['structure'] = structure
    return inputs


def has_converged(node: orm.WorkChainNode) -> bool:
    """Whether a slice has ended a relaxation.

    That is also where forces or pressure are above their thresholds in the final calculation, as in a relaxation in one
    piece: ``pressure`` and ``max_force`` say how far off they are.
    """
    accepted = PwSliceWorkChain.get_exit_statuses(['ERROR_IONIC_CONVERGENCE_REACHED_EXCEPT_IN_FINAL_SCF'])
    return node.is_finished_ok or node.exit_status in accepted


def has_made_its_steps(node: orm.WorkChainNode) -> bool:
    """Whether a slice ended because its steps were made."""
    return bool(node.exit_status == PwSliceWorkChain.exit_codes.STEPS_USED.status)
