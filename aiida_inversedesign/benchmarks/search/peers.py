"""Peers: other people's ways of choosing, with their own defaults, on the same descriptors and starting points.

PHYSBO and BayBE are their packages (:mod:`~aiida_inversedesign.benchmarks.search.packages`); plain BoTorch is its
``SingleTaskGP`` with log-EI. ``spacier_window`` and ``rocketsled_like`` are small implementations of our own after
Spacier (Nanjo et al., npj Comput. Mater. 2025) and rocketsled (Dunn, Brenneck and Jain, J. Phys. Mater. 2019), whose
packages do not search a given pool by themselves or need a database.

Most peers maximise one number. They are given the property with the sign of the goal, minus the distance to a target,
or the margin to a window; see :class:`Single`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.benchmarks.search.goals import limits, utilities
from aiida_inversedesign.benchmarks.search.loop import Question, Searcher, Step
from aiida_inversedesign.benchmarks.search.packages import FEATURES, BaybeSearcher, PhysboSearcher, seeded
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.errors import InverseDesignError

#: Forests that a rocketsled-like arm refits on random two thirds; rocketsled's own default is 500.
REFITS = 20
#: Candidates that BoTorch scores at once. Its default of 2048 copies the observed points for each of them, more than a
#: cache holds: of 16 to 2048 tried on 4 091 candidates with 117 descriptors, 64 was fastest (0.6 s, default 2.0 s), the
#: values were the same.
AT_ONCE = 64


class PeerError(InverseDesignError):
    """A peer that cannot do what is asked."""


@dataclass
class Single:
    """A goal as one number that is to be maximised.

    One objective alone: its value, minus the distance to a target, or the margin to the nearer edge of a window. With
    constraints everything is divided by the spread of the property over the starting points: the least of all margins
    where there is a window, otherwise the value less the violations.
    """

    goal: Goal
    scales: dict[str, float] = field(default_factory=dict)

    def __call__(self, values: dict[str, Array]) -> Array:
        """One number for each evaluation, shape (n,)."""
        objective = self.goal.objectives[0]
        y = values[objective.property]
        bounds = objective.hit_range
        closed = bounds is not None and math.isfinite(bounds[0]) and math.isfinite(bounds[1])
        if objective.target is not None:
            score = -np.abs(y - objective.target)
        elif closed and bounds is not None:
            score = np.minimum(y - bounds[0], bounds[1] - y)
        else:
            score = y if objective.kind == 'maximize' else -y
        if not self.goal.constraints:
            return np.asarray(score)
        if not self.scales:
            self.scales = {name: float(column.std()) or 1.0 for name, column in values.items()}
        if objective.target is not None and objective.tolerance is not None:
            score = score + objective.tolerance
        score = score / self.scales[objective.property]
        for constraint in self.goal.constraints:
            value, scale = values[constraint.property], self.scales[constraint.property]
            low, high = limits(constraint)
            margin = np.minimum(value - low, high - value) / scale
            score = np.minimum(score, margin) if bounds is not None else score + np.minimum(margin, 0.0)
        return np.asarray(score)


@dataclass(frozen=True)
class Peer:
    """A peer by name.

    :param what: in words, with what is its own default.
    :param packages: that must be installed.
    :param start: begins a search.
    """

    name: str
    what: str
    packages: tuple[str, ...]
    start: Callable[[Question], Searcher]
    pareto: bool = False

    def begin(self, question: Question) -> Searcher:
        """Start a search.

        :raises PeerError: if it has one objective only and the goal several.
        """
        if len(question.goal.objectives) > 1 and not self.pareto:
            raise PeerError(f'{self.name} takes one objective, the goal has {len(question.goal.objectives)}')
        return self.start(question)

    def missing(self) -> str:
        """Why it cannot run here; empty if it can."""
        lacking = [name for name in self.packages if find_spec(name) is None]
        return f'not installed: {", ".join(lacking)} (pip install aiida-inversedesign[peers])' if lacking else ''

    def versions(self) -> dict[str, str]:
        """Versions of its packages."""
        found = {}
        for name in self.packages:
            try:
                found[name] = version({'sklearn': 'scikit-learn'}.get(name, name))
            except PackageNotFoundError:
                continue
        return found


def left_of(total: int, observed: Integers) -> Integers:
    """Integers that were not evaluated."""
    return np.setdiff1d(np.arange(total), observed)


@dataclass
class BotorchSearcher:
    """BoTorch as its tutorials use it: inputs on the unit cube, defaults everywhere else."""

    question: Question

    def __post_init__(self) -> None:
        self._number = Single(self.question.goal)

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """Fit a ``SingleTaskGP`` and optimise (q)LogEI, or qLogNEHVI, over the remainder."""
        import torch
        from botorch.optim import optimize_acqf_discrete

        X = self._unit()
        left = left_of(len(X), observed)
        with seeded(self.question.seed + generation):
            function = self._function(torch.from_numpy(X[observed]), values, size)
            chosen: list[int] = []
            # the indices are wanted, not the points: two candidates may share a point
            for _ in range(size):
                open_indices = np.setdiff1d(left, chosen)
                if chosen:
                    function.set_X_pending(torch.from_numpy(X[chosen]))
                open_points = torch.from_numpy(X[open_indices])
                point, _ = optimize_acqf_discrete(function, q=1, choices=open_points, max_batch_size=AT_ONCE)
                distance = np.abs(X[open_indices] - point.detach().numpy().reshape(1, -1)).sum(axis=1)
                chosen.append(int(open_indices[distance.argmin()]))
        return Step(chosen)

    def _unit(self) -> Array:
        features = self.question.features
        low, high = features.min(axis=0), features.max(axis=0)
        varies = high > low
        return np.ascontiguousarray((features[:, varies] - low[varies]) / (high[varies] - low[varies]))

    def _function(self, X: Any, values: dict[str, Array], size: int) -> Any:
        import torch
        from botorch import fit_gpytorch_mll
        from botorch.acquisition.analytic import LogExpectedImprovement
        from botorch.acquisition.logei import qLogExpectedImprovement
        from botorch.models import SingleTaskGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        if len(self.question.goal.objectives) > 1:
            return self._pareto(X, values)
        Y = torch.from_numpy(self._number(values).copy()).unsqueeze(-1)
        model = SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        if size == 1:
            return LogExpectedImprovement(model, best_f=Y.max())
        return qLogExpectedImprovement(model, best_f=Y.max())

    def _pareto(self, X: Any, values: dict[str, Array]) -> Any:
        import torch
        from botorch import fit_gpytorch_mll
        from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
        from botorch.models import ModelListGP, SingleTaskGP
        from botorch.utils.multi_objective.hypervolume import infer_reference_point
        from botorch.utils.multi_objective.pareto import is_non_dominated
        from gpytorch.mlls import SumMarginalLogLikelihood

        if self.question.goal.constraints:
            raise PeerError('botorch: several objectives with constraints are not part of this comparison')
        Y = torch.from_numpy(utilities(self.question.goal, values))
        model = ModelListGP(*(SingleTaskGP(X, Y[:, [index]]) for index in range(Y.shape[1])))
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        reference = infer_reference_point(Y[is_non_dominated(Y)])
        return qLogNoisyExpectedHypervolumeImprovement(model, reference, X, prune_baseline=True)


@dataclass
class WindowSearcher:
    """Spacier's probability of the target range under independent Gaussian processes, the best q of it.

    Model as Spacier's ``sklearn_GP_st``: constant × RBF + white noise on standardised descriptors. Where the goal has
    no range, the range begins at the best value so far.
    """

    question: Question

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """Multiply the probabilities of all properties."""
        from scipy.stats import norm

        left = left_of(len(self.question.features), observed)
        probability = np.ones(len(left))
        predictions = {}
        with seeded(self.question.seed + generation):
            for name, (low, high) in self._ranges(values).items():
                mean, deviation = self._predict(observed, values[name], left)
                predictions[name] = mean, deviation
                probability *= norm.cdf((high - mean) / deviation) - norm.cdf((low - mean) / deviation)
        best = np.argsort(-probability, kind='stable')[:size]
        predicted = {name: (mean[best], deviation[best]) for name, (mean, deviation) in predictions.items()}
        return Step([int(number) for number in left[best]], predicted)

    def _ranges(self, values: dict[str, Array]) -> dict[str, tuple[float, float]]:
        ranges: dict[str, tuple[float, float]] = {}

        def narrow(name: str, low: float, high: float) -> None:
            before = ranges.get(name, (-math.inf, math.inf))
            ranges[name] = max(low, before[0]), min(high, before[1])

        for objective in self.question.goal.objectives:
            y = values[objective.property]
            best = (float(y.max()), math.inf) if objective.kind == 'maximize' else (-math.inf, float(y.min()))
            narrow(objective.property, *(objective.hit_range or best))
        for item in self.question.goal.constraints:
            narrow(item.property, *limits(item))
        return ranges

    def _predict(self, observed: Integers, y: Array, left: Integers) -> tuple[Array, Array]:
        import warnings

        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(self.question.features[observed])
        model = GaussianProcessRegressor(ConstantKernel() * RBF() + WhiteKernel(), alpha=0.0, normalize_y=True)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            model.fit(scaler.transform(self.question.features[observed]), y)
            mean, deviation = model.predict(scaler.transform(self.question.features[left]), return_std=True)
        return mean, np.maximum(deviation, 1e-12)


@dataclass
class ForestSearcher:
    """Expected improvement of random forests refitted on random two thirds, the best q of it, as rocketsled does."""

    question: Question

    def __post_init__(self) -> None:
        self._number = Single(self.question.goal)

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """Mean and deviation over the forests."""
        from scipy.stats import norm
        from sklearn.ensemble import RandomForestRegressor

        X, y = self.question.features[observed], self._number(values)
        left = left_of(len(self.question.features), observed)
        rng = np.random.default_rng([self.question.seed, generation])
        predictions = []
        for _ in range(REFITS):
            rows = rng.permutation(len(y))[: max(2, round(0.67 * len(y)))]
            forest = RandomForestRegressor(random_state=int(rng.integers(2**31)), n_jobs=1)
            predictions.append(forest.fit(X[rows], y[rows]).predict(self.question.features[left]))
        mean, deviation = np.mean(predictions, axis=0), np.maximum(np.std(predictions, axis=0), 1e-12)
        z = (mean - y.max()) / deviation
        improvement = deviation * (z * norm.cdf(z) + norm.pdf(z))
        return Step([int(number) for number in left[np.argsort(-improvement, kind='stable')[:size]]])


def _physbo(question: Question) -> Searcher:
    return PhysboSearcher(question, Single(question.goal), 'EI', 0)


def _physbo_thompson(question: Question) -> Searcher:
    return PhysboSearcher(question, Single(question.goal), 'TS', FEATURES)


def _baybe(question: Question) -> Searcher:
    return BaybeSearcher(question, Single(question.goal))


PEERS = {
    peer.name: peer
    for peer in (
        Peer('physbo', 'PHYSBO, expected improvement, Gaussian process', ('physbo',), _physbo),
        Peer('baybe', 'BayBE, a campaign with its default recommender, descriptors decorrelated', ('baybe',), _baybe),
        Peer(
            'botorch',
            'plain BoTorch: SingleTaskGP and LogEI (batches qLogEI, several objectives qLogNEHVI)',
            ('botorch',),
            BotorchSearcher,
            pareto=True,
        ),
        Peer(
            'spacier_window',
            "Spacier's window probability (own implementation): independent Gaussian processes, the best q",
            ('sklearn',),
            WindowSearcher,
        ),
        Peer(
            'rocketsled_like',
            f'expected improvement of {REFITS} random forests on random two thirds (own implementation)',
            ('sklearn',),
            ForestSearcher,
        ),
        Peer(
            'physbo_ts',
            f'PHYSBO, Thompson sampling (its default score) with {FEATURES} random features: minutes a step',
            ('physbo',),
            _physbo_thompson,
        ),
    )
}
#: What ``--arms peers`` stands for: one of each kind.
GROUP = tuple(name for name in PEERS if name != 'physbo_ts')
