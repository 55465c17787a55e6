"""How well volumes are predicted: ``python tests/benchmark/volume_error.py [LIBRARY.parquet] [QUERIES] [SEED]``.

Draws stable compounds, removes their formulas from the library, fits the volume model to the remainder, and predicts
the volume of every compound in the template of nearest elements, beside the template's own volume, pymatgen's DLS and
the ratio of element volumes fitted to the same library. The 95 % intervals are bootstrapped over the compounds.
Without a library it takes the Materials Project structures and fingerprints of the shared data
(``INVERSEDESIGN_SHARED``, or the folder ``shared`` beside the checkout).
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor

from aiida_inversedesign.libraries.importers import read_jsonl
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.assign import assign_elements, dissimilarities
from aiida_inversedesign.propose.rankers.ranking import Templates, reduced
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, VolumeModel, element_volumes, fit_volumes

Errors = NDArray[np.float64]

NAMES = ('volume model', 'element volumes, fitted', 'DLS of pymatgen', "template's own", 'element volumes, shipped')

#: templates are at most this far above the hull, eV/atom
HULL = 0.1


def main() -> None:
    """Measure and print."""
    library = _library(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    stable = [
        item.crystal
        for item in library
        if item.e_above_hull is not None and item.e_above_hull <= 0 and len(item.crystal.counts) > 1
    ]
    rng = np.random.default_rng(seed)
    asked = set(rng.permutation(sorted({crystal.formula for crystal in stable}))[:number].tolist())
    truth = _truth(library, asked)
    rest = library.subset(
        [i for i, t in enumerate(library) if (t.e_above_hull or 0) <= HULL and t.crystal.formula not in asked]
    )
    started = time.perf_counter()
    model = VolumeModel.fit(rest, seed)
    size = sum(array.nbytes for array in model.to_arrays().values())
    print(f'fitted to {len(rest)} templates in {time.perf_counter() - started:.0f} s, {size / 1000:.0f} kB')
    results, told, apart, seconds = _predict(rest, library, truth, model)
    right = apart <= 0.1
    print(f'n = {len(told)} held-out compounds, template of nearest elements; {right.sum()} within 0.1 of the truth')
    print(f'{"":26}{"all: median":>13} [95 %]          {"90 %":>6}   {"right: median":>13} [95 %]          {"90 %":>6}')
    for name, errors in results.items():
        print(f'{name:26}{_summary(errors, rng)}   {_summary(errors[right], rng)}')
    errors = results['volume model']
    print(f'told error: mean {told.mean():.4f}, true mean {errors.mean():.4f}; ', end='')
    print(
        f'{(errors < told).mean():.2f} of the errors below what was told, {(errors < 2 * told).mean():.2f} below twice'
    )
    edges = np.quantile(told, [0, 0.25, 0.5, 0.75, 0.9, 1])
    for low, high in pairwise(edges):
        part = (told >= low) & (told <= high)
        means = f'mean {errors[part].mean():.4f}, told {told[part].mean():.4f}'
        print(f'  told {low:.3f}–{high:.3f}: n = {part.sum()}, {means}')
    print(f'{1000 * seconds / len(told):.2f} ms CPU a formula with 10 templates')


def _truth(library: Library, formulas: set[str]) -> list[int]:
    """Row of the lowest energy of each formula."""
    best: dict[str, int] = {}
    for row, item in enumerate(library):
        formula = item.crystal.formula
        if formula in formulas and item.e_above_hull is not None:
            other = best.get(formula)
            if other is None or item.e_above_hull < (library[other].e_above_hull or 0.0):
                best[formula] = row
    return [best[formula] for formula in sorted(best)]


def _predict(
    rest: Library, library: Library, truth: list[int], model: VolumeModel
) -> tuple[dict[str, Errors], Errors, Errors, float]:
    """Absolute relative errors of each method; the model's own; the distance of template and truth; CPU seconds."""
    predictor = DLSVolumePredictor()
    templates, elements = Templates(rest), element_volumes() | fit_volumes(rest)
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    told, apart, seconds = [], [], 0.0
    fingerprints, own = library.fingerprints, rest.fingerprints
    for row in truth:
        crystal = library[row].crystal
        group = templates.group(crystal.ratio_label)
        if group is None:
            continue
        counts = reduced(crystal.counts)
        best = group.indices[np.argsort(dissimilarities(counts, group.rows), kind='stable')[:10]]
        started = time.process_time()
        estimate = model.estimate(counts, group, best)[0]
        seconds += time.process_time() - started
        template = rest[int(best[0])].crystal
        before = reduced(template.counts)
        ratio = sum(elements[symbol] * count for symbol, count in counts.items()) / sum(
            elements[symbol] * count for symbol, count in before.items()
        )
        mapping, _ = assign_elements(counts, before)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            try:
                predicted = predictor.predict(template.with_species(mapping).to_pymatgen())
            except (ValueError, KeyError, RuntimeError):
                predicted = template.volume
        answers = (estimate.volume, template.volume * ratio, predicted, template.volume)
        shipped = ElementVolumes().estimate(counts, group, best[:1])[0].volume
        right = crystal.volume * template.nsites / crystal.nsites
        for name, volume in zip(NAMES, (*answers, shipped), strict=True):
            found[name].append(abs(volume / right - 1))
        told.append(estimate.error)
        known = fingerprints is not None and own is not None
        apart.append(float(np.linalg.norm(fingerprints[row] - own[int(best[0])])) if known else np.nan)
    return {name: np.array(values) for name, values in found.items()}, np.array(told), np.array(apart), seconds


def _library(path: Path | None) -> Library:
    if path:
        return Library.from_bytes(path.read_bytes())
    shared = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared')) / 'data'
    library, _ = read_jsonl(shared / 'mp_structures.jsonl.gz', primitive=False)
    with np.load(shared / 'fingerprints_reference.npz') as file:
        ids, values = file['ids'].tolist(), file['fingerprints']
    known = {name: row for row, name in enumerate(ids)}
    fingerprints = np.full((len(library), values.shape[1]), np.nan)
    for row, item in enumerate(library):
        if item.id in known:
            fingerprints[row] = values[known[item.id]]
    return library.with_fingerprints(fingerprints)


def _summary(errors: NDArray[np.float64], rng: np.random.Generator) -> str:
    draws = np.median(errors[rng.integers(0, len(errors), (1000, len(errors)))], axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f'{np.median(errors):>13.4f} [{low:.4f}, {high:.4f}] {np.quantile(errors, 0.9):>6.3f}'


if __name__ == '__main__':
    main()
