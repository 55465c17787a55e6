"""Rankers by name: ours, the published network, and the plain rules they are compared with."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.rankers.baselines import (
    ElementDissimilarityRanker,
    FusionRanker,
    NearestDescriptorRanker,
    RandomRanker,
    SubstitutionRanker,
)
from aiida_inversedesign.propose.rankers.published import PublishedRanker
from aiida_inversedesign.propose.rankers.ranking import Ranker

#: the trained rankings; each needs a model
TRAINED = ('ours', 'published')
#: every ranking, in the order in which tables show them
NAMES = (
    'ours', 'published', 'fusion', 'element_dissimilarity', 'nearest_descriptor', 'substitution', 'random',
)  # fmt: skip


class RankerError(InverseDesignError):
    """A ranking that does not exist or cannot be made, with what there is."""


def make_rankers(
    names: tuple[str, ...], library: Library, trained: Mapping[str, Ranker] | None = None, seed: int = 0
) -> list[Ranker]:
    """The rankings of these names, in this order.

    :param library: the templates; the scaling of the descriptors comes from it.
    :param trained: the rankers that need a model, by name. ``fusion`` needs ``published``.
    :raises RankerError: if there is no such ranking, or its model is not given.
    """
    models = dict(trained or {})
    return [_make(name, library, models, seed) for name in names]


def _make(name: str, library: Library, models: dict[str, Ranker], seed: int) -> Ranker:
    if name in TRAINED:
        if name not in models:
            raise RankerError(f'the ranking {name!r} needs a model, and none is given')
        return models[name]
    if name == 'fusion':
        published = models.get('published')
        if not isinstance(published, PublishedRanker):
            raise RankerError("the ranking 'fusion' joins element dissimilarity with 'published', which is not given")
        return FusionRanker(published)
    if name == 'element_dissimilarity':
        return ElementDissimilarityRanker()
    if name == 'nearest_descriptor':
        return NearestDescriptorRanker(library)
    if name == 'random':
        return RandomRanker(seed)
    if name == 'substitution':
        return SubstitutionRanker()
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f'did you mean {near[0]!r}? ' if near else ''
    raise RankerError(f'there is no ranking {name!r}: {hint}There are {", ".join(NAMES)}')
