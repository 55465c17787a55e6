"""From a library to a trained CSPML model: which compounds, which fingerprints, then the training."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

import numpy as np

from aiida_inversedesign.chemistry.fingerprints import fingerprints, read_cache
from aiida_inversedesign.propose.cspml import CspmlModel
from aiida_inversedesign.propose.library import Library
from aiida_inversedesign.propose.train import Progress, Recipe, train


def stable_library(library: Library, exclude_formulas: Collection[str] = ()) -> Library:
    """The crystals on the hull, the lowest one of each formula, without the excluded formulas.

    A library without energies is taken as it is, with the first crystal of each formula.
    """
    best: dict[str, tuple[float, str, int]] = {}
    for index, item in enumerate(library):
        formula, energy = item.crystal.formula, item.e_above_hull
        if (energy is not None and energy > 0) or formula in exclude_formulas:
            continue
        formation = item.formation_energy if item.formation_energy is not None else 0.0
        best[formula] = min(best.get(formula, (np.inf, '', -1)), (formation, item.id, index))
    return library.subset(sorted(index for _, _, index in best.values()))


def train_on(
    library: Library,
    seed: int,
    cache: Path | None = None,
    exclude_formulas: Collection[str] = (),
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> CspmlModel:
    """Train the published recipe on the stable crystals of a library.

    :param cache: npz file of fingerprints by the id of the template; those that are not in it are computed.
    :param exclude_formulas: reduced formulas that a test will ask for: removed before anything is learned.
    :param recipe: how it is trained; default: as published.
    :raises TrainingError: see :func:`~aiida_inversedesign.propose.train.train`.
    """
    stable = stable_library(library, exclude_formulas)
    known = read_cache(cache) if cache is not None else {}
    report = partial(progress, 'fingerprints') if progress is not None else None
    crystals, names = [item.crystal for item in stable], [item.id for item in stable]
    return train(stable, fingerprints(crystals, known, names, report), seed, recipe, progress)
