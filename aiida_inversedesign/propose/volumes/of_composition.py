"""The volume of a crystal without a template: what its composition alone suggests, and its contacts allow."""

from __future__ import annotations

import math

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.propose.proposal_model import AnyModel, ProposalModel, shipped_model
from aiida_inversedesign.propose.rankers.ranking import Counts
from aiida_inversedesign.propose.volumes.element_volumes import volume_sum

#: A cell is widened for its closest contact by at most this factor of the volume, as in ``propose/build.py``, which
#: has the measurement.
WIDENED = 1.3
#: Expected relative error of a volume that follows from the composition alone: about that of a template's own volume
#: (median 8.9 %).
VOLUME_ERROR = 0.1


def volume_per_atom(counts: Counts, model: AnyModel | None) -> float:
    """What the volume model says of a composition whose structure is not known, Å³.

    :param model: of the proposal; None for the one shipped with the package.
    """
    trained = model or shipped_model()
    if len(counts) > 1 and isinstance(trained, ProposalModel):
        return float(np.exp(trained.volumes.network.predict([dict(counts)]).mean()))
    # of a model without one, and of pure elements: a dense crystal
    return volume_sum(counts) / sum(counts.values())


def widening(crystal: Crystal, least: float) -> float:
    """The factor of the volume at which every contact keeps its limit; 1 or less if all do already.

    :param least: least contact in sums of covalent radii.
    """
    contact = closest_contact(crystal, least)
    return (contact.limit / contact.ratio) ** 3 if contact.ratio > 0 else math.inf


def widened_by(crystal: Crystal, factor: float) -> Crystal:
    """The crystal with its volume multiplied by a factor of :func:`widening`, if that is more than 1."""
    # a little more than needed, so that rounding does not undo it
    return crystal if factor <= 1 else crystal.scaled_to(crystal.volume * factor * (1 + 1e-9))


def fitted(crystal: Crystal, volume: float, least: float) -> Crystal | None:
    """The crystal at a volume of its composition, widened until every contact keeps its limit.

    :param volume: per atom, Å³.
    :param least: least contact in sums of covalent radii.
    :returns: None if it would have to be widened by more than :data:`WIDENED`.
    """
    scaled = crystal.scaled_to(volume * crystal.nsites)
    factor = widening(scaled, least)
    return None if factor > WIDENED else widened_by(scaled, factor)
