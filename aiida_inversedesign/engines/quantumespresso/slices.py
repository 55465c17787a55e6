"""A relaxation with pw.x in slices, given up when it cannot reach what the goal asks for."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode

from aiida_inversedesign.engines.quantumespresso.outlook import relaxation_outlook
from aiida_inversedesign.engines.quantumespresso.pw_slice import (
    PwSliceWorkChain,
    has_converged,
    has_made_its_steps,
    slice_inputs,
)
from aiida_inversedesign.engines.quantumespresso.relaxation import PwRelaxation
from aiida_inversedesign.graph.diagnosis import explain


def slice_label(number: int) -> str:
    """The call link label of a slice, numbered from 1; the first has that of a relaxation in one piece."""
    return 'relax' if number == 1 else f'relax_slice_{number}'


class SlicedRelaxation(PwRelaxation):
    """The steps of an evaluation that relaxes in slices; the last slice is ``relax`` in the context.

    As in one piece there are two relaxations, a loose one and one in the basis and k-mesh of its result, each in slices
    until it has converged. A slice begins at the crystal that the last one reached, without its BFGS history.
    """

    def wants_slices(self) -> bool:
        """Whether the settings ask for slices."""
        return self.inputs.settings.get_dict().get('slices') is not None

    def needs_slice(self) -> bool:
        """Whether the relaxation has not come to its end."""
        return not self.ctx.get('relaxed', False)

    def run_slice(self) -> Any:
        """Submit the next slice, if the limits leave one to it and one to each job that has to follow."""
        number, final = self.ctx.get('slices', 0) + 1, self.ctx.get('final', False)
        settings, label = self.inputs.settings.get_dict(), slice_label(number)

        def inputs() -> dict[str, Any]:
            later = self.jobs_after_relaxation()
            allotment = self._allot(1, later if final else later + 1)
            start = self.ctx.relax.outputs.output_structure if 'relax' in self.ctx else self._start()
            return slice_inputs(self.inputs.engine.code, start, settings, allotment, final)

        words = f'slice {number} of the {"final" if final else "loose"} relaxation'
        launched = self.launch_relaxation(label, PwSliceWorkChain, inputs, words)
        self.ctx.slices = number
        return launched

    def inspect_slice(self) -> ExitCode | None:
        """Go on, take the relaxed crystal, or give up."""
        node, at_most = self.ctx.relax, self.inputs.settings['slices']['at_most']
        converged, outputs = has_converged(node), ('output_structure', 'output_parameters', 'output_trajectory')
        if not (converged or has_made_its_steps(node)) or any(name not in node.outputs for name in outputs):
            return self.exit_codes.ERROR_RELAXATION_FAILED.format(reason=explain(node))
        if converged and self.ctx.get('final', False):
            self.ctx.relaxed = True
            self.out('relaxed', node.outputs.output_structure)
            return None
        if hopeless := self._hopeless():
            return self.exit_codes.ERROR_GIVEN_UP.format(reason=hopeless)
        if self.ctx.slices >= at_most:
            reason = f'it did not converge in {at_most} slices: raise evaluate.slices.at_most or evaluate.slices.steps'
            return self.exit_codes.ERROR_RELAXATION_FAILED.format(reason=reason)
        if converged:
            self.ctx.final, self.ctx.first_of_final = True, self.ctx.slices + 1
        return None

    def _hopeless(self) -> str:
        """Why no hit can come of this relaxation, in words; empty if one can, or if nothing tells."""
        references = self.known_references()
        if 'energy_limit' not in self.inputs or not references:
            return ''
        # energies of the loose and the final relaxation differ by their k-points: no estimate uses both
        first = self.ctx.get('first_of_final', 1)
        trajectories = {}
        for number in range(first, self.ctx.slices + 1):
            made = self._children_under(LinkType.CALL_WORK, slice_label(number))[0]
            trajectories[f'slice_{number:03d}'] = made.outputs.output_trajectory
        outlook = self.run_once(
            f'outlook_{self.ctx.slices}',
            relaxation_outlook,
            structure=self.inputs.candidate,
            energy_limit=self.inputs.energy_limit,
            margin=orm.Float(self.inputs.settings['slices']['margin']),
            **references,
            **trajectories,
        )
        if not outlook.is_finished_ok:
            self.report(f'nothing is known of where the relaxation leads: {outlook.exit_message}')
            return ''
        return str(outlook.outputs.result['reason'])
