"""How many digits of a number are printed: those that tell it from its neighbours."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable

#: More digits are rounding of double precision.
MOST = 15
#: Values of a list that differ by less than this share of their range need not differ in print.
_SAME = 1e-5


def plain(value: float) -> str:
    """A number that somebody wrote, as short as it was written: ``5.47``, ``-499999.9993``, ``1e-08``."""
    return f'{value:.{MOST}g}'


def digits_to(value: float, deviation: float) -> int:
    """Significant digits of a value down to the second digit of its deviation."""
    if value == 0.0 or not (math.isfinite(value) and 0.0 < deviation < math.inf):
        return 1
    return min(max(math.floor(math.log10(abs(value))) - math.floor(math.log10(deviation)) + 2, 1), MOST)


class Digits:
    """The significant digits with which each of several values of one quantity is printed."""

    def __init__(self, values: Iterable[float | None], least: int = 4) -> None:
        """Take the values that stand beside each other.

        :param least: digits that are printed at any rate.
        """
        self.least = least
        self._sorted = sorted({float(value) for value in values if value is not None and math.isfinite(value)})
        self._same = _SAME * (self._sorted[-1] - self._sorted[0]) if self._sorted else 0.0

    def of(self, value: float) -> int:
        """Digits of a value, so that the nearest other one is printed differently."""
        if not math.isfinite(value) or value == 0.0:
            return self.least
        gap = self._gap(value)
        if gap is None:
            return self.least
        return min(max(self.least, math.floor(math.log10(abs(value))) - math.floor(math.log10(gap)) + 1), MOST)

    @property
    def most(self) -> int:
        """Digits for all of them alike, as an axis needs."""
        return max((self.of(value) for value in self._sorted), default=self.least)

    def text(self, value: float) -> str:
        """The value in these digits."""
        digits = self.of(value)
        # zeros at the end tell it from its neighbours too
        return f'{value:.{digits}g}' if digits == self.least else f'{value:#.{digits}g}'.rstrip('.')

    def _gap(self, value: float) -> float | None:
        least = max(self._same, 8 * math.ulp(value))
        found = []
        for step, begin in ((-1, bisect_left(self._sorted, value) - 1), (1, bisect_left(self._sorted, value))):
            index = begin
            while 0 <= index < len(self._sorted) and abs(self._sorted[index] - value) <= least:
                index += step
            if 0 <= index < len(self._sorted):
                found.append(abs(self._sorted[index] - value))
        return min(found, default=None)
