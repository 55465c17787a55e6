"""Adaptive design with a bootstrap ensemble: expected improvement over its mean and deviation.

Source: Xue et al., Nat. Commun. 7, 11241 (2016): a regressor is fitted to bootstrap samples of the data; its mean and
spread enter the expected improvement. Where the surrogate is of another kind, the property of the objective is learned
by a bootstrap ensemble from the observations; constraints stay with the surrogate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.select.acquisitions.improvement import LogExpectedImprovement
from aiida_inversedesign.select.problem import SearchProblem


class BootstrapImprovement(LogExpectedImprovement):
    """log expected improvement under a bootstrap surrogate."""

    name = 'ego'
    words = 'the expected improvement of a bootstrap ensemble'
    citations = ('bootstrapego2016', 'ego1998')

    def __init__(self) -> None:
        self._fitted: SearchProblem | None = None

    def score(self, problem: SearchProblem, inputs: Array, pending: Array) -> Array:
        if self._fitted is None:
            self._fitted = self._bootstrapped(problem)
        return super().score(self._fitted, inputs, pending)

    def _bootstrapped(self, problem: SearchProblem) -> SearchProblem:
        from aiida_inversedesign.learn.models.bootstrap import fit_bootstrap

        name = problem.utilities[0].property
        values = problem.observed.values[name]
        known = np.isfinite(values) & ~problem.observed.failed
        if problem.models[name].kind == 'bootstrap' or not known.any():
            return problem
        model = fit_bootstrap(problem.observed.inputs[known], values[known], problem.seed)
        return replace(problem, models={**problem.models, name: model})
