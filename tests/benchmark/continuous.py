"""How near a search of a continuous space comes to the optimum: the campaign's own functions against BoTorch.

Branin (2 variables), Hartmann-6 and Ackley-5, minimised without noise, one evaluation at a time from the same 8 points.
What is printed is the simple regret: the best value found less the true minimum. Each loop is compared with the first
one seed by seed: the mean of log10 of the ratio of their regrets (below 0: it comes nearer than the first).

python tests/benchmark/continuous.py [--seeds 10] [--loops auto:auto,gp:log_ei,gp:log_ei:gradient,sobol,botorch]

A loop is SURROGATE:ACQUISITION[:SOURCE], Sobol points alone, or BoTorch's own.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from aiida_inversedesign.benchmarks.search.statistics import Estimate, mean_over_seeds, median_over_seeds
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.next_fit import fit_next
from aiida_inversedesign.propose.next_candidates import propose_next
from aiida_inversedesign.select.choose import choose_batch
from aiida_inversedesign.spaces.parameters.sampling import sobol

Array = np.ndarray
INITIAL = 8


def branin(x: Array) -> float:
    """On the unit square; three minima."""
    a, b = 15 * x[0] - 5, 15 * x[1]
    curve = b - 5.1 * a**2 / (4 * np.pi**2) + 5 * a / np.pi - 6
    return float(curve**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)


_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_SHARPNESS = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(x: Array) -> float:
    """On the unit cube of six dimensions; one deep minimum among several."""
    return float(-_WEIGHTS @ np.exp(-(_SHARPNESS * (x - _CENTRES) ** 2).sum(axis=1)))


def ackley(x: Array) -> float:
    """On [-5, 10]^5 as the unit cube; many shallow minima around one deep one, at 1/3 of each edge."""
    z = 15 * x - 5
    root = np.sqrt(np.mean(z**2))
    return float(-20 * np.exp(-0.2 * root) - np.exp(np.mean(np.cos(2 * np.pi * z))) + 20 + np.e)


#: function, number of variables, minimum, evaluations after the first 8
FUNCTIONS: dict[str, tuple[Callable[[Array], float], int, float, int]] = {
    'Branin': (branin, 2, 0.39788736, 24),
    'Hartmann-6': (hartmann, 6, -3.32236801, 40),
    'Ackley-5': (ackley, 5, 0.0, 40),
}


def campaign(dimension: int, surrogate: str, acquisition: str, seed: int, source: str = 'sobol') -> CampaignSettings:
    """The settings of a campaign on the unit cube."""
    return CampaignSettings.model_validate(
        {
            'name': 'continuous',
            'seed': seed,
            'goal': {'objectives': [{'property': 'energy', 'minimize': True}]},
            'space': {
                'kind': 'parameters',
                'variables': {f'x{place}': {'min': 0, 'max': 1} for place in range(dimension)},
            },
            'propose': {'method': source},
            'select': {'acquisition': acquisition, 'initial': INITIAL, 'batch': 1},
            'learn': {'surrogate': surrogate},
            'evaluate': {'engine': 'table', 'data': 'none'},
        }
    )


def ours(name: str, seed: int, number: int, surrogate: str, acquisition: str, source: str = 'sobol') -> list[float]:
    """Values in the order of evaluation, by the functions that campaigns call."""
    function, dimension, _, _ = FUNCTIONS[name]
    spec = campaign(dimension, surrogate, acquisition, 100 * seed, source)
    rows: list[EvaluationRow] = []
    pool: list[Any] = []
    model, generation = None, 0
    while len(rows) < number:
        generation += 1
        pool = propose_next(spec, None, None, generation, rows, pool, model)
        size = INITIAL if model is None else 1
        chosen = choose_batch(spec.goal, spec.select, spec.space, pool, rows, model, size, spec.seed + generation)
        by_id = {candidate.id: candidate for candidate in pool}
        for choice in chosen:
            candidate = by_id[choice.candidate]
            value = function(np.array(list(candidate.content.values.values())))
            rows.append(
                EvaluationRow(
                    candidate.id,
                    generation,
                    'acquisition' if model else 'initial',
                    candidate.key,
                    'completed',
                    candidate.content,
                    properties={'energy': value},
                )
            )
        if len(rows) < number:
            model = fit_next(spec, rows, None)
    return [row.properties['energy'] for row in rows]


def starts(name: str, seed: int) -> Array:
    """The first 8 points of a campaign, shape (8, d)."""
    spec = campaign(FUNCTIONS[name][1], 'gp', 'auto', 100 * seed)
    pool = propose_next(spec, None, None, 1)
    chosen = choose_batch(spec.goal, spec.select, spec.space, pool, [], None, INITIAL, spec.seed + 1)
    by_id = {candidate.id: candidate.content for candidate in pool}
    return np.array([list(by_id[choice.candidate].values.values()) for choice in chosen])


def botorch(name: str, seed: int, number: int) -> list[float]:
    """BoTorch as its tutorials use it: ``SingleTaskGP``, LogEI, multi-start optimisation by its derivatives."""
    import torch
    from botorch import fit_gpytorch_mll
    from botorch.acquisition.analytic import LogExpectedImprovement
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    function, dimension, _, _ = FUNCTIONS[name]
    X = torch.from_numpy(starts(name, seed))
    values = [function(x.numpy()) for x in X]
    bounds = torch.tensor([[0.0] * dimension, [1.0] * dimension], dtype=torch.double)
    while len(values) < number:
        Y = -torch.tensor(values, dtype=torch.double)[:, None]
        model = SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        found, _ = optimize_acqf(
            LogExpectedImprovement(model, best_f=Y.max()), bounds, q=1, num_restarts=10, raw_samples=512
        )
        X = torch.cat([X, found.detach()])
        values.append(function(found.detach().numpy().ravel()))
    return values


def spread(name: str, seed: int, number: int) -> list[float]:
    """Sobol points alone."""
    function, dimension, _, _ = FUNCTIONS[name]
    points = sobol(campaign(dimension, 'gp', 'auto', seed).space, number, seed)  # type: ignore[arg-type]
    return [function(np.array(list(point.values.values()))) for point in points]


def main() -> None:
    """Run every loop with every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=10)
    parser.add_argument('--functions', default=','.join(FUNCTIONS))
    parser.add_argument('--loops', default='auto:auto,gp:log_ei,sobol,botorch')
    options = parser.parse_args()
    print(f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {options.seeds} seeds')
    for name in options.functions.split(','):
        _, _, minimum, further = FUNCTIONS[name]
        first: list[float] = []
        for loop in options.loops.split(','):
            regrets, begun = [], time.perf_counter()
            for seed in range(options.seeds):
                number = INITIAL + further
                if loop == 'sobol':
                    values = spread(name, seed, number)
                elif loop == 'botorch':
                    values = botorch(name, seed, number)
                else:
                    values = ours(name, seed, number, *loop.split(':'))
                regrets.append(min(values) - minimum)
            first = first or regrets
            ratio = mean_over_seeds(np.log10(regrets) - np.log10(first))
            seconds = (time.perf_counter() - begun) / options.seeds
            print(
                f'{name}, {INITIAL} + {further}, {loop}: median {_words(median_over_seeds(regrets))}, mean '
                f'{_words(mean_over_seeds(regrets))}, worst {max(regrets):.4f}, {seconds:.0f} s a search; against the '
                f'first: log10 ratio {_words(ratio)}, nearer in {int(np.sum(np.less(regrets, first)))} of {len(first)}',
                flush=True,
            )


def _words(figure: Estimate) -> str:
    """A figure with its interval, of which one seed has none."""
    if figure.low is None or figure.high is None:
        return f'{figure.value:.4f}'
    return f'{figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]'


if __name__ == '__main__':
    main()
