"""One cutoff for every calculation of a campaign, where energies of different compositions are compared.

A total energy depends on the cutoff. The cutoffs that a family recommends are those of the elements of a crystal, so
that a compound and its elements, or two compounds, would be computed with different ones.
"""

from __future__ import annotations

from collections.abc import Collection

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_inversedesign.campaign.contracts.engine import Settled
from aiida_inversedesign.campaign.demands import compares_compositions
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.engines.common.paper import listed
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso

#: As many elements are named one by one.
MOST_NAMED = 12


def settle(spec: CampaignSpec, elements: Collection[str]) -> Settled | None:
    """The cutoffs of the whole campaign; None where each crystal has its own, or the file names both.

    What is wrong with the family is said where the campaign is prepared.

    :param elements: those that the space or its library can lead to; of those without a pseudopotential nothing runs.
    """
    section = spec.evaluate
    if not isinstance(section, QuantumEspresso) or not wants_shared(spec, section):
        return None
    try:
        family = orm.load_group(section.pseudos)
        known = sorted(set(elements) & set(family.elements)) if isinstance(family, PseudoPotentialFamily) else []
        if not known:
            return None
        wfc, rho = family.get_recommended_cutoffs(elements=tuple(known), unit='Ry')
    except (NotExistent, ValueError, AttributeError):
        return None
    values = {'cutoff_wfc': section.cutoff_wfc or wfc, 'cutoff_rho': section.cutoff_rho or rho}
    named = listed(known) if len(known) <= MOST_NAMED else f'one of {len(known)} elements'
    return Settled(
        values,
        f'cutoffs of {values["cutoff_wfc"]:g} Ry (wavefunctions) and {values["cutoff_rho"]:g} Ry (density) in every '
        f'evaluation and reference: the largest that {section.pseudos!r} recommends for {named}',
    )


def wants_shared(spec: CampaignSpec, section: QuantumEspresso) -> bool:
    """Whether cutoffs are still open, and are to be the same for all."""
    if None not in (section.cutoff_wfc, section.cutoff_rho):
        return False
    return compares_compositions(spec) if section.shared_cutoffs is None else section.shared_cutoffs
