"""Steps that a restarted daemon may run again without launching anything twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from aiida.common.links import LinkType
from aiida.engine import CalcJob, ProcessState, WorkChain
from aiida.orm import CalcFunctionNode, ProcessNode

from aiida_inversedesign.campaign.environment import ATTRIBUTE, environment
from aiida_inversedesign.graph.steps import find_step, without_checkpoint

#: Status of a process whose node was stored and whose checkpoint was not: its worker died in between.
NEVER_BEGAN = 'it never began: its worker was killed while it was submitted'

#: Seconds after which a checkpoint that is not there will not come.
SUBMISSION = 5.0


class IdempotentWorkChain(WorkChain):
    """A WorkChain whose children are identified by their call link label.

    A daemon that is killed after a child was launched, but before its parent's checkpoint was written, runs the step
    again. The label tells that the child is already there.
    """

    def _setup_version_info(self) -> dict[str, Any]:
        """Record the code that decides, beside the versions of packages that AiiDA records."""
        self.node.base.attributes.set(ATTRIBUTE, environment())
        return super()._setup_version_info()

    def submit_once(self, label: str, process_class: type, **inputs: Any) -> ProcessNode:
        """Submit a child process under ``label``, or return the one already submitted under it.

        :param inputs: those of the process; ``again``, which distinguishes children under the same label, becomes the
            description of the node.
        """
        again = inputs.pop('again', '')
        link_type = LinkType.CALL_CALC if issubclass(process_class, CalcJob) else LinkType.CALL_WORK
        existing = self._children_under(link_type, label)
        if again:
            existing = [node for node in existing if node.description == again]
            inputs['metadata'] = {**inputs.get('metadata', {}), 'description': again}
        if existing:
            return existing[0]
        metadata = {**inputs.pop('metadata', {}), 'call_link_label': label}
        return self.submit(process_class, **inputs, metadata=metadata)

    def run_once(self, label: str, function: Any, name: str = '', **inputs: Any) -> CalcFunctionNode:
        """Run a calculation function under ``label``, or return the one that already ran under it.

        :param name: distinguishes steps under the same label; it becomes the label of the node.
        """
        if name:
            known = find_step(self.node.pk, label, name)
            metadata = {'call_link_label': label, 'label': name}
            return known or function.run_get_node(**inputs, metadata=metadata)[1]
        existing = [node for node in self._children_under(LinkType.CALL_CALC, label) if node.is_finished]
        if existing:
            return existing[-1]
        _, node = function.run_get_node(**inputs, metadata={'call_link_label': label})
        return node

    def decide(self, label: str, function: Any, **inputs: Any) -> CalcFunctionNode:
        """Make a decision, of which there is one under each label, or find it."""
        return self.run_once(label, function, **inputs)

    def _children_under(self, link_type: LinkType, label: str) -> list[ProcessNode]:
        links = self.node.base.links.get_outgoing(link_type=link_type, link_label_filter=label)
        nodes = sorted(links.all_nodes(), key=lambda node: node.pk)
        if self.runner.is_daemon_runner:
            close_those_that_never_began(nodes)
        return [node for node in nodes if node.process_status != NEVER_BEGAN]


def close_those_that_never_began(children: list[ProcessNode]) -> None:
    """Mark the children without a checkpoint as killed; one that may be in the middle of its submission is awaited."""
    found = without_checkpoint([node.pk for node in children]) if children else {}
    if not found:
        return
    age = (datetime.now(UTC) - max(found.values())).total_seconds()
    time.sleep(max(0.0, SUBMISSION - age))
    found = without_checkpoint(found)
    for node in children:
        if node.pk in found:
            node.set_process_state(ProcessState.KILLED)
            node.set_process_status(NEVER_BEGAN)
            node.seal()
