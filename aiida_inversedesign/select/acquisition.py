"""The acquisitions by name, and the one contract they all keep.

``auto`` is resolved by :func:`resolve` from the goal and the data so far; the others do what their module says:

=====================  ==================================================================================
``log_ei``             log expected improvement (:mod:`.improvement`)
``qlog_ei``            the same for a batch, from joint draws (:mod:`.joint`)
``ucb``                upper confidence bound (:mod:`.improvement`)
``pi``                 probability of a hit or an improvement, over all objectives (:mod:`.window`)
``thompson``           best of a joint draw (:mod:`.thompson`)
``knowledge_gradient`` expected rise of the best prediction (:mod:`.knowledge`)
``spacier``            moving target for extrapolation (:mod:`.spacier`)
``ego``                expected improvement of a bootstrap ensemble (:mod:`.ego`)
``log_ehvi``           expected hypervolume improvement, in closed form (:mod:`.pareto`)
``log_nehvi``          the same for a batch, from joint draws (:mod:`.pareto`)
``posterior_mean``     exploitation only (:mod:`.improvement`)
``random``             uniform draw, made by :func:`~aiida_inversedesign.select.batch.choose_points`
=====================  ==================================================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.acquisitions.ego import BootstrapImprovement
from aiida_inversedesign.select.acquisitions.improvement import (
    LogExpectedImprovement,
    PosteriorMean,
    UpperConfidenceBound,
)
from aiida_inversedesign.select.acquisitions.joint import JointLogExpectedImprovement
from aiida_inversedesign.select.acquisitions.knowledge import KnowledgeGradient
from aiida_inversedesign.select.acquisitions.pareto import (
    LogExpectedHypervolumeImprovement,
    NoisyExpectedHypervolumeImprovement,
)
from aiida_inversedesign.select.acquisitions.spacier import Spacier
from aiida_inversedesign.select.acquisitions.thompson import Thompson
from aiida_inversedesign.select.acquisitions.window import Probability
from aiida_inversedesign.select.errors import SelectError
from aiida_inversedesign.select.observed import Observed
from aiida_inversedesign.select.problem import Problem
from aiida_inversedesign.select.rule import Rule

Array = NDArray[np.float64]

_RULES: tuple[type[Any], ...] = (
    LogExpectedImprovement,
    JointLogExpectedImprovement,
    UpperConfidenceBound,
    Probability,
    Thompson,
    KnowledgeGradient,
    Spacier,
    BootstrapImprovement,
    LogExpectedHypervolumeImprovement,
    NoisyExpectedHypervolumeImprovement,
    PosteriorMean,
)
RULES: dict[str, type[Any]] = {rule.name: rule for rule in _RULES}
#: What the campaign file accepts.
NAMES: tuple[str, ...] = ('auto', *RULES, 'random')


class Acquisition:
    """A rule applied to one choice; larger scores are better.

    :param rule: what is computed.
    :param problem: goal, surrogate and observations.
    """

    def __init__(self, rule: Rule, problem: Problem) -> None:
        self.rule, self.problem = rule, problem

    @property
    def name(self) -> str:
        """What was asked for, ``auto`` resolved."""
        return self.rule.name

    @property
    def submodular(self) -> bool:
        """Whether a score can only shrink when further candidates are pending."""
        return self.rule.shrinks(self.problem)

    def score(self, inputs: Array, pending: Array) -> Array:
        """Value of each candidate given that the pending ones are evaluated too.

        :param inputs: standardised descriptors of the candidates, shape (n, d); none give no scores.
        :param pending: those of candidates running or already chosen, shape (p, d).
        :returns: shape (n,); equal for candidates between which nothing is known to differ.
        :raises SelectError: if a score is not a number.
        """
        if not len(inputs):
            return np.empty(0)
        scores = np.asarray(self.rule.score(self.problem, inputs, pending), dtype=np.float64)
        if np.isnan(scores).any():
            raise SelectError(f'{self.name} is not a number for {int(np.isnan(scores).sum())} candidates')
        return scores


def make_acquisition(name: str, goal: Goal, surrogate: Any, observed: Observed, seed: int) -> Acquisition:
    """The acquisition of a name.

    :param surrogate: models of every property of the goal.
    :param observed: the evaluations so far.
    :raises SelectError: if the name is unknown, the acquisition cannot serve the goal, or a property is missing.
    """
    problem = Problem.of(goal, surrogate, observed, seed)
    name = resolve(name, goal)
    if name not in RULES:
        raise SelectError(f'unknown acquisition {name!r}: use one of {", ".join(NAMES)}')
    rule = RULES[name]()
    reason = rule.refuses(goal)
    if reason:
        raise SelectError(reason)
    return Acquisition(rule, problem)


def resolve(name: str, goal: Goal) -> str:
    """The name itself, or what ``auto`` means for this goal.

    Where the goal says what a hit is, the probability of one (``pi``): it counts what is wanted, and of all rules it
    is the one whose single step is optimal for it (Garnett et al., ICML 2012, active search). Where it does not,
    ``ucb`` for one objective and ``log_nehvi`` for several: an improvement over the best is worth little once the
    best is found, and would be sought in odd corners instead of among the further good ones. The improvement of
    several objectives is that of their hypervolume, so that ``log_ei`` means ``log_nehvi`` there.

    Measured with Gaussian processes (bulk and shear modulus of 1 181 crystals, formation energy of 2 000), 20 starting
    points. Maximised without a threshold, batches of 5, members of the top 5 % after 100 evaluations (6 seeds): ``ucb``
    with two deviations 50, 40, 57 (its present single one was chosen later, see :mod:`.improvement`); ``log_ei`` 28,
    19, 41; ``thompson`` 50, 38, 50; ``posterior_mean`` 51, 35, 64, which takes up to twice as long to the very best,
    where ``ucb`` and ``log_ei`` are equal. Windows inside the data: ``pi`` 17, 27, 22 hits, ``log_ei`` 17, 26, 22,
    ``spacier`` 18, 17, 17. A window above the 96 % quantile with all starting points below the 25 % quantile, one at a
    time (12 seeds): ``pi`` reaches it after 24, 24, 24 evaluations (median), ``log_ei`` 26, 30, 35, ``spacier`` 34 and
    more.
    """
    if name == 'auto' and goal.defines_hits:
        return 'pi'
    if len(goal.objectives) > 1 and name in ('auto', 'log_ei'):
        return 'log_nehvi'
    return 'ucb' if name == 'auto' else name
