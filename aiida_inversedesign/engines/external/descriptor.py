"""What the engine ``external`` says of itself. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiida_inversedesign.campaign.contracts.engine import Engine, Jobs, Repeatable
from aiida_inversedesign.engines.external.settings import External

_PACKAGE = 'aiida_inversedesign.engines.external'


class ExternalEngine(Engine):
    """A person, an instrument or another program answers."""

    name = 'external'
    section = External
    workchain = 'inversedesign.evaluate.external'
    #: What can be measured need not be a crystal.
    spaces = ()
    looks_up = True
    noisy = True
    runs_derived = False
    not_physical = frozenset(('deadline_days',))
    repeatable = (Repeatable('evaluation', f'{_PACKAGE}.workchain', 'take_answers', finding='property'),)
    later = f'{_PACKAGE}.questions:later'
    waits_for = f'{_PACKAGE}.questions:waits_for'
    methods = f'{_PACKAGE}.descriptor:methods'

    def jobs(self, section: Any, properties: Iterable[str]) -> Jobs:
        """None: what is done is done elsewhere."""
        return Jobs(0, 0)


def methods(facts: Any, _: Any) -> str:
    """That the values were measured, for the methods section.

    :param facts: the campaign (:class:`aiida_inversedesign.paper.facts.Facts`).
    """
    text = (
        'The values were measured or computed outside of the campaign, which asked for each candidate and waited for '
        'the answer; every answer is recorded with who gave it, when, and the files attached to it. Replicates are '
        'averaged, with the standard error of the mean'
    )
    days = facts.section.get('deadline_days')
    return text + (f'; a candidate without an answer after {days:g} days counted as failed.' if days else '.')


def allowed(goal: Iterable[str], section: External, fixed: Mapping[str, str]) -> dict[str, str]:
    """The unit of each property that an answer may have, those of the goal first.

    :param fixed: units of the properties of the installed packages.
    """
    return {name: section.units.get(name, fixed.get(name, '')) for name in dict.fromkeys([*goal, *section.units])}


ENGINE = ExternalEngine()
