"""The engine ``quantumespresso`` in a methods section. Imports no aiida."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.chemistry.density_of_states import STEP
from aiida_inversedesign.engines.common.paper import (
    calculator,
    elastic_constants,
    equation_of_state,
    fit_citations,
    found,
    listed,
    phonon_citations,
    phonons,
    references,
    tolerated,
)
from aiida_inversedesign.engines.quantumespresso.descriptor import dense_distance

_FAMILIES = {
    'pseudodojo': ('pseudodojo2018', 'oncv2013', 'aiidapseudo'),
    'sssp': ('sssp2018', 'aiidapseudo'),
}
_SMEARINGS = ('cold', 'marzari-vanderbilt', 'm-v', 'mv')


def methods(facts: Any, cite: Any) -> str:
    """How candidates were relaxed, with which basis and k-points, and what followed.

    :param facts: the campaign (:class:`aiida_inversedesign.paper.facts.Facts`).
    """
    section, record = facts.section, facts.record
    of_crystals = record.space.of_crystals
    versions = sorted({version for code in record.codes for version in code.get('versions', ())})
    code = f'pw.x of Quantum ESPRESSO{f" ({listed(versions)})" if versions else ""}{cite("qe2009", "qe2017", "qe2020")}'
    relaxed = 'Cells and positions were relaxed' if of_crystals else f'{_boxes(section, cite)} It was relaxed'
    text = (
        f'{relaxed} with {code} through aiida-quantumespresso{cite("aiidaquantumespresso")}, '
        f'protocol {section.get("protocol")!r}'
    )
    if facts.functional:
        text += f', with the {facts.functional} functional{cite("pbe1996", "pbesol2008")}'
    family = cite('pseudodojo2018', 'oncv2013', 'sssp2018', 'aiidapseudo')
    text += f' and the pseudopotentials {section.get("pseudos")!r}{family}'
    if facts.pseudopotentials:
        text += f' ({listed([str(item["file"]) for item in facts.pseudopotentials])})'
    text += f'. {_stages(facts, cite)}{_basis(facts, cite)}'
    if not of_crystals:
        return f'{text} Molecules whose bonds changed counted as failed.'
    if section.get('kpoints_distance'):
        text += f' The distance between k-points was at most {section["kpoints_distance"]:g} Å⁻¹'
        text += f' (meshes from {_mesh(facts.meshes[0])} to {_mesh(facts.meshes[-1])}).' if facts.meshes else '.'
    elif facts.meshes:
        text += (
            f' k-point meshes were those of the protocol, from {_mesh(facts.meshes[0])} to {_mesh(facts.meshes[-1])}.'
        )
    text += ' Calculations were spin-polarised.' if section.get('spin') else ' Calculations were not spin-polarised.'
    text += equation_of_state(facts, cite) + elastic_constants(facts, cite)
    text += _densities(facts, cite) + phonons(facts, cite)
    return text + references(facts) + tolerated(facts)


def _boxes(section: Any, cite: Any) -> str:
    """How molecules became boxes."""
    images = section.get('assume_isolated') != 'none'
    removed = f'; images were removed by the scheme of Martyna and Tuckerman{cite("martyna1999")}' if images else ''
    return (
        f'Of each molecule {section.get("conformers")} conformers were embedded by ETKDGv3{cite("wang2020etkdg")} '
        '(RDKit) and relaxed by MMFF94, or by UFF where that has no parameters. The lowest was put into a cubic box '
        f'with at least {section.get("vacuum")} Å of vacuum, of which the Γ point was taken{removed}.'
    )


def _densities(facts: Any, cite: Any) -> str:
    """How densities of states were found; empty where none were."""
    if not found(facts, 'dos_at_fermi'):
        return ''
    return (
        f' Densities of states were summed up by dos.x at steps of {STEP:g} eV from bands on k-points at most '
        f'{dense_distance(facts.section):g} Å⁻¹ apart, with the optimised tetrahedron method{cite("kawamura2014")}; '
        'energies count from the Fermi level of these bands, or from the valence band maximum where there is a gap.'
    )


def _stages(facts: Any, cite: Any) -> str:
    """What went before the relaxation, and how it was cut."""
    first, slices = facts.section.get('prerelax'), facts.section.get('slices')
    text = ''
    if first:
        text += (
            f'Before that each crystal was relaxed by the ASE calculator {calculator(first, cite)} until no force '
            f'exceeded {first.get("fmax")} eV/Å, for at most {first.get("steps")} steps. '
        )
    if slices:
        text += (
            f'Relaxations ran in slices of at most {slices.get("steps")} ionic steps, '
            f'at most {slices.get("at_most")} of them'
        )
        if slices.get('give_up') is not False and facts.record.goal.energy_limit is not None:
            text += (
                ', and were given up once an optimistic estimate of the energy broke the bound of the goal by more '
                f'than {slices.get("margin")} eV/atom'
            )
        text += '. '
    return text


def _basis(facts: Any, cite: Any) -> str:
    def span(name: str) -> str:
        values = sorted({float(item[name]) for item in facts.parameters if item.get(name) is not None})
        return '' if not values else f'{values[0]:g}' if len(values) == 1 else f'{values[0]:g}–{values[-1]:g}'

    if not facts.parameters:
        return 'No calculation recorded its cutoffs.'
    text = f'The cutoffs were {span("cutoff_wfc")} Ry for wavefunctions and {span("cutoff_rho")} Ry for the density'
    if facts.record.references and all('–' not in span(name) for name in ('cutoff_wfc', 'cutoff_rho')):
        text += ', the same for all compositions'
    smearings = sorted({str(item['smearing']) for item in facts.parameters if item['smearing']})
    if smearings:
        text += f', the smearing {listed(smearings)}{cite("coldsmearing1999")} with {span("degauss")} Ry'
    return text + '.'


def _mesh(mesh: tuple[int, int, int]) -> str:
    return ' × '.join(map(str, mesh))


def citations(facts: Any) -> list[str]:
    """Keys of the publications behind codes, functional, pseudopotentials and methods that were used."""
    keys: list[str] = []
    if facts.used_dft:
        keys += ['qe2009', 'qe2017', 'qe2020', 'aiidaquantumespresso']
        keys += {'PBE': ['pbe1996'], 'PBEsol': ['pbesol2008']}.get(facts.functional, [])
        family = str(facts.section.get('pseudos', '')).lower()
        keys += [key for name, entries in _FAMILIES.items() if name in family for key in entries]
        if any(str(item['smearing']).lower() in _SMEARINGS for item in facts.parameters):
            keys.append('coldsmearing1999')
    if facts.section.get('prerelax'):
        keys.append('ase2017')
    if not facts.record.space.of_crystals:
        return [*keys, 'wang2020etkdg', *(['martyna1999'] if facts.section.get('assume_isolated') != 'none' else [])]
    keys += ['kawamura2014'] if found(facts, 'dos_at_fermi') else []
    return [*keys, *fit_citations(facts), *phonon_citations(facts)]
