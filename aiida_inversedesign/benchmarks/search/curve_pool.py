"""Pools whose answers are numbers of curves: arms see the numbers, and those that learn curves see the curves too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiida_inversedesign.benchmarks.functions.pool import CurvePool
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows
from aiida_inversedesign.campaign.curves.curve import Curve
from aiida_inversedesign.campaign.curves.functionals import NAMES, Functional
from aiida_inversedesign.learn.curves.regressions import filled

#: A distance is written with its metric instead of the name.
_METRICS = ('L1', 'L2', 'earth_mover')


def pool_of_numbers(pool: CurvePool, text: str, name: str) -> Pool:
    """The pool of one number of each curve; candidates whose curve has none are left out.

    :param text: ``FUNCTIONAL``, ``FUNCTIONAL:LOW,HIGH`` for a range, ``value:AT``, ``band_edge:THRESHOLD``, or
        ``METRIC:ID`` for the distance to the curve of a candidate, which is then not in the pool.
    :param name: of the number.
    :raises PoolError: if it is not written so, or the pool has no such candidate.
    :raises CurveError: if the curves do not cover what is asked for.
    """
    kind, _, rest = text.partition(':')
    keep = np.ones(len(pool), dtype=bool)
    try:
        numbers = [float(part) for part in rest.split(',')] if rest and kind not in _METRICS else []
    except ValueError:
        raise PoolError(f'--functional {text!r}: {rest!r} are not numbers') from None
    if kind in _METRICS:
        if rest not in pool.ids:
            raise PoolError(f'--functional {text!r}: {pool.name} has no candidate {rest!r}, whose curve is the target')
        number = pool.ids.index(rest)
        keep[number] = False
        target = Curve(f'curve of {rest}', '', pool.axis, pool.grid, pool.Y[number])
        functional = Functional.of('distance', target=target, metric=kind)
    elif kind == 'value' and len(numbers) == 1:
        functional = Functional.of('value', at=numbers[0])
    elif kind == 'band_edge' and len(numbers) == 1:
        functional = Functional.of('band_edge', threshold=numbers[0])
    elif kind in NAMES and len(numbers) in (0, 2):
        functional = Functional.of(kind, range=(numbers[0], numbers[1]) if numbers else None)
    else:
        raise PoolError(
            f'--functional {text!r}: write first_moment:0,1000, integral, value:0.5, band_edge:0.1, or earth_mover:ID'
        )
    values = functional.of_rows(pool.grid, filled(pool.Y), pool.axis, pool.property)
    without = keep & ~np.isfinite(values)
    keep &= ~without
    lost = {f'whose curve has no {functional.label}': int(without.sum())} if without.any() else {}
    curves = CurveRows(pool.axis, pool.grid, pool.Y[keep], functional)
    found = Pool(
        pool.name,
        tuple(item for item, kept in zip(pool.ids, keep, strict=True) if kept),
        pool.features[keep],
        pool.names,
        {name: values[keep]},
        {**pool.left_out, **lost},
    )
    if len(found) < 2:
        raise PoolError(f'{pool.name}: {len(found)} curve(s) have a {functional.label}, a search needs at least 2')
    return replace(found, curves={name: curves})
