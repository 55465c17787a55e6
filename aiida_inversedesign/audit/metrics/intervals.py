"""95 % intervals, and figures that are not known. scipy.special alone: scipy.stats takes a second to import."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array

#: two-sided 95 % quantile of the normal distribution
Z95 = 1.959963984540054


def unknown(reason: str, **further: Any) -> dict[str, Any]:
    """A figure that is not known, and why."""
    return {'value': None, 'reason': reason, **further}


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The Wilson 95 % interval of a share (Wilson, JASA 22, 209 (1927)); ``n`` must be positive."""
    p, z2 = successes / n, Z95**2
    center = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # exact where the formula leaves a rounding error
    return (0.0 if successes == 0 else center - half), (1.0 if successes == n else center + half)


def share(successes: int, n: int, nothing: str = 'there is nothing to count') -> dict[str, Any]:
    """A share with its Wilson 95 % interval; not known, for the reason given, of nothing."""
    if n == 0:
        return unknown(nothing, low=None, high=None, n=0)
    low, high = wilson(successes, n)
    return {'value': successes / n, 'low': low, 'high': high, 'n': n}


def mean_interval(values: Array, least: float = -math.inf, most: float = math.inf) -> list[float] | None:
    """Student's 95 % interval of the mean of values, shape (n,); None for fewer than two.

    :param least: the quantity cannot be smaller, nor larger than ``most``: the interval is cut there, which changes
        nothing of its coverage.
    """
    from scipy.special import stdtrit

    if len(values) < 2:
        return None
    half = float(stdtrit(len(values) - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return [max(float(values.mean()) - half, least), min(float(values.mean()) + half, most)]


def spread_interval(values: Array) -> list[float] | None:
    """A 95 % interval of a standard deviation, for any distribution with a fourth moment; None for fewer than four.

    The variance's logarithm is asymptotically normal with variance (kurtosis − (n−3)/(n−1)) / n.

    :param values: shape (n,).
    """
    n = len(values)
    spread = float(values.std(ddof=1)) if n > 3 else 0.0
    if spread == 0.0:
        return None
    kurtosis = float(((values - values.mean()) ** 4).mean()) / spread**4
    half = Z95 * 0.5 * math.sqrt(max(kurtosis - (n - 3) / (n - 1), 0.0) / n)
    return [spread * math.exp(-half), spread * math.exp(half)]


def pooled_spread(groups: Sequence[Array]) -> tuple[float, float, float] | None:
    """The standard deviation within groups, pooled, and its 95 % interval; None where no group has two values.

    Of normal errors the pooled variance is chi-squared.

    :param groups: values, of shape (n,) each.
    """
    from scipy.special import chdtri

    degrees = sum(max(len(group) - 1, 0) for group in groups)
    if not degrees:
        return None
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups if len(group) > 1)
    low, high = (math.sqrt(squares / float(chdtri(degrees, tail))) for tail in (0.025, 0.975))
    return math.sqrt(squares / degrees), low, high


def ratio_interval(hits: int, n: int, base: int, m: int) -> tuple[float, float]:
    """Katz's 95 % interval of the ratio of two shares (Katz et al., Biometrics 34, 469 (1978)).

    Both are above 0, and not both 1: there it would have no width.
    """
    ratio = (hits / n) / (base / m)
    half = Z95 * math.sqrt(1 / hits - 1 / n + 1 / base - 1 / m)
    return ratio * math.exp(-half), ratio * math.exp(half)


def at_least(successes: int, drawn: int, good: int, total: int) -> float:
    """Probability that at least so many of ``drawn`` are good, drawn without return from ``total``: hypergeometric."""
    low, high = max(successes, drawn - (total - good), 0), min(drawn, good)
    if low > high:
        return 0.0
    if successes <= max(drawn - (total - good), 0):
        return 1.0
    return float(min(1.0, math.fsum(_hypergeometric(range(low, high + 1), drawn, good, total))))


def _hypergeometric(counts: Sequence[int], drawn: int, good: int, total: int) -> Array:
    from scipy.special import gammaln

    def log_choose(n: Any, k: Any) -> Any:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    k = np.array(counts, dtype=np.float64)
    logs = log_choose(good, k) + log_choose(total - good, drawn - k) - log_choose(total, drawn)
    probabilities: Array = np.exp(logs)
    return probabilities


def draws_needed(hits: int, good: int, total: int) -> tuple[float, int, int]:
    """Draws without return until ``hits`` good ones are found: mean, 2.5 % and 97.5 % quantile.

    The mean is hits × (total + 1) / (good + 1), the distribution negative hypergeometric.
    """
    low, high = (draws_quantile(hits, good, total, level) for level in (0.025, 0.975))
    return hits * (total + 1) / (good + 1), low, high


def draws_quantile(hits: int, good: int, total: int, level: float) -> int:
    """Fewest draws without return that find ``hits`` of ``good`` ones with this probability or more."""
    numbers = range(hits, total - good + hits)
    # a probability that equals the level may be less by a rounding error
    return hits + bisect_left(numbers, level - 1e-12, key=lambda drawn: at_least(hits, drawn, good, total))
