"""What a template library knows of its own crystals, as the prior of a transfer surrogate."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.models.transfer import Prior, learn_prior
from aiida_inversedesign.learn.regressor import RegressorError
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.spaces.crystals.features import featurize

#: Entries that are described at most; the time goes into their descriptors.
_MOST = 4000
#: Priors learned before: every generation of a campaign asks for the same.
_REMEMBERED = 8
_memory: OrderedDict[tuple[str, str, int], Prior] = OrderedDict()


class SourceError(InverseDesignError):
    """Data from which a transfer surrogate cannot learn."""


def value_of(template: Template, name: str) -> float:
    """A property of an entry, NaN if it has none.

    :param name: ``formation_energy`` and ``e_above_hull`` (eV/atom), ``volume`` (Å³/atom), or a property of its own.
    """
    if name == 'volume':
        return template.crystal.volume / template.crystal.nsites
    values = {'formation_energy': template.formation_energy, 'e_above_hull': template.e_above_hull}
    value = values.get(name, template.properties.get(name))
    return float('nan') if value is None else float(value)


def library_priors(library: Library, names: Sequence[str], seed: int = 0) -> tuple[Prior, ...]:
    """One prior for each property, learned from up to 4 000 entries that have it.

    :param names: as in :func:`value_of`.
    :raises SourceError: if too few entries have a property, or all have the same value.
    """
    return tuple(_library_prior(library, name, seed) for name in names)


def _library_prior(library: Library, name: str, seed: int) -> Prior:
    key = (library.content_hash, name, seed)
    if key not in _memory:
        _memory[key] = _learn(library, name, seed)
        while len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
    return _memory[key]


def _learn(library: Library, name: str, seed: int) -> Prior:
    able = [template for template in library if np.isfinite(value_of(template, name))]
    # in an order of their own, so that the same entries give the same prior
    able.sort(key=lambda template: template.id)
    order = np.random.default_rng(seed).permutation(len(able))[:_MOST]
    entries = [able[index] for index in order]
    features, _ = featurize([entry.crystal for entry in entries], [None] * len(entries))
    values = np.array([value_of(entry, name) for entry in entries])
    try:
        return learn_prior(name, features, values, seed)
    except RegressorError as error:
        known = sorted({key for template in library for key in template.properties})
        raise SourceError(
            f'learn.source: {error}; the library has formation_energy, e_above_hull where its entries do, volume, '
            f'and {", ".join(known) or "no properties of its own"}'
        ) from error
