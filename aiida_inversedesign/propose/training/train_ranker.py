"""Trains the networks of the posterior ranker, see :func:`train_member`.

For every compound the templates of its ratio label are scored, the compound itself left out, and the softmax of the
scores is a distribution over structures. The loss is -log of the probability that falls on templates within a
fingerprint distance τ of the compound's own structure, for several τ at once: a ranking loss (ListNet, Cao et al., ICML
2007) whose targets are all right templates instead of one. Compounds above the hull take part as queries and as
templates; how much less likely they are is learned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.descriptors import Scaler
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.propose.rankers.set_transformer import CLIP, MAX_AMOUNT, Arrays, Floats, SetTransformer, Tokens

if TYPE_CHECKING:
    import torch

Report = Callable[[float], None]


@dataclass(frozen=True)
class RankerRecipe:
    """How the ensemble is trained.

    :param taus: fingerprint distances up to which a template counts as right, all at once.
    :param members: number of networks; they differ in their seed.
    :param width: size of a token; :param layers: attention layers; :param heads: attention heads.
    :param outputs: size of each half of queries and keys.
    :param structure_dropout: share of the batches in which keys do without the fingerprint, so that a library without
        fingerprints is ranked sensibly too.
    :param batch: compounds of one step, of one ratio label or of several small ones.
    :param validation: share of the compounds on the hull that is held out for early stopping and calibration.
    :param patience: looks at the held-out compounds without a better likelihood before training stops.
    """

    taus: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5)
    members: int = 5
    width: int = 128
    layers: int = 2
    heads: int = 4
    outputs: int = 64
    dropout: float = 0.2
    structure_dropout: float = 0.5
    batch: int = 512
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-2
    epochs: int = 40
    validation: float = 0.06
    patience: int = 3


@dataclass(frozen=True, eq=False)
class Compounds:
    """What the networks are trained on, one compound a row.

    :param labels: ratio label of each compound as a number, shape (n,).
    :param fingerprints: shape (n, 244), without NaN.
    :param e_above_hull: eV/atom, shape (n,); NaN if unknown.
    """

    tokens: Tokens
    labels: NDArray[np.int64]
    fingerprints: Floats
    e_above_hull: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)


def train_member(
    data: Compounds,
    training: NDArray[np.int64],
    validation: NDArray[np.int64],
    seed: int,
    recipe: RankerRecipe,
    report: Report | None = None,
) -> tuple[SetTransformer, list[dict[str, float]]]:
    """Train one network; the same inputs give the same network on the same machine.

    :param training: rows of ``data`` that are learned from, shape (n,).
    :param validation: rows, shape (m,), that decide when to stop; their templates are the training rows.
    :param report: called with the fraction done.
    :returns: the network with the best validation likelihood, and the log: epoch, loss, validation loss.
    """
    import torch

    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        # initial weights and dropout draw from the global generator, which is restored afterwards
        torch.manual_seed(seed)
        network = _Network(data, training, recipe)
        optimizer = torch.optim.AdamW(
            network.module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        steps = recipe.epochs * (len(_batches(data.labels, training, recipe.batch, rng)) + 2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, steps, pct_start=0.15)
        best, best_state, waited = np.inf, weights_of(network, recipe), 0
        log: list[dict[str, float]] = []
        for epoch in range(1, recipe.epochs + 1):
            losses = []
            for rows in _batches(data.labels, training, recipe.batch, rng):
                loss = network.loss(rows, rows, rng.random() < recipe.structure_dropout)
                if loss is None:
                    continue
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.module.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                losses.append(float(loss.detach()))
            if report is not None:
                report(epoch / recipe.epochs)
            if epoch % 3 and epoch < recipe.epochs:
                continue
            held_out = network.validate(validation, training)
            log.append({'epoch': epoch, 'loss': round(float(np.mean(losses)), 4), 'validation': round(held_out, 4)})
            if held_out < best - 1e-4:
                best, best_state, waited = held_out, weights_of(network, recipe), 0
            else:
                waited += 1
                if waited >= recipe.patience:
                    break
    return SetTransformer(best_state), log


def _batches(
    labels: NDArray[np.int64], rows: NDArray[np.int64], size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """The rows in random batches: a large label is cut into equal parts, small ones are put together."""
    groups: dict[int, list[int]] = defaultdict(list)
    for row in rows.tolist():
        groups[int(labels[row])].append(row)
    large: list[NDArray[np.int64]] = []
    small: list[NDArray[np.int64]] = []
    for label in sorted(groups):
        members = rng.permutation(groups[label])
        if len(members) >= size // 2:
            large += np.array_split(members, max(1, round(len(members) / size)))
        elif len(members) > 1:
            small.append(members)
    gathered: list[NDArray[np.int64]] = []
    for index in rng.permutation(len(small)):
        gathered.append(small[index])
        if sum(map(len, gathered)) >= size:
            large.append(np.concatenate(gathered))
            gathered = []
    if gathered:
        large.append(np.concatenate(gathered))
    return [large[index] for index in rng.permutation(len(large))]


class _Network:
    """The torch twin of :class:`SetTransformer` with its data and loss."""

    def __init__(self, data: Compounds, training: NDArray[np.int64], recipe: RankerRecipe) -> None:
        import torch

        self.data, self.recipe = data, recipe
        self.scaler = Scaler.of(data.tokens.descriptors[training])
        known = data.fingerprints[training]
        self.print_mean, self.print_std = known.mean(axis=0), known.std(axis=0) + 1e-3
        descriptors = np.clip(self.scaler.transform(data.tokens.descriptors), -CLIP, CLIP)
        self.descriptors = torch.from_numpy(descriptors.astype(np.float32))
        self.rows, self.amounts = torch.from_numpy(data.tokens.rows), torch.from_numpy(data.tokens.amounts)
        fractions = torch.from_numpy(data.tokens.fractions)
        self.fractions = torch.stack([fractions, fractions.sqrt()], dim=-1)
        self.present = torch.from_numpy(data.tokens.present)
        self.labels = torch.from_numpy(data.labels)
        self.prints = torch.from_numpy(data.fingerprints.astype(np.float32))
        self.scaled_prints = torch.from_numpy(
            ((data.fingerprints - self.print_mean) / self.print_std).astype(np.float32)
        )
        energy = np.minimum(np.nan_to_num(data.e_above_hull, nan=0.0), 0.3)
        self.energy = torch.from_numpy(energy.astype(np.float32))
        self.features = torch.from_numpy(element_table().zscored.astype(np.float32))
        self.module = _module(recipe, self.features.shape[1], self.descriptors.shape[1], self.prints.shape[1])

    def _states(self, rows: torch.Tensor) -> torch.Tensor:
        import torch

        net = self.module
        noisy = net['input_dropout']
        elements = net['element'](noisy(self.features[self.rows[rows]]))
        elements = elements + net['amount'](self.amounts[rows]) + net['fraction'](self.fractions[rows])
        hidden = torch.relu(net['descriptor_in'](noisy(self.descriptors[rows])))
        x = torch.cat([net['descriptor_out'](net['dropout'](hidden))[:, None], elements], dim=1)
        present = torch.cat([torch.ones(len(rows), 1, dtype=torch.bool), self.present[rows]], dim=1)
        mask = torch.zeros(present.shape).masked_fill(~present, -1e9)[:, None, None, :]
        for layer in range(self.recipe.layers):
            x = self._layer(x, mask, net[f'layer{layer}'])
        out: torch.Tensor = net['norm'](x[:, 0])
        return out

    def _layer(self, x: torch.Tensor, mask: torch.Tensor, part: Any) -> torch.Tensor:
        import torch

        n, t, d = x.shape
        h = self.recipe.heads
        q, k, v = part['qkv'](part['norm1'](x)).view(n, t, 3, h, d // h).permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-1, -2) / (d // h) ** 0.5 + mask).softmax(-1)
        drop = self.module['dropout']
        x = x + drop(part['out']((attention @ v).transpose(1, 2).reshape(n, t, d)))
        out: torch.Tensor = x + drop(part['down'](torch.relu(part['up'](part['norm2'](x)))))
        return out

    def _scores(
        self, queries: torch.Tensor, keys: torch.Tensor, key_rows: torch.Tensor, no_structure: bool
    ) -> torch.Tensor:
        import torch

        net = self.module
        size = self.recipe.outputs**0.5
        out: torch.Tensor = net['query'](queries) @ net['key'](keys).T / size * torch.exp(net.scale)
        if not no_structure:
            hidden = torch.relu(net['structure_in'](self.scaled_prints[key_rows]))
            structure = net['structure_out'](net['structure_dropout'](hidden))
            out = out + net['query_structure'](queries) @ structure.T / size
        energy = self.energy[key_rows]
        return out + net.hull[0] * energy / 0.1 + net.hull[1] * (energy > 0)

    def loss(self, query_rows: Any, key_rows: Any, no_structure: bool) -> torch.Tensor | None:
        """Mean over queries and τ of -log P(right template); None if no query has a right template."""
        import torch

        asked, given = torch.as_tensor(query_rows), torch.as_tensor(key_rows)
        together = torch.equal(asked, given)
        queries = self._states(asked)
        keys = queries if together else self._states(given)
        allowed = (self.labels[asked][:, None] == self.labels[given][None]) & (asked[:, None] != given[None])
        log_p = self._scores(queries, keys, given, no_structure).masked_fill(~allowed, -1e9).log_softmax(dim=1)
        distance = torch.cdist(self.prints[asked], self.prints[given])
        total, number = torch.zeros(()), 0
        for tau in self.recipe.taus:
            right = (distance <= tau) & allowed
            has = right.any(dim=1)
            if has.any():
                mass = torch.logsumexp(log_p[has].masked_fill(~right[has], -1e9), dim=1)
                total, number = total - mass.sum(), number + int(has.sum())
        return total / number if number else None

    def validate(self, validation: NDArray[np.int64], training: NDArray[np.int64]) -> float:
        """The loss on held-out rows, shape (m,), against all training rows, shape (n,), of their label."""
        import torch

        self.module.eval()
        losses, weights = [], []
        with torch.no_grad():
            for label in np.unique(self.data.labels[validation]):
                asked = validation[self.data.labels[validation] == label]
                given = training[self.data.labels[training] == label]
                loss = self.loss(asked, given, no_structure=False) if len(given) else None
                if loss is not None:
                    losses.append(float(loss))
                    weights.append(len(asked))
        self.module.train()
        return float(np.average(losses, weights=weights)) if losses else np.inf


def _module(recipe: RankerRecipe, features: int, descriptors: int, prints: int) -> Any:
    import torch
    from torch import nn

    d, o = recipe.width, recipe.outputs
    parts: dict[str, nn.Module] = {
        'input_dropout': nn.Dropout(recipe.dropout / 2),
        'dropout': nn.Dropout(recipe.dropout),
        'structure_dropout': nn.Dropout(min(0.5, 2 * recipe.dropout)),
        'element': nn.Linear(features, d),
        'amount': nn.Embedding(MAX_AMOUNT + 1, d),
        'fraction': nn.Linear(2, d),
        'descriptor_in': nn.Linear(descriptors, 2 * d),
        'descriptor_out': nn.Linear(2 * d, d),
        'norm': nn.LayerNorm(d),
        'query': nn.Linear(d, o),
        'key': nn.Linear(d, o),
        'query_structure': nn.Linear(d, o),
        'structure_in': nn.Linear(prints, 2 * d),
        'structure_out': nn.Linear(2 * d, o),
    }
    for layer in range(recipe.layers):
        parts[f'layer{layer}'] = nn.ModuleDict(
            {
                'norm1': nn.LayerNorm(d),
                'qkv': nn.Linear(d, 3 * d),
                'out': nn.Linear(d, d),
                'norm2': nn.LayerNorm(d),
                'up': nn.Linear(d, 2 * d),
                'down': nn.Linear(2 * d, d),
            }
        )
    module = nn.ModuleDict(parts)
    module.scale = nn.Parameter(torch.zeros(()))
    module.hull = nn.Parameter(torch.tensor([-0.5, -0.2]))
    return module


def weights_of(network: Any, recipe: RankerRecipe) -> Arrays:
    """The trained weights as :class:`SetTransformer` reads them: matrices as (in, out), float16."""
    size = float(recipe.outputs) ** 0.5
    out: Arrays = {'heads': np.array(recipe.heads)}
    for name, value in network.module.state_dict().items():
        array = value.detach().numpy()
        if name.endswith('.weight') and array.ndim == 2 and not name.startswith('amount'):
            array = array.T
        out[name] = array.astype(np.float32).copy()
    out['scale'] = np.exp(out['scale']) / size
    for kind in ('weight', 'bias'):
        out[f'query_structure.{kind}'] = out[f'query_structure.{kind}'] / size
    out |= {
        'mean': network.scaler.mean,
        'std': network.scaler.std,
        'print_mean': network.print_mean,
        'print_std': network.print_std,
    }
    exact = ('heads', 'mean', 'std', 'print_mean', 'print_std', 'hull', 'scale')
    return {
        name: value.astype(np.float32 if name in exact else np.float16) if name != 'heads' else value
        for name, value in out.items()
    }
