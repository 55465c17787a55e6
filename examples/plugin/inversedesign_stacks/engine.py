"""The engine as plain data, and the property that it computes."""

from typing import Literal

from aiida_inversedesign.campaign.contracts.engine import Engine, JobKind, Need, Repeatable
from aiida_inversedesign.campaign.contracts.property import Property
from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.section import Count


class StackSection(EngineSection):
    engine: Literal['stack_command']
    code: str
    weight: Count = 1


class StackEngine(Engine):
    name = 'stack_command'
    spaces = ('stacks',)
    section = StackSection
    workchain = 'stacks.evaluate'
    job_kinds = (JobKind('aiida.calculations:core.shell', 'command', 'shell command'),)
    repeatable = (Repeatable('evaluation', 'inversedesign_stacks.shell', 'read_energy', finding='property'),)

    def properties(self, section):
        return frozenset({'stack_energy'})

    def needs(self, section):
        return (Need('code', 'code', 'evaluate.code', section.code, 'core.shell'),)


PROPERTY = Property('stack_energy', 'eV', 'energy that the command prints', engines=('stack_command',))
