"""The ``external`` engine: an evaluation that waits until somebody has answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode, calcfunction, while_

from aiida_inversedesign.engines.common.calcfunctions import wanted
from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.engines.external.combine import combine
from aiida_inversedesign.engines.external.questions import answer_of, answers_to
from aiida_inversedesign.nodes.answer_data import AnswerData
from aiida_inversedesign.processes.timed_wait import TimedWaitWorkChain, end_read_transaction, seconds_since

#: Exit status of a measurement that is said to have failed.
FAILED = 320


@calcfunction
def take_answers(candidate: orm.Data, properties: orm.List, **answers: AnswerData) -> orm.Dict | ExitCode:
    """What the answers to a candidate say: means of replicates, corrections instead of what they correct.

    :param candidate: what was measured. :param answers: in the order of their names.
    """
    found = combine(answer_of(node) for _, node in sorted(answers.items()))
    if found.failed:
        return ExitCode(FAILED, found.failed)
    return orm.Dict(found.record())


class ExternalEvaluateWorkChain(TimedWaitWorkChain, EvaluateWorkChain):
    """Waits until every property that is wanted has an answer, or that the measurement failed."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.outline(while_(cls.is_open)(cls.wait_until_over), cls.return_answers)
        spec.exit_code(FAILED, 'ERROR_MEASUREMENT_FAILED', message='the measurement failed: {reason}')
        spec.exit_code(321, 'ERROR_NO_ANSWER', message='no answer within {days} days (evaluate.deadline_days){missing}')

    def is_open(self) -> bool:
        """Whether an answer is missing, and there is time for it."""
        return not self.is_over()

    def is_over(self) -> bool:
        """Whether everything is answered, or the deadline has passed."""
        end_read_transaction()
        if not self._missing():
            return True
        days = self.inputs.settings.get_dict().get('deadline_days')
        return days is not None and seconds_since(self.node.ctime) > timedelta(days=days).total_seconds()

    def what_is_awaited(self) -> str:
        """The property or properties without an answer."""
        return f'waits for {", ".join(self._missing())}: `aiida-inversedesign ask` and `tell`'

    def return_answers(self) -> ExitCode | None:
        """Return what the answers say."""
        answers = self._answers()
        missing = combine(map(answer_of, answers)).missing(wanted(self.inputs.properties))
        if missing:
            days = f'{self.inputs.settings.get_dict()["deadline_days"]:g}'
            words = f': {", ".join(missing)} missing' if answers else ''
            return self.exit_codes.ERROR_NO_ANSWER.format(days=days, missing=words)
        node = self.run_once(
            'take_answers',
            take_answers,
            candidate=self.inputs.candidate,
            properties=self.inputs.properties,
            **{f'answer_{number:04d}': item for number, item in enumerate(answers, 1)},
        )
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_MEASUREMENT_FAILED.format(reason=node.exit_message)
        self.out('properties', node.outputs.result)
        return None

    def _missing(self) -> list[str]:
        return combine(map(answer_of, self._answers())).missing(wanted(self.inputs.properties))

    def _answers(self) -> list[AnswerData]:
        """The answers to the candidate, whose name is that of the link from its generation."""
        [link] = self.node.base.links.get_incoming(link_type=LinkType.CALL_WORK).all()
        return answers_to(link.node.inputs.settings, link.link_label)
