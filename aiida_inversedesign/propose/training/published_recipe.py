"""Trains a CSPML ensemble by the published recipe (Kusaba, Liu and Yoshida 2022), see :func:`train`."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.rankers.cspml import CspmlModel
from aiida_inversedesign.propose.training.ensemble import Progress, ensemble

if TYPE_CHECKING:
    import torch

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]
Layers = tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]


class TrainingError(InverseDesignError):
    """A library that no model can be trained on, with the reason."""


@dataclass(frozen=True)
class Recipe:
    """How the ensemble is trained.

    :param tau: fingerprint distance up to which two structures are similar.
    :param hidden: widths of the hidden layers.
    :param split: shares of the compounds for training, validation and test.
    :param label_cap: most compounds of one ratio label, as a share of its split (published: 0.01, on a library three
        times as large); every network draws its own compounds.
    :param max_pairs: most pairs one network is trained on.
    :param patience: epochs without a better validation loss before it stops.
    """

    tau: float = 0.3
    members: int = 5
    hidden: tuple[int, ...] = (400, 400, 400)
    dropout: float = 0.2
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    label_cap: float = 0.05
    max_pairs: int = 90_000
    batch: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    epochs: int = 14
    patience: int = 3


def train(
    library: Library,
    fingerprints: NDArray[np.float64],
    seed: int,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> CspmlModel:
    """Train an ensemble on a library; the same inputs give the same model on the same machine.

    :param library: one template per formula, stable ones; what a test will ask for is removed beforehand.
    :param fingerprints: structure fingerprint of each template, shape (n, 244); rows with NaN are left out.
    :param progress: called with what is being done and the fraction done.
    :param jobs: processes that train networks side by side, each with one thread.
    :raises TrainingError: if the library has too few similar pairs.
    """
    import torch

    recipe = recipe or Recipe()
    started = time.monotonic()
    if fingerprints.shape[0] != len(library):
        raise TrainingError(f'{len(library)} templates but {fingerprints.shape[0]} fingerprints')
    known = np.flatnonzero(np.isfinite(fingerprints).all(axis=1))
    raw = describe([item.crystal.counts for item in library])
    scaler = Scaler.of(raw)
    X = scaler.transform(raw).astype(np.float32)
    labels = np.array([item.crystal.ratio_label for item in library], dtype=object)

    rng = np.random.default_rng(seed)
    order = rng.permutation(known)
    cuts = np.cumsum([round(share * len(order)) for share in recipe.split[:2]])
    training, validation, test = np.split(order, cuts)
    train_one = partial(_member, X, training, validation, labels, fingerprints, seed, recipe)
    trained = ensemble(train_one, recipe.members, progress or (lambda step, done: None), jobs)
    members, sizes = [layers for layers, _ in trained], [size for _, size in trained]
    model = CspmlModel(scaler, _as_stored(members), element_table().names, {})
    scores = evaluate(model, X, similar_pairs(test, labels, fingerprints, recipe, np.random.default_rng([seed, 99])))
    record = {
        'method': 'CSPML (Kusaba, Liu and Yoshida 2022)',
        'library': {'hash': library.content_hash, 'templates': len(library), 'sources': library.sources},
        'seed': seed,
        'recipe': asdict(recipe),
        'compounds': {'training': len(training), 'validation': len(validation), 'test': len(test)},
        'training_pairs': sizes,
        'test': scores,
        'threads': torch.get_num_threads() if jobs <= 1 else 1,
        'training_seconds': round(time.monotonic() - started),
        'versions': {
            'python': platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ('aiida-inversedesign', 'numpy', 'torch')},
        },
    }
    # plain JSON data, as it comes back from a file
    return CspmlModel(model.scaler, model.members, model.features, json.loads(json.dumps(record)))


def similar_pairs(
    compounds: NDArray[np.int64],
    labels: NDArray[np.object_],
    fingerprints: NDArray[np.float64],
    recipe: Recipe,
    rng: np.random.Generator,
) -> Pairs:
    """All similar pairs of equal ratio label and as many random dissimilar ones, up to ``max_pairs`` together.

    :param compounds: indices the pairs are made of.
    :returns: first index, second index and whether they are similar, each of shape (m,).
    """
    from scipy.spatial.distance import pdist

    groups: dict[str, list[int]] = defaultdict(list)
    for index in rng.permutation(compounds):
        groups[labels[index]].append(int(index))
    cap = max(2, int(recipe.label_cap * len(compounds)))
    first: list[NDArray[np.int64]] = []
    second: list[NDArray[np.int64]] = []
    similar: list[NDArray[np.bool_]] = []
    for label in sorted(groups):
        chosen = np.array(groups[label][:cap])
        if len(chosen) < 2:
            continue
        i, j = np.triu_indices(len(chosen), k=1)
        first.append(chosen[i])
        second.append(chosen[j])
        similar.append(pdist(fingerprints[chosen]) <= recipe.tau)
    if not first:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, np.empty(0, dtype=bool)
    a, b, y = np.concatenate(first), np.concatenate(second), np.concatenate(similar)
    positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
    number = min(len(positive), len(negative), recipe.max_pairs // 2)
    kept = np.concatenate([rng.permutation(positive)[:number], rng.permutation(negative)[:number]])
    return a[kept], b[kept], y[kept]


def evaluate(model: CspmlModel, X: NDArray[np.float32], pairs: Pairs) -> dict[str, float | int]:
    """Accuracy at p = 0.5, average precision and number of pairs, half of which are similar.

    :param X: standardised descriptors of compositions, shape (compounds, descriptors).
    """
    from sklearn.metrics import average_precision_score

    first, second, similar = pairs
    if len(first) == 0:
        return {'pairs': 0}
    probability = model.probabilities(np.abs(X[first] - X[second]))
    return {
        'pairs': len(first),
        'accuracy': round(float(((probability > 0.5) == similar).mean()), 4),
        'average_precision': round(float(average_precision_score(similar, probability)), 4),
    }


def _member(
    X: NDArray[np.float32],
    training: NDArray[np.int64],
    validation: NDArray[np.int64],
    labels: NDArray[np.object_],
    fingerprints: NDArray[np.float64],
    seed: int,
    recipe: Recipe,
    number: int,
    report: Callable[[float], None] | None = None,
) -> tuple[Layers, int]:
    """The network of a number, and how many pairs of its own draw it was trained on."""
    draw = np.random.default_rng([seed, number])
    pairs = similar_pairs(training, labels, fingerprints, recipe, draw)
    held_out = similar_pairs(validation, labels, fingerprints, recipe, draw)
    if len(pairs[0]) < 10 or len(held_out[0]) < 2:
        raise TrainingError(
            f'only {len(pairs[0])} similar and dissimilar pairs to train on: the library needs more '
            'compounds of the same ratio'
        )
    return _train_member(X, pairs, held_out, seed + number, recipe, report), len(pairs[0])


def _train_member(
    X: NDArray[np.float32],
    pairs: Pairs,
    held_out: Pairs,
    seed: int,
    recipe: Recipe,
    report: Callable[[float], None] | None,
) -> Layers:
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        # initial weights and dropout draw from the global generator, which is restored afterwards
        torch.manual_seed(seed)
        network = _network(X.shape[1], recipe)
        optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        loss_function = torch.nn.BCEWithLogitsLoss()
        data = torch.from_numpy(X)
        a, b, y = (torch.from_numpy(item) for item in pairs)
        c, d, z = (torch.from_numpy(item) for item in held_out)
        best, best_state, waited = float('inf'), network.state_dict(), 0
        for epoch in range(recipe.epochs):
            network.train()
            for rows in torch.randperm(len(a), generator=generator).split(recipe.batch):
                if len(rows) < 2:
                    continue  # batch normalisation needs two rows
                optimizer.zero_grad()
                logits = network((data[a[rows]] - data[b[rows]]).abs())[:, 0]
                loss = loss_function(logits, y[rows].float())
                loss.backward()
                optimizer.step()
            network.eval()
            with torch.no_grad():
                logits = torch.cat(
                    [network((data[c[rows]] - data[d[rows]]).abs())[:, 0] for rows in torch.arange(len(c)).split(8192)]
                )
                score = float(loss_function(logits, z.float()))
            if report is not None:
                report((epoch + 1) / recipe.epochs)
            if score < best:
                best, waited = score, 0
                best_state = {name: value.clone() for name, value in network.state_dict().items()}
            else:
                waited += 1
                if waited >= recipe.patience:
                    break
        network.load_state_dict(best_state)
        network.eval()
        return _folded(network)


def _network(width: int, recipe: Recipe) -> torch.nn.Sequential:
    from torch import nn

    layers: list[nn.Module] = []
    for units in recipe.hidden:
        layers += [nn.Linear(width, units), nn.BatchNorm1d(units), nn.ReLU(), nn.Dropout(recipe.dropout)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, 1))


def _folded(network: torch.nn.Sequential) -> Layers:
    """The layers as plain arrays, each batch normalisation folded into the dense layer before it."""
    from torch import nn

    modules = list(network)
    layers = []
    for module, following in zip(modules, [*modules[1:], None], strict=True):
        if not isinstance(module, nn.Linear):
            continue
        weights = module.weight.detach().double().numpy().T
        bias = module.bias.detach().double().numpy()
        if isinstance(following, nn.BatchNorm1d) and following.running_mean is not None:
            mean = following.running_mean.double().numpy()
            variance = following.running_var.double().numpy()
            scale = following.weight.detach().double().numpy() / np.sqrt(variance + following.eps)
            weights = weights * scale
            bias = (bias - mean) * scale + following.bias.detach().double().numpy()
        layers.append((weights.astype(np.float32), bias.astype(np.float32)))
    return tuple(layers)


def _as_stored(members: list[Layers]) -> tuple[Layers, ...]:
    """The weights rounded as the file rounds them, so that a model and its copy from a file are the same."""
    return tuple(
        tuple((weights.astype(np.float16).astype(np.float32), bias) for weights, bias in layers) for layers in members
    )
