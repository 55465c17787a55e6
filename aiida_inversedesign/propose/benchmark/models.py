"""The trained rankings of a benchmark: trained anew without the queries, or given and shown not to know them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from aiida_inversedesign.chemistry.fingerprints import LENGTH, Cache, fingerprints
from aiida_inversedesign.propose.benchmark.splits import TRAINED_ON, check_unseen
from aiida_inversedesign.propose.cspml import CspmlModel
from aiida_inversedesign.propose.library import Library
from aiida_inversedesign.propose.published import PublishedRanker
from aiida_inversedesign.propose.ranking import Ranker
from aiida_inversedesign.propose.train import Progress, Recipe, train
from aiida_inversedesign.propose.training import stable_library


@dataclass(frozen=True, eq=False)
class Training:
    """What a model is trained on anew.

    :param library: everything; the formulas asked for are removed here.
    :param asked: reduced formulas of the queries.
    :param known: fingerprints by id, for templates that have none.
    :param epochs: most epochs, fewer than the recipe's for a quick look; None for the recipe's.
    """

    library: Library
    asked: frozenset[str]
    seed: int
    known: Cache
    epochs: int | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained ranking and the file it can be read from again.

    :param card: the record of its training.
    """

    ranker: Ranker
    data: bytes
    card: dict[str, object]


def train_published(training: Training, progress: Progress | None = None) -> Trained:
    """The published recipe on the stable compounds of the library; its card lists their formulas.

    :raises TrainingError: if the library is too small.
    """
    recipe = Recipe() if training.epochs is None else Recipe(epochs=training.epochs)
    stable = with_fingerprints(stable_library(training.library, training.asked), training.known, progress)
    values = np.empty((0, LENGTH)) if stable.fingerprints is None else stable.fingerprints.astype(np.float64)
    model = train(stable, values, training.seed, recipe, progress)
    formulas = sorted(item.crystal.formula for item in stable)
    return _published(replace(model, record={**model.record, TRAINED_ON: formulas}))


def read_published(data: bytes, asked: Collection[str], name: str) -> Trained:
    """The ranking of a model file.

    :param name: of the model, for the message.
    :raises ModelError: if it is no such file.
    :raises BenchmarkError: if the model may know the answers.
    """
    model = CspmlModel.from_bytes(data)
    check_unseen(model.record, asked, name)
    return _published(model)


def _published(model: CspmlModel) -> Trained:
    return Trained(PublishedRanker(model), model.to_bytes(), model.record)


#: how each trained ranking is trained anew, and read from a file
TRAIN: dict[str, Callable[[Training, Progress | None], Trained]] = {'published': train_published}
READ: dict[str, Callable[[bytes, Collection[str], str], Trained]] = {'published': read_published}


def with_fingerprints(
    library: Library, known: Cache, progress: Progress | None = None, labels: Collection[str] | None = None
) -> Library:
    """The library with fingerprints; what is not in it or in ``known`` (by id) is computed, NaN where that fails.

    :param labels: ratio labels whose templates need one; None for all.
    """
    values = np.full((len(library), LENGTH), np.nan) if library.fingerprints is None else library.fingerprints.copy()
    unknown = np.flatnonzero(~np.isfinite(values).all(axis=1))
    missing = [int(row) for row in unknown if labels is None or library[int(row)].crystal.ratio_label in labels]
    if not missing:
        return library if library.fingerprints is not None else library.with_fingerprints(values.astype(np.float32))
    report = partial(progress, 'fingerprints') if progress is not None else None
    chosen = [library[row] for row in missing]
    values[missing] = fingerprints([item.crystal for item in chosen], known, [item.id for item in chosen], report)
    return library.with_fingerprints(values.astype(np.float32))
