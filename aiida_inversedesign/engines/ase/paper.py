"""The engine ``ase`` in a methods section. Imports no aiida."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.engines.common.paper import (
    calculator,
    elastic_constants,
    equation_of_state,
    fit_citations,
    references,
    tolerated,
)


def methods(facts: Any, cite: Any) -> str:
    """How candidates were relaxed.

    :param facts: the campaign (:class:`aiida_inversedesign.paper.facts.Facts`).
    :param cite: gives the citation of keys, as far as they are cited.
    """
    section = facts.section
    text = (
        f'Candidates were relaxed {"with their cells " if section.get("relax_cell", True) else ""}by the ASE '
        f'calculator {calculator(section, cite)} until no force exceeded {section.get("fmax")} eV/Å.'
    )
    return text + equation_of_state(facts, cite) + elastic_constants(facts, cite) + references(facts) + tolerated(facts)


def citations(facts: Any) -> list[str]:
    """Keys of the publications behind it."""
    return ['ase2017', *fit_citations(facts)]
