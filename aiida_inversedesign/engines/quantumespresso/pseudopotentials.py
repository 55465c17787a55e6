"""The pseudopotential family of a campaign: whether the profile has it, and whether it is still the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_inversedesign.campaign.contracts.engine import Trial
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.engines.ase import calculators
from aiida_inversedesign.engines.common.advice import code_command
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso


def prepare(spec: CampaignSpec, inputs: Mapping[str, orm.Data], problems: list[str]) -> dict[str, orm.Data]:
    """Add what is wrong with the family to the problems; the further input is the calculator of a pre-relaxation."""
    section = spec.evaluate
    if not isinstance(section, QuantumEspresso):
        raise TypeError(f'the settings are those of {section.engine}, not of quantumespresso')
    problems.extend(_problems(section, sorted(spec.space.elements_used)))
    return calculators.port('prerelax_calculator', section.prerelax, inputs.get('prerelax_code'))


def examine(codes: Iterable[orm.AbstractCode]) -> Iterator[tuple[str, list[str], str]]:
    """What ``doctor`` looks for: the code, and the families.

    :returns: of each what it is, the labels of what there is, and how to get one.
    """
    pw = [code.full_label for code in codes if code.default_calc_job_plugin == 'quantumespresso.pw']
    yield 'pw.x', pw, f'`{code_command("quantumespresso.pw")}`'
    families = orm.QueryBuilder().append(PseudoPotentialFamily).all(flat=True)
    yield 'pseudopotentials', [family.label for family in families], '`aiida-pseudo install pseudo-dojo -f upf`'


def tries(spec: CampaignSpec, inputs: Mapping[str, orm.Data]) -> Iterator[Trial]:
    """Without an input pw.x says its name and stops; a pre-relaxation needs its calculator."""
    yield Trial('code', expects='Program PWSCF')
    for port, expects in (('dos_code', 'Program DOS'), ('projwfc_code', 'Program PROJWFC')):
        if port in inputs:
            yield Trial(port, expects=expects)
    section: Any = spec.evaluate
    if section.prerelax is not None and 'prerelax_code' in inputs:
        yield calculators.trial('prerelax_code', section.prerelax, inputs, 'prerelax_calculator', spec)


def _problems(section: QuantumEspresso, elements: list[str]) -> Iterator[str]:
    """Whether the family is there, and has what the space can lead to."""
    try:
        family = orm.load_group(section.pseudos)
    except (NotExistent, ValueError):
        yield (
            f'evaluate.pseudos: there is no pseudopotential family {section.pseudos!r}; '
            'list them with `aiida-pseudo list`, install one with `aiida-pseudo install pseudo-dojo -f upf`'
        )
        return
    if not isinstance(family, PseudoPotentialFamily):
        yield (
            f'evaluate.pseudos: {section.pseudos!r} is a group of another kind; list families with `aiida-pseudo list`'
        )
        return
    missing = [symbol for symbol in elements if symbol not in family.elements]
    if missing:
        yield f'evaluate.pseudos: {section.pseudos!r} has no pseudopotential for {", ".join(missing)}'
    elif None in (section.cutoff_wfc, section.cutoff_rho):
        # a family without recommended cutoffs would let every evaluation fail
        try:
            # a family of the plain kind has no such method; one whose cutoffs were not set raises a ValueError;
            # a space may name no elements: its library does
            family.get_recommended_cutoffs(elements=tuple(elements or family.elements), unit='Ry')
        except (AttributeError, ValueError):
            yield (
                f'evaluate.pseudos: {section.pseudos!r} recommends no cutoffs; give both evaluate.cutoff_wfc and '
                'evaluate.cutoff_rho (Ry), or take a family that does (`aiida-pseudo install pseudo-dojo -f upf`, '
                '`aiida-pseudo family cutoffs set`)'
            )


def same_pseudopotentials(node: orm.WorkChainNode, structure: orm.Data, settings: Mapping[str, Any]) -> bool:
    """Whether the family would give today what it gave the evaluation's calculations.

    One that was installed again under its name may hold other pseudopotentials, and its cutoffs may have been changed.
    """
    job = next((item for item in node.called_descendants if 'pseudos' in item.inputs), None)
    if job is None:
        return False
    if not isinstance(structure, orm.StructureData):
        # of a molecule: its conformer in a box
        structure = job.inputs.structure
    try:
        family = orm.load_group(settings['pseudos'])
        now = {name: item.md5 for name, item in family.get_pseudos(structure=structure).items()}
        cutoffs = [settings.get('cutoff_wfc'), settings.get('cutoff_rho')]
        if None in cutoffs:
            recommended = family.get_recommended_cutoffs(structure=structure, unit='Ry')
            cutoffs = [given or advised for given, advised in zip(cutoffs, recommended, strict=True)]
    except (NotExistent, ValueError, AttributeError):
        return False
    used = job.inputs.parameters.get_dict().get('SYSTEM', {})
    then = {name: item.md5 for name, item in job.inputs.pseudos.items()}
    return now == then and all(
        math.isclose(used.get(name, 0.0), value or 0.0, rel_tol=1e-9)
        for name, value in zip(('ecutwfc', 'ecutrho'), cutoffs, strict=True)
    )
