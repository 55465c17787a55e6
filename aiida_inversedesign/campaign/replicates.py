"""Measurements of one thing more than once: their mean, and the noise that repeated points tell. Imports no aiida."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Fewest degrees of freedom of a pooled variance that stands for unknown errors: with six the deviation is known
#: within a factor of 0.64 to 2.2 (95 %, chi-squared), with two only within 0.5 to 6.
LEAST_DEGREES = 6


def mean_of(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of measurements; its error from their scatter, and no smaller than their own errors allow.

    :param items: each with ``value``, ``unit`` and, if it is known, ``error``.
    :returns: ``value``, ``unit``, ``source``; ``error`` where it is known; of several also ``replicates``, their number
        and the standard deviation of one.
    """
    known = [float(item['value']) for item in items]
    mean = math.fsum(known) / len(known)
    own = [float(item['error']) for item in items if item.get('error') is not None]
    errors = [math.hypot(*own) / len(known)] if len(own) == len(known) else []
    record: dict[str, Any] = {'value': mean, 'unit': items[-1]['unit']}
    record['source'] = 'answer' if len(known) == 1 else f'{len(known)} replicates'
    if len(known) > 1:
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1))
        errors.append(deviation / math.sqrt(len(known)))
        record['replicates'] = [len(known), deviation]
    return {**record, 'error': max(errors)} if errors else record


@dataclass(frozen=True)
class Noise:
    """The variance of one measurement about the truth, pooled over repeated points.

    :param degrees: of freedom: measurements of repeated points less the number of these points.
    """

    variance: float
    degrees: int

    @property
    def is_known(self) -> bool:
        """Whether there are enough repeats to rely on it."""
        return self.degrees >= LEAST_DEGREES


def pooled_noise(points: Iterable[Iterable[tuple[float, int, float]]]) -> Noise:
    """The pooled variance Σ (nᵢ − 1) sᵢ² / Σ (nᵢ − 1) of points that were measured nᵢ times.

    It is that of NIST/SEMATECH e-Handbook of Statistical Methods, section 7.3.1.2, for any number of samples; it takes
    the scatter to be the same everywhere.

    :param points: of each point the rows that speak of it: a mean, of how many measurements, and their standard
        deviation (0 of one).
    """
    squares, degrees = [0.0], 0
    for rows in map(list, points):
        number = sum(count for _, count, _ in rows)
        mean = math.fsum(value * count for value, count, _ in rows) / max(number, 1)
        squares += [(count - 1) * deviation**2 + count * (value - mean) ** 2 for value, count, deviation in rows]
        degrees += max(number - 1, 0)
    return Noise(math.fsum(squares) / degrees if degrees else 0.0, degrees)
