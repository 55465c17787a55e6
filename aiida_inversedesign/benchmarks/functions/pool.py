"""Pools of candidates with a known curve each: structures or plain inputs, with a column that holds a list."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.search.pool import PoolError, described, feature_names, primitive_crystal, record_of
from aiida_inversedesign.campaign.curves.curve import Axis, Curve, CurveError, check_learnable, matrix
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.bounded import read_lines
from aiida_inversedesign.libraries.entries import name_of, number_of

#: Name of the pool that is made, not read.
ARTIFICIAL = 'artificial'
#: Fields of a row that are not inputs.
_NO_INPUT = frozenset(('id', 'material_id', 'lattice', 'species', 'frac_coords', 'structure', 'formula', 'split'))


@dataclass(frozen=True, eq=False)
class CurvePool:
    """Candidates with their curves.

    :param features: inputs, shape (n, d). :param names: of their columns.
    :param grid: points of the axis that all curves share, shape (T,).
    :param Y: curves, shape (n, T), NaN where a curve has no point.
    :param left_out: number of rows that are not in the pool, by reason.
    """

    name: str
    ids: tuple[str, ...]
    features: Array
    names: tuple[str, ...]
    property: str
    axis: Axis
    grid: Array
    Y: Array
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


def parse_axis(text: str) -> tuple[Axis, float, float]:
    """The axis of ``NAME [UNIT]:FIRST:LAST``.

    :raises PoolError: if it is not written so.
    """
    found = re.fullmatch(r'\s*([^:\[]+?)\s*(?:\[([^\]]*)\])?\s*:([^:]+):([^:]+)', text)
    ends = [number_of(found[index]) for index in (3, 4)] if found else [None, None]
    if found is None or ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
        raise PoolError(f'--axis {text!r}: write NAME [UNIT]:FIRST:LAST, e.g. "frequency [cm^-1]:-300:1000"')
    return Axis(found[1], found[2] or ''), ends[0], ends[1]


def read_curve_pool(
    path: Path, name: str, axis: str | None = None, jobs: int = 1, report: Report = silent
) -> CurvePool:
    """Read a pool; rows without the curve are left out and counted, but a row with a bad one is an error.

    A row holds the curve as a list of values (the axis is then that of ``--axis``, evenly spaced, or the position), as
    ``{"axis": [...], "values": [...]}``, or as a list beside a list ``NAME_axis``. Inputs are the descriptors of its
    structure, or where it has none its numbers.

    :param axis: see :func:`parse_axis`.
    :raises PoolError: if nothing usable is in the file.
    :raises CurveError: if a curve cannot be used: the message names the line.
    """
    if not path.name.endswith(('.jsonl', '.jsonl.gz')):
        raise PoolError(f'{path}: a pool of curves is a file .jsonl or .jsonl.gz, one JSON object a line')
    known = parse_axis(axis) if axis else None
    ids: list[str] = []
    curves: list[Curve] = []
    rows: list[dict[str, Any]] = []
    lost: Counter[str] = Counter()
    lists: Counter[str] = Counter()
    for number, line in enumerate(read_lines(path, lambda done: report('reading', done)), 1):
        fields = record_of(line)
        if isinstance(fields, str):
            lost[fields] += 1
            continue
        lists.update(key for key, value in fields.items() if isinstance(value, list | dict))
        if fields.get(name) is None:
            lost[f'without {name}'] += 1
            continue
        curves.append(_curve(fields, name, known, f'{path.name}:{number}'))
        ids.append(name_of(fields, f'{path.name}:{number}'))
        rows.append(fields)
    if not curves:
        found = ', '.join(key for key, _ in lists.most_common(20) if key not in _NO_INPUT) or 'none'
        raise PoolError(f'{path}: no row has a curve {name!r}; lists there are: {found}')
    _same_length(curves, known is None and 'axis' not in str(rows[0].get(name)), name)
    check_learnable(curves)
    keep, features, names = _inputs(rows, name, lost, jobs, report)
    grid, Y = matrix([curves[index] for index in keep])
    return CurvePool(path.name, tuple(ids[i] for i in keep), features, names, name, curves[0].axis, grid, Y, dict(lost))


def artificial_pool(systems: int = 1250, seed: int = 0, points: int = 51, noise: float = 0.2) -> CurvePool:
    """The artificial data of the seminar: y(t) = a sin(b t + c) + d t + e with noise of deviation σ.

    a and b are uniform in 1 to 5, c in 0 to 3, d in −2 to 2, e in −3 to 3; t has 51 points from 0 to 2; σ = 0.2.
    """
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(1, 5, (2, systems))
    c, d, e = rng.uniform(0, 3, systems), rng.uniform(-2, 2, systems), rng.uniform(-3, 3, systems)
    t = np.linspace(0, 2, points)
    Y = a[:, None] * np.sin(b[:, None] * t + c[:, None]) + d[:, None] * t + e[:, None]
    Y += noise * rng.standard_normal(Y.shape)
    ids = tuple(str(index) for index in range(systems))
    return CurvePool(ARTIFICIAL, ids, np.stack([a, b, c, d, e], axis=1), tuple('abcde'), 'y', Axis('t'), t, Y)


def _curve(fields: Mapping[str, Any], name: str, known: tuple[Axis, float, float] | None, where: str) -> Curve:
    value = fields[name]
    grid = fields.get(f'{name}_axis')
    if isinstance(value, Mapping):
        if 'values' not in value:
            raise CurveError(f'{where}: {name} is neither a list nor {{"axis": [...], "values": [...]}}')
        grid, value = value.get('axis', value.get('grid')), value['values']
        grid = grid.get('grid') if isinstance(grid, Mapping) else grid
    if not isinstance(value, list):
        raise CurveError(f'{where}: {name} is {str(value)[:40]!r}, not a list: it is not a function of an axis')
    axis = known[0] if known else Axis('position')
    if grid is None:
        grid = np.linspace(known[1], known[2], len(value)) if known else np.arange(len(value))
    return Curve.of(name, grid, value, axis, where=where)


def _same_length(curves: list[Curve], without_axis: bool, name: str) -> None:
    """Curves of different length need to say on which points they are known."""
    lengths = Counter(len(curve.values) for curve in curves)
    if without_axis and len(lengths) > 1 and curves[0].axis.name == 'position':
        usual = lengths.most_common(1)[0][0]
        odd = next(index for index, curve in enumerate(curves) if len(curve.values) != usual)
        raise CurveError(
            f'curves of {name} have different lengths: curve {odd + 1} has {len(curves[odd].values)} points, most have '
            f'{usual}; give each its own axis, as a list {name}_axis'
        )


def _inputs(
    rows: list[dict[str, Any]], name: str, lost: Counter[str], jobs: int, report: Report
) -> tuple[list[int], Array, tuple[str, ...]]:
    """Which rows have inputs, these, and their names."""
    if any('lattice' in fields or 'structure' in fields for fields in rows):
        keep, crystals = [], []
        for index, fields in enumerate(rows):
            try:
                crystals.append(primitive_crystal(fields))
            except InverseDesignError as error:
                lost[getattr(error, 'kind', 'unreadable')] += 1
                continue
            keep.append(index)
        if len(keep) < 2:
            raise PoolError(f'{len(keep)} row(s) have a readable structure, at least 2 are needed')
        return keep, described(crystals, jobs, report), feature_names()
    names = tuple(
        key
        for key in rows[0]
        if key not in _NO_INPUT
        and key != name
        and number_of(rows[0][key]) is not None
        and not isinstance(rows[0][key], str)
    )
    if not names:
        raise PoolError('rows have neither a structure nor numbers besides the curve: nothing to predict it from')
    values = [[number_of(fields.get(key)) for key in names] for fields in rows]
    keep = [index for index, row in enumerate(values) if None not in row]
    if len(keep) < len(rows):
        lost['without an input'] += len(rows) - len(keep)
    return keep, np.array([values[index] for index in keep], dtype=np.float64).reshape(len(keep), len(names)), names
