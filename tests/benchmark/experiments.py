"""A made-up data set of the crossed-barrel kind, and how soon its best designs are found with and without errors.

600 designs (number of struts, angle, radius, thickness), three replicates each, whose scatter grows with the value: a
smooth toughness with one narrow ridge. Hits are the best 5 % of the true toughness, of which nothing measures the
noise-free value; they are counted after 60 evaluations from the same 10 starting points.

python tests/benchmark/experiments.py [--csv FILE] [--seeds 20] [--jobs 1]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import platform
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from aiida_inversedesign.benchmarks.search.arms import our_names
from aiida_inversedesign.benchmarks.search.csv_pool import read_csv
from aiida_inversedesign.benchmarks.search.goals import make_task, parse_goal
from aiida_inversedesign.benchmarks.search.loop import Plan
from aiida_inversedesign.benchmarks.search.pool import Pool
from aiida_inversedesign.benchmarks.search.run import run_all
from aiida_inversedesign.benchmarks.search.statistics import mean_over_seeds
from aiida_inversedesign.learn.fit import fit_on_features

DESIGNS, REPLICATES = 600, 3
#: standard deviation of one measurement: this and this share of the value
NOISE, SHARE = 0.3, 0.15
VARIABLES = ('n', 'theta', 'r', 't')


def designs() -> np.ndarray:
    """Settings of all variables, shape (600, 4)."""
    whole = np.array(
        list(itertools.product(range(6, 13, 2), range(0, 201, 25), np.linspace(1.5, 2.5, 11), (0.7, 1.05, 1.4)))
    )
    return whole[np.sort(np.random.default_rng(0).permutation(len(whole))[:DESIGNS])]


def toughness(points: np.ndarray) -> np.ndarray:
    """The true value of each design in J, shape (m,): broad, with a ridge that runs through angle and radius."""
    n, theta, r, t = points.T
    broad = 4 + 3 * (n - 6) / 6 + 4 * (t - 0.7) / 0.7 + 3 * np.sin(np.pi * theta / 250)
    ridge = np.exp(-(((theta - 60 - 90 * (r - 1.5)) / 22) ** 2)) * (0.4 + 0.6 * (t - 0.7) / 0.7)
    return np.asarray(broad + 22 * ridge * np.exp(-(((n - 10) / 3) ** 2)))


def write(path: Path) -> None:
    """The measurements as people publish them: one row each, with an index that has no name."""
    points, rng = designs(), np.random.default_rng(1)
    truth = toughness(points)
    with path.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(['', *VARIABLES, 'toughness'])
        for number, (place, _) in enumerate(itertools.product(range(len(points)), range(REPLICATES))):
            value = truth[place] + (NOISE + SHARE * truth[place]) * rng.standard_normal()
            writer.writerow([number, *(f'{setting:g}' for setting in points[place]), f'{value:.4f}'])


def truth_of(pool: Pool) -> np.ndarray:
    """The true toughness of each candidate of a pool."""
    settings = [[float(part.partition('=')[2]) for part in name.split(', ')] for name in pool.ids]
    return toughness(np.array(settings))


def compare(pool: Pool, arms: list[str], seeds: int, jobs: int, budget: int = 60) -> None:
    """Print the hits of every arm with and without errors."""
    task = make_task(parse_goal('maximize', 'toughness'), pool.values, 0.05)
    truth = truth_of(pool)
    best = truth >= np.sort(truth)[-round(0.05 * len(pool))]
    counts: dict[str, np.ndarray] = {}
    own = [name for name in arms if name in our_names()]
    for words, given, names in (('with errors', pool, arms), ('without', replace(pool, errors={}), own)):
        outcome = run_all(given, task, Plan(10, 5, budget), names, range(seeds), jobs=jobs)
        for name, runs in outcome.runs.items():
            found = counts[f'{name} {words}'] = np.array([best[run.order].sum() for run in runs])
            measured = np.array([task.hits[run.order].sum() for run in runs])
            label = f'{name}, {words}' if name in own else name
            _show(label, found, f'; best 5 % of the measured means: {measured.mean():.1f}')
        for name, failed in outcome.failed.items():
            print(f'{name}: {len(failed)} failed, first: {failed[0]}')
        for name, reason in outcome.missing.items():
            print(f'{name}: {reason}')
    for name in own:
        _show(f'{name}, with less without, seed by seed', counts[f'{name} with errors'] - counts[f'{name} without'])
    print(f'random search: {budget * best.mean():.1f} on average (exact)')


def predict(pool: Pool, seeds: int, rows: int = 80) -> None:
    """Print how much better a Gaussian process of random designs predicts the others with errors than without."""
    truth, measured = truth_of(pool), pool.values['toughness']
    densities, misses = [], []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(pool))
        own, others = order[:rows], order[rows:]
        found = []
        for errors in ({name: column[own] for name, column in pool.errors.items()}, None):
            surrogate = fit_on_features(
                pool.features[own], {'toughness': measured[own]}, None, 'gp', seed, errors=errors
            )
            mean, deviation = surrogate.models['toughness'].predict(surrogate.standardise(pool.features[others]))
            density = -0.5 * ((measured[others] - mean) / deviation) ** 2 - np.log(deviation)
            found.append((density.mean(), np.sqrt(((mean - truth[others]) ** 2).mean())))
        densities.append(found[0][0] - found[1][0])
        misses.append(found[0][1] - found[1][1])
    _show(f'log density of a mean, {rows} random designs known, with less without', np.array(densities))
    _show('error of the predicted truth (RMS, J), with less without', np.array(misses))


def _show(words: str, values: np.ndarray, more: str = '') -> None:
    mean = mean_over_seeds(values)
    print(f'{words}: {mean.value:.3g} [{mean.low:.3g}, {mean.high:.3g}], n = {len(values)}{more}', flush=True)


def main() -> None:
    """Write the file and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--csv', type=Path, help='keep the data set here')
    parser.add_argument('--seeds', type=int, default=20)
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--arms', default='auto,gp:auto')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.csv or Path(folder) / 'barrels.csv'
        write(path)
        pool = read_csv(path, ['toughness'], [], [], lambda step, done: None)
    print(f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}')
    print(f'{len(pool)} designs of {pool.rows} rows, {pool.variables}, ignored {pool.ignored}')
    predict(pool, options.seeds)
    compare(pool, options.arms.split(','), options.seeds, options.jobs)


if __name__ == '__main__':
    main()
