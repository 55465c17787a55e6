#!/usr/bin/env python
"""A small generator of crystals for the source ``external``: a conditional variational autoencoder.

It learns how densely the prototypes of a template library are packed, and generates crystals of the formulas that it
is asked for, with a wanted packing if one is given. It shows how little a generator of your own needs, and does not
compete with those that were trained on millions of crystals.

    generate.py train weights.pt        trains on the AFLOW prototypes (some seconds)
    generate.py request.json            what a campaign calls; without weights it trains first

Model: Sohn, Lee and Yan, NeurIPS 28, 3483 (2015); here over one-hot prototypes, with the packing as the condition.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label
from aiida_inversedesign.libraries.library import Library, aflow_library
from aiida_inversedesign.propose.volumes.element_volumes import volume_sum

#: Latent dimensions, hidden units, steps: enough that all prototypes of a ratio are drawn; nothing was tuned.
LATENT, HIDDEN, STEPS = 4, 64, 400


def packing(crystal: Crystal) -> float:
    """Volume of the atoms as in their elements over that of the cell: 1 is as dense as the elements."""
    return volume_sum(crystal.counts) / crystal.volume


class Autoencoder(nn.Module):
    """q(z | prototype, packing) and p(prototype | z, packing); shapes are (n, prototypes) and (n, 1)."""

    def __init__(self, prototypes: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(prototypes + 1, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT + 1, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, prototypes))

    def loss(self, seen: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """The negative evidence lower bound."""
        mean, log_variance = self.encoder(torch.cat([seen, condition], 1)).chunk(2, 1)
        latent = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        logits = self.decoder(torch.cat([latent, condition], 1))
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return (nn.functional.cross_entropy(logits, seen.argmax(1), reduction='none') + divergence).mean()


def trained(library: Library, seed: int = 0) -> Autoencoder:
    """The model of a library."""
    torch.manual_seed(seed)
    condition = torch.tensor([[packing(item.crystal)] for item in library], dtype=torch.float32)
    seen, model = torch.eye(len(library)), Autoencoder(len(library))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = model.loss(seen, condition + 0.02 * torch.randn_like(condition))
        loss.backward()
        optimiser.step()
    return model


def generated(model: Autoencoder, library: Library, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Crystals of all formulas of a request, as records."""
    rng = np.random.default_rng(request['seed'])
    torch.manual_seed(request['seed'])
    wanted = request['conditions'].get('packing')
    known = np.array([packing(item.crystal) for item in library])
    records = []
    for formula in request['formulas']:
        counts = parse_formula(formula)
        fits = [
            index
            for index, item in enumerate(library)
            if item.crystal.ratio_label == ratio_label(counts) and item.crystal.nsites <= request['max_sites']
        ]
        for number in range(request['crystals_per_formula'] if fits else 0):
            goal = rng.choice(known[fits]) if wanted is None else wanted['value']
            with torch.no_grad():
                condition = torch.tensor([[goal]], dtype=torch.float32)
                logits = model.decoder(torch.cat([torch.randn(1, LATENT), condition], 1))[0, fits]
                chances = logits.softmax(0).double().numpy()
            item = library[fits[rng.choice(len(fits), p=chances / chances.sum())]]
            crystal = put(item.crystal, counts, rng)
            crystal = crystal.scaled_to(volume_sum(crystal.counts) / packing(item.crystal))
            identity = {'id': f'{formula}-{number}', 'parent': item.id, 'score': float(np.log(chances.max()))}
            records.append({**identity, **crystal.to_dict()})
    return records


def put(template: Crystal, counts: dict[str, int], rng: np.random.Generator) -> Crystal:
    """The formula's elements on the sites of a template, those of equal number in random order."""
    sites = sorted(template.counts, key=lambda symbol: template.counts[symbol])
    symbols = sorted(counts, key=lambda symbol: (counts[symbol], rng.random()))
    chosen = dict(zip(sites, symbols, strict=True))
    return Crystal(template.lattice, tuple(chosen[symbol] for symbol in template.species), template.frac_coords)


def main() -> None:
    """Train, or answer a request."""
    library = aflow_library()
    if sys.argv[1] == 'train':
        torch.save(trained(library).state_dict(), sys.argv[2])
        return
    request = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(request['output'])
    folder.mkdir(exist_ok=True)
    status: dict[str, Any] = {'program': 'example-generator', 'version': '1', 'license': 'MIT', 'deterministic': True}
    if request['weights'] is None:
        model = trained(library, request['seed'])
    else:
        content = Path(request['weights']['path']).read_bytes()
        status['weights_sha256'] = hashlib.sha256(content).hexdigest()
        model = Autoencoder(len(library))
        model.load_state_dict(torch.load(io.BytesIO(content), weights_only=True))
    records = generated(model, library, request)
    (folder / 'crystals.jsonl').write_text(''.join(json.dumps(item) + '\n' for item in records))
    (folder / 'status.json').write_text(json.dumps({**status, 'seed': request['seed']}))


if __name__ == '__main__':
    main()
