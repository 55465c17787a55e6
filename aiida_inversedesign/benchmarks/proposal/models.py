"""The trained rankings of a benchmark: trained again without the queries, or given and shown not to know them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np

from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError, keyed
from aiida_inversedesign.benchmarks.proposal.splits import TRAINED_ON, check_unseen, templates_for
from aiida_inversedesign.chemistry.fingerprints.structure import LENGTH, Cache, fingerprints
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.proposal_model import AnyModel, ProposalModel, load_model
from aiida_inversedesign.propose.rankers.cspml import CspmlModel
from aiida_inversedesign.propose.rankers.published import PublishedRanker
from aiida_inversedesign.propose.rankers.ranking import Ranker
from aiida_inversedesign.propose.training.published_recipe import Recipe, train
from aiida_inversedesign.propose.volumes.volume import Volumes


@dataclass(frozen=True, eq=False)
class Training:
    """What a model is trained on again.

    :param library: everything; the formulas asked for are removed here.
    :param asked: reduced formulas of the queries.
    :param known: fingerprints by id, for templates that have none.
    :param epochs: most epochs, fewer than the recipe's for a quick look; None for the recipe's.
    :param jobs: processes that compute missing fingerprints and train networks.
    """

    library: Library
    asked: frozenset[str]
    seed: int
    known: Cache
    epochs: int | None = None
    jobs: int = 1


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained ranking and the file it can be read from again.

    :param card: the record of its training.
    :param formulas: how many formulas it was trained on; None if it does not tell.
    :param volumes: its prediction of volumes, if it has one.
    """

    ranker: Ranker
    data: bytes
    card: dict[str, Any]
    formulas: int | None
    volumes: Volumes | None = None


def train_published(training: Training, progress: Report = silent) -> Trained:
    """The published recipe on the compounds on the hull; its card lists their formulas.

    :raises TrainingError: if the library is too small.
    """
    chosen = _training_library(training, 0.0, progress)
    recipe = Recipe() if training.epochs is None else Recipe(epochs=training.epochs)
    values = np.empty((0, LENGTH)) if chosen.fingerprints is None else chosen.fingerprints.astype(np.float64)
    model = train(chosen, values, training.seed, recipe, progress, training.jobs)
    formulas = sorted(item.crystal.formula for item in chosen)
    return _trained(replace(model, record={**model.record, TRAINED_ON: formulas}))


def train_ours(training: Training, progress: Report = silent) -> Trained:
    """Our recipe on the compounds near the hull.

    :raises TrainingError: if the library is too small.
    """
    from aiida_inversedesign.propose.training.from_library import NEAR_HULL
    from aiida_inversedesign.propose.training.train_proposal import train_proposal_model
    from aiida_inversedesign.propose.training.train_ranker import RankerRecipe

    chosen = _training_library(training, NEAR_HULL, progress)
    recipe = RankerRecipe() if training.epochs is None else RankerRecipe(epochs=training.epochs)
    return _trained(train_proposal_model(chosen, training.seed, recipe, progress, training.jobs))


def read_model(name: str, data: bytes, recipe: str, asked: Collection[str]) -> Trained:
    """The ranking of a model file.

    :param name: of the model, for the messages.
    :param recipe: the ranking it is meant for, ``ours`` or ``published``.
    :raises ModelError: if it is not a model file.
    :raises BenchmarkError: if it is of the other recipe, or may know the answers.
    """
    model = load_model(data)
    trained = _trained(model)
    if trained.ranker.name != recipe:
        raise BenchmarkError(f'the model {name!r} is of the recipe {trained.ranker.name!r}, not {recipe!r}')
    card = {TRAINED_ON: sorted(model.formulas)} if isinstance(model, ProposalModel) else model.record
    check_unseen(card, asked, name)
    return trained


def _trained(model: AnyModel) -> Trained:
    if isinstance(model, CspmlModel):
        listed = model.record.get(TRAINED_ON)
        number = len(listed) if isinstance(listed, list) else None
        return Trained(PublishedRanker(model), model.to_bytes(), model.record, number)
    # a frozen ranker's name cannot be set, which the protocol would allow
    ranker = cast(Ranker, model.ranker)
    return Trained(ranker, model.to_bytes(), model.record, len(model.formulas), model.volumes)


#: how each trained ranking is trained again
TRAIN: dict[str, Callable[[Training, Report], Trained]] = {'ours': train_ours, 'published': train_published}


def _training_library(training: Training, max_e_above_hull: float, progress: Report) -> Library:
    chosen = templates_for(training.library, training.asked, max_e_above_hull)
    return with_fingerprints(chosen, training.known, progress, jobs=training.jobs)


def with_fingerprints(
    library: Library,
    known: Cache,
    progress: Report = silent,
    labels: Collection[str] | None = None,
    jobs: int = 1,
) -> Library:
    """The library with fingerprints; what is not in it or in ``known`` (by id) is computed, NaN where that fails.

    :param labels: ratio labels whose templates need one; None for all.
    :param jobs: processes.
    """
    values = np.full((len(library), LENGTH), np.nan) if library.fingerprints is None else library.fingerprints.copy()
    unknown = np.flatnonzero(~np.isfinite(values).all(axis=1))
    missing = [int(row) for row in unknown if labels is None or library[int(row)].crystal.ratio_label in labels]
    if missing:
        report = partial(progress, 'fingerprints')
        chosen = [library[row] for row in missing]
        names = [item.id for item in chosen]
        found = keyed(known, names)
        values[missing] = fingerprints([item.crystal for item in chosen], found, names, report, jobs)
        # what was computed for the templates need not be computed again for the training
        known.update(found)
    return library.with_fingerprints(values.astype(np.float32))
