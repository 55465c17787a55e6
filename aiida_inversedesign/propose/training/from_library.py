"""From a library to a trained proposal model: which compounds, which fingerprints, then the training of a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.proposal_model import AnyModel
from aiida_inversedesign.propose.training.ensemble import Progress
from aiida_inversedesign.propose.training.published_recipe import Recipe, TrainingError, train

if TYPE_CHECKING:
    from aiida_inversedesign.propose.training.train_ranker import RankerRecipe

#: eV/atom above the hull up to which compounds teach our recipe; the published one learns from the hull alone
NEAR_HULL = 0.1


def lowest_of_each_formula(
    library: Library, max_e_above_hull: float = 0.0, exclude_formulas: Collection[str] = ()
) -> Library:
    """The lowest crystal of each formula within an energy above the hull, without the excluded formulas.

    A library without energies is taken as it is, with the first crystal of each formula.

    :param max_e_above_hull: eV/atom.
    """
    best: dict[str, tuple[float, float, str, int]] = {}
    excluded = frozenset(exclude_formulas)
    for index, item in enumerate(library):
        formula, energy = item.crystal.formula, item.e_above_hull
        if (energy is not None and energy > max_e_above_hull) or formula in excluded:
            continue
        formation = item.formation_energy if item.formation_energy is not None else 0.0
        key = (energy if energy is not None else 0.0, formation, item.id, index)
        best[formula] = min(best.get(formula, (np.inf, np.inf, '', -1)), key)
    return library.subset(sorted(index for *_, index in best.values()))


def train_on(
    library: Library,
    seed: int,
    cache: Path | None = None,
    exclude_formulas: Collection[str] = (),
    recipe: Literal['ours', 'published'] | Recipe | RankerRecipe = 'ours',
    progress: Progress | None = None,
    jobs: int = 1,
) -> AnyModel:
    """Train a recipe on a library.

    :param cache: npz file of fingerprints by the id of the template; those that neither it nor the library has are
        computed.
    :param exclude_formulas: reduced formulas that a test will ask for: removed before anything is learned.
    :param recipe: ours or the published one with their defaults, or the settings of either.
    :param jobs: processes that compute fingerprints and train networks, each with one thread.
    :raises TrainingError: if the library is too small.
    """
    from aiida_inversedesign.propose.training.train_ranker import RankerRecipe

    published = recipe == 'published' or isinstance(recipe, Recipe)
    chosen = lowest_of_each_formula(library, 0.0 if published else NEAR_HULL, exclude_formulas)
    if not len(chosen):
        raise TrainingError('no compound of the library is left to train on: import more, or exclude fewer formulas')
    chosen = complete_fingerprints(chosen, cache, progress, jobs)
    assert chosen.fingerprints is not None  # noqa: S101
    # a benchmark asks the card which formulas the model was kept from
    kept_from = {'excluded_formulas': sorted(exclude_formulas)}
    if published:
        settings = recipe if isinstance(recipe, Recipe) else None
        network = train(chosen, chosen.fingerprints.astype(np.float64), seed, settings, progress, jobs)
        return dataclasses.replace(network, record=network.record | kept_from)
    from aiida_inversedesign.propose.training.train_proposal import train_proposal_model

    settings_ours = recipe if isinstance(recipe, RankerRecipe) else RankerRecipe()
    model = train_proposal_model(chosen, seed, settings_ours, progress, jobs)
    return dataclasses.replace(model, record=model.record | kept_from)


def complete_fingerprints(
    library: Library, cache: Path | None = None, progress: Progress | None = None, jobs: int = 1
) -> Library:
    """The library with a fingerprint for every template that can have one.

    :param cache: see :func:`train_on`, as ``jobs``.
    """
    from aiida_inversedesign.chemistry.fingerprints.structure import LENGTH, read_cache
    from aiida_inversedesign.libraries.fingerprinted import with_fingerprints

    values = library.fingerprints
    values = np.full((len(library), LENGTH), np.nan, dtype=np.float32) if values is None else values.copy()
    known = read_cache(cache) if cache is not None else {}
    for row in np.flatnonzero(np.isnan(values).any(axis=1)).tolist():
        if library[row].id in known:
            values[row] = known[library[row].id]
    report = partial(progress, 'fingerprints') if progress is not None else None
    return with_fingerprints(library.with_fingerprints(values), progress=report, workers=jobs)[0]
