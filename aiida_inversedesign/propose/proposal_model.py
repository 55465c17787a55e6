"""The proposal model: what ranks templates and predicts volumes, in one file with its card.

:func:`load_model` reads a model of either recipe: ours (:class:`ProposalModel`) or the published one
(:class:`~aiida_inversedesign.propose.rankers.cspml.CspmlModel`).
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.propose.npz import ModelError, pack, unpack
from aiida_inversedesign.propose.rankers import cspml
from aiida_inversedesign.propose.rankers.posterior import PosteriorRanker, select
from aiida_inversedesign.propose.volumes.volume import VolumeModel

#: layout of :meth:`ProposalModel.to_bytes`
SCHEMA = 'inversedesign.proposal/1'


@dataclass(frozen=True, eq=False)
class ProposalModel:
    """A trained model of our recipe.

    :param volumes: predicts the volume of a template with new elements.
    :param features: names of the element features that both were trained with.
    :param record: the model card: library, sizes, recipe, split, scores, versions, seed.
    """

    ranker: PosteriorRanker
    volumes: VolumeModel
    features: tuple[str, ...]
    record: dict[str, Any]

    @property
    def formulas(self) -> frozenset[str]:
        """Reduced formulas it was trained on: what a fair test must not ask for."""
        return self.ranker.memory.formulas

    def to_bytes(self) -> bytes:
        """The model as a npz file without pickles; the same model gives the same bytes."""
        arrays = {f'ranker.{name}': value for name, value in self.ranker.to_arrays().items()}
        arrays |= {f'volumes.{name}': value for name, value in self.volumes.to_arrays().items()}
        return pack(
            arrays
            | {
                'schema': np.array(SCHEMA),
                'record': np.array(json.dumps(self.record, sort_keys=True)),
                'features': np.array(self.features),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ProposalModel:
        """The model of :meth:`to_bytes`.

        :raises ModelError: if the bytes are not such a file, or it was made with another element table.
        """
        arrays = unpack(data)
        if str(arrays.get('schema')) != SCHEMA:
            raise ModelError(f'the model has the layout {arrays.get("schema")}, expected {SCHEMA}: train it again')
        try:
            features = tuple(arrays['features'].tolist())
            record = json.loads(str(arrays['record']))
            if features != element_table().names:
                raise ModelError(
                    'the model was trained with another element table: train it again (aiida-inversedesign cspml train)'
                )
            ranker = PosteriorRanker.from_arrays(select(arrays, 'ranker.'))
            volumes = VolumeModel.from_arrays(select(arrays, 'volumes.')).remembering(ranker.memory)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
            raise error if isinstance(error, ModelError) else ModelError(f'the model file lacks {error}') from error
        return cls(ranker, volumes, features, record)


AnyModel = ProposalModel | cspml.CspmlModel


def load_model(data: bytes) -> AnyModel:
    """The model in a file of either recipe.

    :raises ModelError: if it is none.
    """
    if str(unpack(data).get('schema')) == cspml.SCHEMA:
        return cspml.CspmlModel.from_bytes(data)
    return ProposalModel.from_bytes(data)


@functools.cache
def shipped_model() -> ProposalModel:
    """The model that comes with the package; its card is ``models/shipped.json``."""
    return ProposalModel.from_bytes(files('aiida_inversedesign.propose').joinpath('models/shipped.npz').read_bytes())
