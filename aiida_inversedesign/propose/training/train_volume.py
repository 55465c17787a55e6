"""Fits a :class:`~aiida_inversedesign.propose.volumes.volume.VolumeModel` to the structures of a library.

1. Element volumes by non-negative least squares.
2. Networks for the remainder of log(volume per atom). Half of their loss is the difference between a compound and a
   structural neighbour: volumes of one structure type must compare well, more than they must be right alone. Each
   network leaves out one fifth of the formulas.
3. The expected error: every formula asks the network that has not seen it, with the templates of the other formulas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.elements import element_table, unknown_elements
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.assign import dissimilarities, element_rows
from aiida_inversedesign.propose.rankers.ranking import reduced
from aiida_inversedesign.propose.volumes.element_volumes import element_volumes, fit_volumes
from aiida_inversedesign.propose.volumes.volume import ERROR_FEATURES, VolumeModel, structural_neighbours, support
from aiida_inversedesign.propose.volumes.volume_network import TARGET_SCALE, CompositionNetwork, VolumeModelError

Progress = Callable[[str, float], None]

#: least number of compounds of two or more elements
LEAST = 50


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained.

    :param members: number of networks; each leaves out this part of the formulas.
    :param pair_distance: structural neighbours are compounds of one ratio label within this fingerprint distance.
    :param pair_weight: weight of the difference between neighbours in the loss.
    :param open: compounds that fill more than this many sums of their element volumes (layers, molecules, frameworks)
        teach only by comparison with neighbours: their openness is the structure's, not the composition's.
    :param error_queries: formulas that the error is fitted on, at most.
    """

    members: int = 5
    hidden: tuple[int, ...] = (48, 48)
    dropout: float = 0.03
    epochs: int = 60
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    pair_distance: float = 0.2
    pair_weight: float = 3.0
    open: float = 1.3
    error_queries: int = 4000


def train_volume_model(
    library: Library, seed: int, progress: Progress | None = None, recipe: Recipe | None = None
) -> VolumeModel:
    """See :meth:`VolumeModel.fit`."""
    recipe, report = recipe or Recipe(), progress or (lambda step, done: None)
    # pure elements follow a rule of their own
    usable = [
        row
        for row, item in enumerate(library)
        if len(item.crystal.counts) > 1 and not unknown_elements(item.crystal.counts)
    ]
    if len(usable) < LEAST:
        raise VolumeModelError(
            f'the library has {len(usable)} compounds of two or more elements: a volume model needs at least {LEAST}; '
            'without one, volumes follow from element volumes'
        )
    library = library.subset(usable)
    report('element volumes', 0.0)
    volumes = element_volumes() | fit_volumes(library)
    counts = [reduced(item.crystal.counts) for item in library]
    scaler = Scaler.of(describe(counts))
    # rounded as the file rounds, so that a model and its copy from a file are the same
    stored = np.array([volumes[symbol] for symbol in element_table().symbols], dtype=np.float32).astype(np.float64)
    network = CompositionNetwork(stored, scaler)
    inputs, baseline = network.inputs(counts)
    measured = np.log([item.crystal.volume / item.crystal.nsites for item in library])
    folds = np.array([fold(item.crystal.formula, recipe.members) for item in library])
    groups = _groups(library)
    neighbours = _neighbours(library, groups, recipe.pair_distance)
    members = []
    for member in range(recipe.members):
        report(f'volume network {member + 1} of {recipe.members}', member / (recipe.members + 1))
        rows = np.flatnonzero(folds != member)
        members.append(_train_member(inputs, measured - baseline, rows, neighbours, seed + member, recipe))
    layers = tuple(
        (np.stack([weights for weights, _ in layer]), np.stack([bias for _, bias in layer])[:, None])
        for layer in zip(*members, strict=True)
    )
    network = CompositionNetwork(network.volumes, scaler, layers)
    report('error of the volumes', recipe.members / (recipe.members + 1))
    predicted = network.predict(counts)
    weights = _error_weights(library, measured, predicted, folds, groups, seed, recipe)
    report('error of the volumes', 1.0)
    return VolumeModel(network, weights)


def fold(formula: str, members: int) -> int:
    """Which network leaves a formula out: depends on the formula alone."""
    return int.from_bytes(hashlib.sha256(formula.encode()).digest()[:4], 'big') % members


def _groups(library: Library) -> list[Integers]:
    """Rows of each ratio label, those of one compound left out."""
    return [np.array(rows) for label in library.ratios if len(rows := library.by_ratio(label)) > 1]


def _neighbours(library: Library, groups: list[Integers], distance: float) -> dict[int, Integers]:
    """Rows of the structural neighbours of each compound that has any."""
    found: dict[int, Integers] = {}
    if library.fingerprints is None:
        return found
    for group in groups:
        fingerprints = library.fingerprints[group]
        squares = np.einsum('np,np->n', fingerprints, fingerprints)
        for block in np.array_split(np.arange(len(group)), len(group) // 512 + 1):
            squared = squares[block][:, None] + squares[None] - 2 * fingerprints[block] @ fingerprints.T
            squared[np.arange(len(block)), block] = np.inf
            for index, row in enumerate(block):
                near = np.flatnonzero(squared[index] <= distance**2)
                if len(near):
                    found[int(group[row])] = group[near]
    return found


def _train_member(
    inputs: NDArray[np.float32],
    targets: Array,
    rows: Integers,
    neighbours: dict[int, Integers],
    seed: int,
    recipe: Recipe,
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights and biases of one network, trained on these rows."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    allowed = np.zeros(len(inputs), dtype=bool)
    allowed[rows] = True
    partners = [own[allowed[own]] if (own := neighbours.get(int(row))) is not None else rows[:0] for row in rows]
    lengths = np.array([len(item) for item in partners])
    starts = np.cumsum(lengths) - lengths
    # a compound without neighbours is its own: its difference is zero
    flat = np.concatenate([*partners, rows[:1]])
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(inputs.shape[1], recipe)
        optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        steps = recipe.epochs * -(-len(rows) // recipe.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
        x = torch.from_numpy(inputs)
        y = torch.from_numpy((TARGET_SCALE * targets).astype(np.float32))
        dense = torch.from_numpy(targets <= np.log(recipe.open))
        for _ in range(recipe.epochs):
            drawn = starts + (rng.random(len(rows)) * lengths).astype(np.int64)
            pairs = torch.from_numpy(np.stack([rows, np.where(lengths > 0, flat[drawn % len(flat)], rows)]))
            for part in torch.randperm(len(rows)).split(recipe.batch):
                chosen = pairs[:, part]
                optimizer.zero_grad()
                first, second = network(x[chosen.reshape(-1)]).reshape(2, -1) - y[chosen]
                zero = torch.zeros_like(first)
                loss = smooth_l1_loss(first * dense[chosen[0]], zero, beta=0.3)
                loss = loss + recipe.pair_weight * smooth_l1_loss(first - second, zero, beta=0.1)
                loss.backward()
                optimizer.step()
                schedule.step()
    return [
        (
            module.weight.detach().numpy().T.astype(np.float16).astype(np.float32),
            module.bias.detach().numpy().astype(np.float32),
        )
        for module in network
        if isinstance(module, torch.nn.Linear)
    ]


def _network(width: int, recipe: Recipe):  # type: ignore[no-untyped-def]
    """A torch network; elements that the library lacks start, and stay, without influence."""
    from torch import nn

    layers: list[nn.Module] = []
    for units in recipe.hidden:
        layers += [nn.Linear(width, units), nn.SiLU(), nn.Dropout(recipe.dropout)]
        width = units
    network = nn.Sequential(*layers, nn.Linear(width, 1))
    first = network[0]
    if isinstance(first, nn.Linear):
        nn.init.zeros_(first.weight[:, -len(element_table().symbols) :])
    return network


def _error_weights(
    library: Library,
    measured: Array,
    predicted: Array,
    folds: Integers,
    groups: list[Integers],
    seed: int,
    recipe: Recipe,
) -> Array:
    """Weights of the features for log(error), with and without fingerprints, shape (2, 5).

    Each formula is asked for in the template of nearest elements, right or wrong, and in one that is right.
    """
    rng = np.random.default_rng(seed)
    total = sum(len(group) for group in groups)
    features: tuple[list[Array], list[Array]] = ([], [])
    errors: tuple[list[Array], list[Array]] = ([], [])
    for group in groups:
        rows = element_rows([reduced(library[int(row)].crystal.counts) for row in group])
        fingerprints = None if library.fingerprints is None else library.fingerprints[group]
        number = int(rng.binomial(len(group), min(1.0, recipe.error_queries / total)))
        for query in rng.permutation(len(group))[:number]:
            own = folds[group[query]]
            others = np.flatnonzero(folds[group] != own)
            if not len(others):
                continue
            distance = dissimilarities(reduced(library[int(group[query])].crystal.counts), rows[others])
            chosen = [int(np.argmin(distance))]
            known = None if fingerprints is None else fingerprints[others]
            if fingerprints is not None and known is not None:
                apart = np.linalg.norm(known - fingerprints[query], axis=1)
                right = np.flatnonzero(apart <= recipe.pair_distance)
                chosen += [int(rng.choice(right))] if len(right) else []
            residuals = measured[group[others]] - predicted[own, group[others]]
            for mode, used in enumerate((known, None)):
                near = structural_neighbours(used, chosen)
                starts = np.cumsum([0, *(len(item) for item, _ in near[:-1])])
                flat = np.concatenate([item for item, _ in near])
                kernel = np.concatenate([item for _, item in near])
                found = support(starts, kernel, residuals[flat], distance[flat], distance[chosen])
                features[mode].append(found.features)
                miss = predicted[own, group[query]] + found.residual - measured[group[query]]
                errors[mode].append(np.minimum(np.abs(np.exp(miss) - 1), 1.0))
    return np.stack([_fit_errors(*item) for item in zip(features, errors, strict=True)])


def _fit_errors(features: list[Array], errors: list[Array]) -> Array:
    """Weights w so that exp(features · w) is the expected error: likelihood of exponentially distributed errors."""
    from scipy.optimize import minimize

    if not features:
        return np.append(np.zeros(len(ERROR_FEATURES) - 1), np.log(0.1))
    x, error = np.concatenate(features), np.concatenate(errors)
    start = np.append(np.zeros(x.shape[1] - 1), np.log(error.mean() + 1e-3))

    def loss(weights: Array) -> tuple[float, Array]:
        log_mean = np.clip(x @ weights, -12, 3)
        ratio = error / np.exp(log_mean)
        penalty = 1e-3 * weights[:-1]
        gradient = ((1 - ratio)[:, None] * x).mean(axis=0)
        gradient[:-1] += 2 * penalty
        return float((log_mean + ratio).mean() + (penalty * weights[:-1]).sum()), gradient

    return np.asarray(minimize(loss, start, jac=True, method='L-BFGS-B').x)
