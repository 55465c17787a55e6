"""What the methods sections of several engines share. Imports no aiida."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.chemistry.elasticity import STRAIN


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence."""
    return ' and '.join(filter(None, (', '.join(words[:-1]), words[-1]))) if words else ''


def calculator(section: Mapping[str, Any], cite: Any) -> str:
    """An ASE calculator with its arguments and source."""
    arguments = ', '.join(f'{key} = {value}' for key, value in (section.get('arguments') or {}).items())
    return f'{section.get("calculator")!r}{f" ({arguments})" if arguments else ""}{cite("ase2017")}'


def equation_of_state(facts: Any, cite: Any) -> str:
    """How bulk moduli were found; empty where none were."""
    section = facts.section
    if not found(facts, 'bulk_modulus'):
        return ''
    text = (
        f' Bulk moduli come from a third-order Birch–Murnaghan fit{cite("birch1947")} to single points at '
        f'{section.get("eos_points")} volumes within ±{section.get("eos_strain", 0) * 100:g} % of the relaxed one, at '
        'fixed cell shape and fractional coordinates.'
    )
    if any('bulk_modulus' in item.errors for item in facts.record.evaluations):
        text += (
            ' Their standard errors are those of the posterior of the fit, averaged with the forms of Vinet and'
            ' Murnaghan by their evidence.'
        )
    return text


def elastic_constants(facts: Any, cite: Any) -> str:
    """How elastic constants were found; empty where none were."""
    if not found(facts, 'elastic_stability'):
        return ''
    text = (
        ' Elastic tensors come from the stresses of crystals under the fewest strains that determine them by symmetry, '
        f'{STRAIN * 100:g} % of either sign, with relaxed ions. A crystal counts as mechanically stable if all '
        f'eigenvalues of its tensor are positive{cite("mouhat2014")}.'
    )
    if has_moduli(facts):
        text += (
            f" Moduli are Hill's averages{cite('hill1952')}, the anisotropy is the universal index"
            f'{cite("ranganathan2008")}, and hardnesses follow from the model of Chen et al.{cite("chen2011")}, 0 '
            'where it is negative.'
        )
    return text


def phonons(facts: Any, cite: Any) -> str:
    """How phonons were found; empty where none were."""
    if not phonon_citations(facts):
        return ''
    return (
        f' Phonons follow from forces in supercells of at least {facts.section.get("phonon_supercell")} Å per axis, '
        f'by finite displacements with phonopy{cite("phonopy2015")}.'
    )


def phonon_citations(facts: Any) -> list[str]:
    """Keys of the publications behind phonons, where an evaluation found any."""
    return ['phonopy2015'] if found(facts, 'lowest_frequency') else []


def found(facts: Any, name: str) -> bool:
    """Whether an evaluation of the campaign has a property."""
    return any(name in item.properties for item in facts.record.evaluations)


def has_moduli(facts: Any) -> bool:
    """Whether a tensor was that of a stable crystal, from which moduli follow."""
    return found(facts, 'elastic_stability') and found(facts, 'shear_modulus')


def fit_citations(facts: Any) -> list[str]:
    """Keys of the publications behind equations of state and elastic constants, as far as there are any."""
    keys = ['birch1947'] if found(facts, 'bulk_modulus') else []
    if found(facts, 'elastic_stability'):
        keys.append('mouhat2014')
    if has_moduli(facts):
        keys += ['hill1952', 'ranganathan2008', 'chen2011']
    return keys


def references(facts: Any) -> str:
    """What formation energies and energies above the hull were measured against; empty where nothing was."""
    record = facts.record
    if not record.references:
        return ''
    values = [f'{symbol} {value:.4f}' for symbol, value in sorted(record.references.items())]
    text = f' Formation energies refer to the elements at the same settings ({", ".join(values)} eV/atom).'
    if found(facts, 'e_above_hull'):
        text += (
            " Energies above the convex hull were measured against the campaign's own completed calculations and these "
            'elements; phases that were not evaluated are not part of the hull.'
        )
    return text


def tolerated(facts: Any) -> str:
    """With which residuals evaluations count as completed, and which of them are flagged; empty where none is known."""
    named = (
        ('pressure', 'a residual pressure'),
        ('max_force', 'a residual force'),
        ('eos_residual', 'a residual of the fit'),
    )
    words = []
    for name, text in named:
        item = PROPERTIES.get(name)
        if item is not None and item.credible is not None and found(facts, name):
            words.append(f'{text} above {item.credible[1]:g} {item.unit}')
    return f' Completed evaluations with {" or ".join(words)} are flagged as doubtful.' if words else ''
