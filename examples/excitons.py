"""Bayesian spectroscopy of the yellow exciton series of Cu₂O, on artificial spectra whose truth is known.

python excitons.py FIGURE.png             draw one posterior and its fit
python excitons.py --coverage 100         how often 95 % intervals contain the truth
"""

import sys
import time

import numpy as np

from aiida_inversedesign.learn.physics.excitons import EXCITON_SERIES
from aiida_inversedesign.learn.physics.infer import Posterior, infer
from aiida_inversedesign.learn.physics.problem import Data

#: In eV; absorption in units of about the second line's.
TRUTH = {
    'E_g': 2.172,
    'R_y': 0.092,
    'f_0': 0.02,
    'width': 0.0015,
    'asymmetry': -0.15,
    'sigma': 0.0008,
    'f_X': 0.5,
    'f_B': 8.0,
}
NOISE = 0.02
ENERGIES = np.linspace(2.13, 2.20, 141)


def spectrum(seed: int) -> Data:
    """An artificial spectrum with noise of 3 % of the continuum."""
    exact = EXCITON_SERIES.values(ENERGIES, np.array([list(TRUTH.values())]))[0]
    return Data.of(ENERGIES, exact + np.random.default_rng(seed).normal(0, NOISE, len(ENERGIES)))


def contains_truth(posterior: Posterior) -> dict[str, bool]:
    """Whether the 95 % interval of each parameter contains the truth."""
    intervals = {name: posterior.interval(name) for name in TRUTH}
    return {name: bool(low <= TRUTH[name] <= high) for name, (low, high) in intervals.items()}


def coverage(first: int, number: int) -> None:
    """Print how many intervals contain the truth; few samples each, which is enough for an interval."""
    counts, problems = dict.fromkeys(TRUTH, 0), 0
    for seed in range(first, first + number):
        posterior = infer(EXCITON_SERIES, spectrum(seed), seed=seed, walkers=20, steps=400)
        problems += any('ensembles disagree' in text for text in posterior.problems)
        for name, inside in contains_truth(posterior).items():
            counts[name] += inside
    print(f'of {number} spectra: {counts}; ensembles disagree in {problems}')


def draw(target: str) -> None:
    """One posterior of 320 000 samples and its fit."""
    import matplotlib.pyplot as plt

    data, begun, used = spectrum(seed=0), time.perf_counter(), time.process_time()
    posterior = infer(EXCITON_SERIES, data, seed=1)
    taken = f'{time.perf_counter() - begun:.0f} s, {time.process_time() - used:.0f} s of one core'
    print(f'{len(posterior.samples)} samples in {taken}; {posterior.problems or "converged"}')
    for name, item in posterior.summary()['parameters'].items():
        low, high = item['interval_95']
        line = f'{name:10} {low:.6g} to {high:.6g} {item["unit"]:8} R-hat {item["r_hat"]:.4f}'
        print(f'{line} effective {item["effective_samples"]:.0f}')
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.6, 1))
    middle, low, high = posterior.band(ENERGIES)
    left.plot(data.x, data.y, '.', ms=3, color='grey', label='artificial data')
    left.plot(ENERGIES, middle, label='median of the posterior')
    left.fill_between(ENERGIES, low, high, alpha=0.4, label='95 % of the model')
    left.set(xlabel='photon energy (eV)', ylabel='absorption (arbitrary units)')
    left.legend(frameon=False)
    names = [item.name for item in posterior.parameters]
    gap, rydberg = (1000 * posterior.samples[:, names.index(name)] for name in ('E_g', 'R_y'))
    right.hist2d(gap - 1000 * TRUTH['E_g'], rydberg, bins=70, cmap='Blues')
    right.plot(0, 1000 * TRUTH['R_y'], 'r+', ms=12, label='truth')
    right.set(xlabel='$E_g$ − true $E_g$ (meV)', ylabel='$R_y$ (meV)')
    right.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(target, dpi=110)


if __name__ == '__main__':
    if sys.argv[1] == '--coverage':
        coverage(int(sys.argv[3]) if len(sys.argv) > 3 else 0, int(sys.argv[2]))
    else:
        draw(sys.argv[1])
