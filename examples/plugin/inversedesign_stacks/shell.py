"""What needs AiiDA: stacks as nodes, and the engine's work chain around a shell command by aiida-shell."""

from aiida import orm
from aiida.engine import ToContext, calcfunction
from aiida_shell import ShellJob

from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.graph.diagnosis import explain
from inversedesign_stacks.space import Stack


def node_of(content):
    return orm.Str(str(content), label=content.key)


def content_of(node):
    return Stack(node.value)


@calcfunction
def read_energy(stdout):
    return orm.Dict({'stack_energy': {'value': float(stdout.get_content()), 'unit': 'eV', 'source': 'command'}})


class StackEvaluateWorkChain(EvaluateWorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('engine.code', valid_type=orm.AbstractCode, help='The program `expr`.')
        spec.outline(cls.check_inputs, cls.run_command, cls.read_output)

    def run_command(self):
        stack, weight = self.inputs.candidate.value, self.inputs.settings['weight']
        numbers = stack.count('AB') + stack.count('BA'), weight, stack.count('A')
        arguments = orm.List('{} * {} + {}'.format(*numbers).split())
        return ToContext(job=self.submit_once('command', ShellJob, code=self.inputs.engine.code, arguments=arguments))

    def read_output(self):
        if not self.ctx.job.is_finished_ok:
            return self.exit_codes.ERROR_JOB_FAILED.format(reason=explain(self.node))
        self.out('properties', self.run_once('read', read_energy, stdout=self.ctx.job.outputs.stdout).outputs.result)
        return None
