"""Knowledge gradient over a discrete set: how much the best predicted utility is expected to rise by one evaluation.

Source: Frazier, Powell and Dayanik, INFORMS J. Comput. 21, 599 (2009), algorithm 1. The evaluation is taken to be free
of noise. Both the candidates and the alternatives among which the best is sought are the shortlist: a candidate that
is neither promising nor close to one that is cannot change the best prediction.
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.surrogate import Regressor
from aiida_inversedesign.select.acquisitions.improvement import LogExpectedImprovement
from aiida_inversedesign.select.normal import log_h
from aiida_inversedesign.select.problem import SearchProblem
from aiida_inversedesign.select.rule import refined

#: Candidates and alternatives (time: about a millisecond each), draws for their covariances, nodes for a tent.
_MOST, _SAMPLES, _NODES = 300, 2048, 32
#: Keeps logarithms finite; near the least positive double.
_TINY = 1e-300


class KnowledgeGradient(LogExpectedImprovement):
    """log of the expected rise of max u(μ); in closed form where u is linear, by quadrature for a target or window."""

    name = 'knowledge_gradient'
    words = 'the knowledge gradient'
    citations = ('knowledgegradient2009',)

    def shrinks(self, problem: SearchProblem) -> bool:
        """No: the shortlist is another one for every slot."""
        return False

    def score(self, problem: SearchProblem, inputs: Array, pending: Array) -> Array:
        given = problem.given(pending)
        first = super().score(problem, inputs, pending)
        utility = problem.utilities[0]
        model = given.models[utility.property]

        def exact(short: Integers) -> Array:
            points = inputs[short]
            mean, deviation = model.predict(points)
            changes = covariance(model, points, problem.seed) / np.maximum(deviation, 1e-9 * model.scale)
            if utility.sign:
                slopes = utility.sign * changes / utility.scale
                gains = np.array([log_expected_rise(utility.value(mean), slopes[:, j]) for j in range(len(points))])
            else:
                nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
                now = utility.value(mean).max()
                then = [utility.value(mean[:, None] + changes * node).max(axis=0) for node in nodes]
                rise = (weights / weights.sum()) @ np.array(then) - now
                gains = np.log(np.maximum(rise, _TINY))
            return np.asarray(gains + given.log_weight(points, given.marginals(points)))

        return refined(first, exact, _MOST)


def covariance(model: Regressor, points: Array, seed: int) -> Array:
    """Posterior covariance between points, shape (n, n), from joint draws; its diagonal is exact."""
    drawn = model.sample(points, _SAMPLES, seed)
    drawn = drawn - drawn.mean(axis=0)
    spread = np.sqrt((drawn**2).mean(axis=0))
    unit = drawn / np.where(spread > 0, spread, 1.0)
    deviation = model.predict(points)[1]
    correlation = unit.T @ unit / _SAMPLES
    return np.asarray(correlation * deviation[:, None] * deviation[None, :])


def log_expected_rise(values: Array, slopes: Array) -> float:
    """log of E[max_i (a_i + b_i Z)] − max_i a_i for a standard normal Z; −∞ if nothing can rise.

    :param values: a, shape (n,).
    :param slopes: b, shape (n,).
    """
    order = np.lexsort((values, slopes))
    a, b = values[order], slopes[order]
    # of equal slopes only the highest line can be the maximum
    last = np.append(b[1:] != b[:-1], True)
    a, b = a[last], b[last]
    lines, crossings = [0], [-np.inf]
    for i in range(1, len(a)):
        while True:
            j = lines[-1]
            z = (a[j] - a[i]) / (b[i] - b[j])
            if z > crossings[-1] or len(lines) == 1:
                break
            lines.pop()
            crossings.pop()
        lines.append(i)
        crossings.append(z)
    if len(lines) == 1:
        return -np.inf
    steps = np.log(np.diff(b[lines])) + log_h(-np.abs(np.array(crossings[1:])))
    most = steps.max()
    return float(most + np.log(np.exp(steps - most).sum()))
