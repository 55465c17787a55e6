"""Acquisition functions over a discrete pool: log expected improvement, hypervolume improvement, posterior mean.

Everything is computed on standardised properties z = (y − offset) / scale of the surrogate. The utility of an
objective is z or −z, counted from the hit threshold where there is one, and for a target or window the margin
to its nearer edge: positive means a hit. An improvement is one over the best value so far, but at most over the
threshold: once a hit is found, further hits are still wanted.

Sources: Ament et al., NeurIPS 2023 (qLogEI, qLogNEHVI); Daulton et al., NeurIPS 2021 (NEHVI); Astudillo and Frazier,
ICML 2019 (composite objectives: the property is modelled, the distance to the target computed from its samples).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.spec import Goal
from aiida_inversedesign.learn.reproducible import reproducible
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.learn.table import EvaluationRow, is_feasible
from aiida_inversedesign.select.errors import SelectError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
Column = Callable[[Any], Any]

#: Candidates scored at once, for one and for several objectives (memory: samples × chunk × batch × objectives).
_CHUNK, _CHUNK_PARETO = 256, 128
_SAMPLES = 256
_SAMPLES_PARETO = 64


class Acquisition:
    """Scores candidates by their inputs; larger is better.

    :param name: ``log_ei`` or ``posterior_mean``.
    :param rows: the evaluations so far, for the best value and for the Pareto front.
    :param baseline: standardised descriptors of the completed rows, shape (n, d); used with several objectives.
    :raises SelectError: if the surrogate lacks a property of the goal.
    """

    def __init__(
        self, name: str, goal: Goal, surrogate: Surrogate, rows: Sequence[EvaluationRow], baseline: Array, seed: int
    ) -> None:
        missing = [prop for prop in goal.properties if prop not in surrogate.models]
        if missing:
            raise SelectError(f'the surrogate does not model {", ".join(missing)}, which the goal needs: fit it again')
        if name not in ('log_ei', 'posterior_mean'):
            raise SelectError(f'unknown acquisition {name!r}: use auto, log_ei, posterior_mean or random')
        self.name = name if len(goal.objectives) == 1 or name == 'posterior_mean' else 'log_nehvi'
        self.goal, self.surrogate, self.seed = goal, surrogate, seed
        self.columns = goal.properties
        self.utilities = [self._utility(index) for index in range(len(goal.objectives))]
        self.violations = self._violations()
        if name == 'posterior_mean':
            self._function = None
        elif self.name == 'log_ei':
            self._function = self._expected_improvement(rows)
        else:
            self._function = self._hypervolume_improvement(baseline)

    def score(self, inputs: Array, pending: Array) -> Array:
        """Value of each candidate given that the pending ones are evaluated too.

        :param inputs: standardised descriptors of the candidates, shape (n, d).
        :param pending: those of candidates running or already chosen, shape (p, d).
        :returns: shape (n,).
        """
        import torch

        if self._function is None:
            return self._mean_score(inputs)
        self._function.set_X_pending(torch.from_numpy(pending.copy()) if len(pending) else None)
        chunk = _CHUNK if self.name == 'log_ei' else _CHUNK_PARETO
        values = [np.empty(0)]
        with torch.no_grad(), reproducible(self.seed):
            for start in range(0, len(inputs), chunk):
                points = torch.from_numpy(inputs[start : start + chunk]).unsqueeze(-2)
                values.append(self._function(points).numpy())
        scores = np.concatenate(values)
        if np.isnan(scores).any():
            raise SelectError(f'{self.name} is not a number for {int(np.isnan(scores).sum())} candidates')
        return scores

    def _mean_score(self, inputs: Array) -> Array:
        """Mean utility at the posterior means; candidates expected to break a constraint come after all others."""
        import torch

        means = [
            (self.surrogate.models[name].predict(inputs)[0] - self.surrogate.models[name].offset)
            / self.surrogate.models[name].scale
            for name in self.columns
        ]
        z = torch.from_numpy(np.stack(means, axis=-1))
        score = torch.stack([utility(z) for utility in self.utilities]).mean(dim=0).numpy()
        if not self.violations:
            return np.asarray(score)
        violation = torch.stack([rule(z).clamp_min(0) for rule in self.violations]).sum(dim=0).numpy()
        return np.asarray(np.where(violation > 0, score.min() - violation, score))

    def _model(self) -> Any:
        from botorch.models import ModelListGP

        models = [self.surrogate.models[name].model for name in self.columns]
        return models[0] if len(models) == 1 else ModelListGP(*models)

    def _scaled(self, name: str, value: float) -> float:
        model = self.surrogate.models[name]
        return (value - model.offset) / model.scale

    def _utility(self, index: int) -> Column:
        """Utility of one objective as a function of samples z, shape (… × properties) → (…)."""
        objective = self.goal.objectives[index]
        column = self.columns.index(objective.property)
        bounds = objective.hit_range
        low, high = (self._scaled(objective.property, value) for value in bounds or (0.0, 0.0))
        if bounds is None:
            sign = 1.0 if objective.kind == 'maximize' else -1.0
            return lambda z: sign * z[..., column]
        if math.isinf(high):
            return lambda z: z[..., column] - low
        if math.isinf(low):
            return lambda z: high - z[..., column]
        return lambda z: (z[..., column] - low).minimum(high - z[..., column])

    def _violations(self) -> list[Column]:
        """One function per bound, ≤ 0 where the bound is kept."""
        rules: list[Column] = []
        for constraint in self.goal.constraints:
            column = self.columns.index(constraint.property)
            if constraint.min is not None:
                rules.append(_below(column, self._scaled(constraint.property, constraint.min)))
            if constraint.max is not None:
                rules.append(_above(column, self._scaled(constraint.property, constraint.max)))
        return rules

    def _best(self, rows: Sequence[EvaluationRow]) -> float:
        """Best utility among the feasible rows, at most that of the hit threshold."""
        import torch

        objective = self.goal.objectives[0]
        able = [row for row in rows if row.status == 'completed' and objective.property in row.properties]
        column = self.columns.index(objective.property)
        z = torch.zeros(len(able), len(self.columns), dtype=torch.double)
        z[:, column] = torch.tensor(
            [self._scaled(objective.property, row.properties[objective.property]) for row in able]
        )
        utility = self.utilities[0](z)
        feasible = [bool(is_feasible(self.goal, row.properties)) for row in able]
        if not any(feasible):
            # one standard deviation below everything: a feasible candidate is an improvement whatever its value
            return float(utility.min()) - 1.0
        best = float(utility[feasible].max())
        return best if objective.hit_range is None else min(best, 0.0)

    def _expected_improvement(self, rows: Sequence[EvaluationRow]) -> Any:
        import torch
        from botorch.acquisition.logei import qLogExpectedImprovement
        from botorch.acquisition.objective import GenericMCObjective
        from botorch.sampling import SobolQMCNormalSampler

        utility = self.utilities[0]
        return qLogExpectedImprovement(
            model=self._model(),
            best_f=self._best(rows),
            sampler=SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=self.seed),
            objective=GenericMCObjective(lambda z, X=None: utility(z)),
            constraints=self.violations or None,
        )

    def _hypervolume_improvement(self, baseline: Array) -> Any:
        import torch
        from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
        from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
        from botorch.sampling import SobolQMCNormalSampler
        from botorch.utils.multi_objective.hypervolume import infer_reference_point
        from botorch.utils.multi_objective.pareto import is_non_dominated

        def utilities(z: Tensor, X: Tensor | None = None) -> Tensor:
            return torch.stack([utility(z) for utility in self.utilities], dim=-1)

        model = self._model()
        points = torch.from_numpy(np.unique(baseline, axis=0))
        with torch.no_grad():
            observed = utilities(model.posterior(points).mean)
        front = observed[is_non_dominated(observed)]
        # seeded: pruning the baseline draws samples of its own
        with reproducible(self.seed):
            return qLogNoisyExpectedHypervolumeImprovement(
                model=model,
                ref_point=infer_reference_point(front, scale=0.1),
                X_baseline=points,
                sampler=SobolQMCNormalSampler(torch.Size([_SAMPLES_PARETO]), seed=self.seed),
                objective=GenericMCMultiOutputObjective(utilities),
                constraints=self.violations or None,
                prune_baseline=True,
            )


def _below(column: int, bound: float) -> Column:
    return lambda z: bound - z[..., column]


def _above(column: int, bound: float) -> Column:
    return lambda z: z[..., column] - bound
