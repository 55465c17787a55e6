"""What the engine ``table`` says of itself. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiida_inversedesign.campaign.contracts.engine import Engine, JobKind, Jobs, Need, Repeatable
from aiida_inversedesign.campaign.section import ContradictionError
from aiida_inversedesign.engines.table.settings import Table

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

    def contradictions(self, section: Table, others: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """A surrogate must not start from the answers that are searched for."""
        if not {'goal', 'propose', 'learn'} <= set(others) or others['propose'].library != section.data:
            return
        for index, name in enumerate(others['learn'].source):
            if name in others['goal'].properties:
                yield ContradictionError(
                    f'is what is searched for, and {section.data!r} holds its answers: the surrogate would know them '
                    'before anything is evaluated; name another property, or another library',
                    ('learn', 'source', index),
                )


ENGINE = TableEngine()
