"""The engine ``ase`` in a methods section. Imports no aiida."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.engines.common.paper import (
    calculator,
    elastic_constants,
    equation_of_state,
    fit_citations,
    phonon_citations,
    phonons,
    references,
    tolerated,
)


def methods(facts: Any, cite: Any) -> str:
    """How candidates were relaxed.

    :param facts: the campaign (:class:`aiida_inversedesign.paper.facts.Facts`).
    """
    section = facts.section
    if not facts.record.space.of_crystals:
        return (
            f'Of each molecule {section.get("conformers")} conformers were embedded by ETKDGv3{cite("wang2020etkdg")} '
            '(RDKit) and relaxed by MMFF94, or by UFF where that has no parameters; the lowest was relaxed without '
            f'periodic boundaries by the ASE calculator {calculator(section, cite)}'
            f'{" (GFN2-xTB" + cite("bannwarth2019") + ")" if section.get("calculator") == "tblite" else ""} until no '
            f'force exceeded {section.get("fmax")} eV/Å. A molecule whose bonds changed counted as failed.'
        )
    text = (
        f'Candidates were relaxed {"with their cells " if section.get("relax_cell", True) else ""}by the ASE '
        f'calculator {calculator(section, cite)} until no force exceeded {section.get("fmax")} eV/Å.'
    )
    text += equation_of_state(facts, cite) + elastic_constants(facts, cite) + phonons(facts, cite)
    return text + references(facts) + tolerated(facts)


def citations(facts: Any) -> list[str]:
    """Keys of the publications behind it."""
    if not facts.record.space.of_crystals:
        xtb = ['bannwarth2019'] if facts.section.get('calculator') == 'tblite' else []
        return ['ase2017', 'wang2020etkdg', *xtb]
    return ['ase2017', *fit_citations(facts), *phonon_citations(facts)]
