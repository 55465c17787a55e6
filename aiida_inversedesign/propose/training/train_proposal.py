"""Trains our proposal model: networks, calibration on held-out compounds, memory, volumes, and the model card."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import with_prototypes
from aiida_inversedesign.propose.proposal_model import ProposalModel
from aiida_inversedesign.propose.rankers.calibration import calibrate
from aiida_inversedesign.propose.rankers.coverage import CENTRE, COVERED, EQUAL, LIKE, NARROW, SAME, WIDTH
from aiida_inversedesign.propose.rankers.memory import Memory
from aiida_inversedesign.propose.rankers.posterior import DISSIMILARITY, EVIDENCE, PosteriorRanker
from aiida_inversedesign.propose.rankers.ranking import TAUS, reduced
from aiida_inversedesign.propose.rankers.set_transformer import SetTransformer, Tokens
from aiida_inversedesign.propose.training.ensemble import Progress, ensemble
from aiida_inversedesign.propose.training.published_recipe import TrainingError
from aiida_inversedesign.propose.training.train_ranker import Compounds, RankerRecipe, train_member
from aiida_inversedesign.propose.volumes.volume import VolumeModel

#: fewer compounds than this teach nothing about which structure a formula takes
LEAST_COMPOUNDS = 50


def train_proposal_model(
    library: Library, seed: int, recipe: RankerRecipe, progress: Progress | None = None, jobs: int = 1
) -> ProposalModel:
    """Train on a library; the same inputs give the same model on the same machine.

    :param library: one template a formula, with fingerprints; those with NaN are left out. What a test will ask for is
        removed beforehand.
    :param progress: called with what is being done and the fraction done.
    :param jobs: processes that train networks side by side, each with one thread.
    :raises TrainingError: if fewer than :data:`LEAST_COMPOUNDS` compounds can be used.
    """
    report = progress or (lambda step, done: None)
    started = time.monotonic()
    data, library = compounds(library)
    training, validation = _split(data, recipe, seed)
    trained = ensemble(partial(_member, data, training, validation, seed, recipe), recipe.members, report, jobs)
    members, logs = tuple(network for network, _ in trained), [log for _, log in trained]
    report('calibration', 0.0)
    draft = PosteriorRanker(members, _memory(data, library, training), np.zeros((len(TAUS) + 1, len(EVIDENCE) + 1)))
    calibration, scores = calibrate(draft, library, training, validation)
    ranker = PosteriorRanker(members, _memory(data, library, np.arange(len(data))), calibration)
    volumes = VolumeModel.fit(library, seed, lambda step, done: report(f'volumes: {step}', done))
    volumes = volumes.remembering(ranker.memory)
    record = {
        'method': 'posterior over known structures by a set transformer, templates chosen by prototype and coverage',
        'library': {'hash': library.content_hash, 'templates': len(library), 'sources': library.sources},
        'seed': seed,
        'recipe': asdict(recipe),
        'dissimilarity_weight': DISSIMILARITY,
        'coverage': {
            'centre': CENTRE,
            'width': WIDTH,
            'covered': COVERED,
            'same': SAME,
            'like': LIKE,
            'equal': EQUAL,
            'narrow': NARROW,
        },
        'compounds': {'training': len(training), 'validation': len(validation)},
        'validation': scores,
        'log': logs,
        'training_seconds': round(time.monotonic() - started),
        'versions': {
            'python': platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ('aiida-inversedesign', 'numpy', 'torch')},
        },
    }
    # plain JSON data, as it comes back from a file
    return ProposalModel(ranker, volumes, element_table().names, json.loads(json.dumps(record)))


def _member(
    data: Compounds,
    training: NDArray[np.int64],
    validation: NDArray[np.int64],
    seed: int,
    recipe: RankerRecipe,
    number: int,
    report: Callable[[float], None] | None = None,
) -> tuple[SetTransformer, list[dict[str, float]]]:
    return train_member(data, training, validation, seed + number, recipe, report)


def compounds(library: Library) -> tuple[Compounds, Library]:
    """The compounds of a library that have a fingerprint, as arrays, and the library of them alone.

    :raises TrainingError: if there are too few.
    """
    prints = library.fingerprints
    usable = [] if prints is None else np.flatnonzero(np.isfinite(prints).all(axis=1)).tolist()
    if len(usable) < LEAST_COMPOUNDS:
        raise TrainingError(
            f'{len(usable)} compounds with a fingerprint are too few to train on (at least {LEAST_COMPOUNDS}): '
            'import more structures'
        )
    library = with_prototypes(library.subset(usable))
    assert library.fingerprints is not None  # noqa: S101
    _, labels = np.unique([item.crystal.ratio_label for item in library], return_inverse=True)
    energies = [np.nan if item.e_above_hull is None else item.e_above_hull for item in library]
    tokens = Tokens.of([reduced(item.crystal.counts) for item in library])
    return Compounds(tokens, labels.astype(np.int64), library.fingerprints, np.array(energies)), library


def _split(data: Compounds, recipe: RankerRecipe, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows held out: of the compounds on the hull, as those are what a search looks for."""
    stable = np.flatnonzero(~(data.e_above_hull > 0))
    rng = np.random.default_rng(seed)
    validation = np.sort(rng.permutation(stable)[: max(5, round(recipe.validation * len(stable)))])
    return np.setdiff1d(np.arange(len(data)), validation), validation


def _memory(data: Compounds, library: Library, rows: NDArray[np.int64]) -> Memory:
    crystals = [library[int(row)].crystal for row in rows]
    volumes = np.array([crystal.volume / crystal.nsites for crystal in crystals])
    compositions = [reduced(crystal.counts) for crystal in crystals]
    labels = [library[int(row)].proto_label for row in rows]
    return Memory.of(compositions, data.fingerprints[rows], data.e_above_hull[rows], volumes, labels)
