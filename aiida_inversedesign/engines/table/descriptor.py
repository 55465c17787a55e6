"""What the engine ``table`` says of itself. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.campaign.contracts.engine import Engine, JobKind, Jobs, Need, Repeatable
from aiida_inversedesign.campaign.curves.curve import Axis, CurveError
from aiida_inversedesign.campaign.curves.functionals import NAMES, Functional
from aiida_inversedesign.campaign.section import ContradictionError
from aiida_inversedesign.engines.table.settings import Table

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.goal import Goal

_WORKCHAIN = 'aiida_inversedesign.engines.table.workchain'


class TableEngine(Engine):
    """Answers looked up in a data set."""

    name = 'table'
    section = Table
    workchain = 'inversedesign.evaluate.table'
    #: What can be looked up need not be a crystal.
    spaces = ()
    looks_up = True
    runs_derived = False
    first_child = 'relax'
    job_kinds = (JobKind('aiida.calculations:inversedesign.table', 'table', 'look-up in a data set'),)
    not_physical = frozenset(('code', 'delay_seconds', 'delay_sigma', 'fail_fraction'))
    repeatable = (
        Repeatable('evaluation', _WORKCHAIN, 'look_up', finding='property'),
        Repeatable('evaluation', _WORKCHAIN, 'look_up_point', finding='property'),
    )
    prepare = 'aiida_inversedesign.engines.table.answers:prepare'
    tries = 'aiida_inversedesign.engines.table.answers:tries'
    answers = 'aiida_inversedesign.engines.table.answers:answers'
    methods = 'aiida_inversedesign.engines.table.answers:methods'

    def needs(self, section: Table) -> tuple[Need, ...]:
        """The data set, and a Python if look-ups are jobs."""
        data = Need('data', 'library', 'evaluate.data', section.data)
        if section.code is None:
            return (data,)
        return data, Need('code', 'code', 'evaluate.code', section.code, 'inversedesign.table')

    def jobs(self, section: Table, properties: Iterable[str]) -> Jobs:
        """A job where a code is given; none is a DFT calculation."""
        return Jobs(int(section.code is not None), 0)

    def units(self, section: Table) -> Mapping[str, str]:
        """Units that the section declares, and those of numbers of curves, which follow from their axes."""
        found = dict(section.units)
        for name, settings in section.functionals.items():
            if (declared := section.functions.get(settings['property'])) is not None:
                axis = Axis(declared.axis, declared.axis_unit)
                found[name] = Functional.from_dict(settings).unit(declared.unit, axis)
        return found

    def contradictions(self, section: Table, others: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """A surrogate must not start from the answers that are searched for."""
        if 'goal' in others:
            yield from _curves_are_declared(section, others['goal'])
        if not {'goal', 'propose', 'learn'} <= set(others) or others['propose'].library != section.data:
            return
        for index, name in enumerate(others['learn'].source):
            if name in others['goal'].properties:
                yield ContradictionError(
                    f'is what is searched for, and {section.data!r} holds its answers: the surrogate would know them '
                    'before anything is evaluated; name another property, or another library',
                    ('learn', 'source', index),
                )


def _curves_are_declared(section: Table, goal: Goal) -> Iterator[ContradictionError]:
    """Each functional needs the axis of its property, which must cover it and be that of its curve."""
    for key, items in (('objectives', goal.objectives), ('constraints', goal.constraints)):
        for index, item in enumerate(items):
            if item.functional is None:
                if item.property in section.functions:
                    yield ContradictionError(
                        f'is a function of {section.functions[item.property].axis}: name the number that is wanted, '
                        f'functional: {", ".join(NAMES)}',
                        ('goal', key, index, 'property'),
                    )
                continue
            declared = section.functions.get(item.of)
            if declared is None:
                yield ContradictionError(
                    f'the axis of {item.of!r} is unknown; declare it: evaluate.functions: {{{item.of}: {{axis: '
                    'energy, axis_unit: eV, first: 0, last: 10}}}',
                    ('goal', key, index, 'property'),
                    sorted(section.functions),
                )
                continue
            flat = declared.curve(item.of, [1.0, 1.0], '')
            try:
                Functional.from_dict(item.functional_settings).check(flat)
            except CurveError as error:
                yield ContradictionError(str(error), ('goal', key, index, 'functional'))


ENGINE = TableEngine()
