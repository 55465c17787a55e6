"""Curves as arrays: of a node, two for each, or of a file; never a number of a dictionary for each point."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida.orm import ArrayData

from aiida_inversedesign.campaign.curves.curve import LEVEL, Axis, Bands, Curve
from aiida_inversedesign.propose.npz import pack, unpack

#: What the name of the array of a curve's axis ends with.
_AXIS = '_axis'


def arrays_of(curves: Mapping[str, Curve]) -> ArrayData:
    """An unstored node with the curves: arrays ``NAME`` and ``NAME_axis``, units and names as attributes."""
    node, about = ArrayData(), {}
    for name, curve in sorted(curves.items()):
        array = re.sub(r'\W+', '_', name)
        node.set_array(array, curve.values)
        node.set_array(f'{array}{_AXIS}', curve.grid)
        about[array] = {'name': name, 'unit': curve.unit, 'axis': curve.axis.name, 'axis_unit': curve.axis.unit}
    node.base.attributes.set('curves', about)
    return node


def curves_of(node: ArrayData) -> dict[str, Curve]:
    """The curves of :func:`arrays_of`, by name."""
    found = {}
    for array, about in node.base.attributes.get('curves', {}).items():
        axis = Axis(about['axis'], about['axis_unit'])
        grid, values = node.get_array(f'{array}{_AXIS}'), node.get_array(array)
        found[about['name']] = Curve.of(about['name'], grid, values, axis, about['unit'])
    return found


def node_of_bands(candidates: Sequence[str], bands: Mapping[str, Bands]) -> ArrayData:
    """An unstored node with predictions of candidates: arrays ``NAME`` (medians), ``NAME_low``, ``NAME_high``, axis."""
    node, about = ArrayData(), {}
    for name, found in sorted(bands.items()):
        array = re.sub(r'\W+', '_', name)
        parts = {'': found.median, '_low': found.low, '_high': found.high, _AXIS: found.grid}
        for ending, values in parts.items():
            node.set_array(f'{array}{ending}', values)
        about[array] = name
    node.base.attributes.set_many({'properties': about, 'candidates': list(candidates), 'level': LEVEL})
    return node


def bands_of(node: ArrayData) -> dict[tuple[str, str], Bands]:
    """The predictions of :func:`node_of_bands`, by candidate and property."""
    found = {}
    for array, name in node.base.attributes.get('properties').items():
        median, low, high, grid = (node.get_array(f'{array}{ending}') for ending in ('', '_low', '_high', _AXIS))
        for index, candidate in enumerate(node.base.attributes.get('candidates')):
            own = slice(index, index + 1)
            found[candidate, name] = Bands(grid, median[own], low[own], high[own])
    return found


def pack_curves(rows: Sequence[Mapping[str, Curve]]) -> bytes:
    """The curves of several rows as a npz file: equal axes are kept once, the same curves give the same bytes."""
    about: list[list[Any]] = []
    arrays: dict[str, Any] = {}
    grids: dict[bytes, str] = {}
    for row, curves in enumerate(rows):
        for name, curve in sorted(curves.items()):
            grid = grids.setdefault(curve.grid.tobytes(), f'grid_{len(grids):05d}')
            values = f'values_{len(about):05d}'
            arrays |= {grid: curve.grid, values: curve.values}
            about.append([row, name, curve.unit, curve.axis.name, curve.axis.unit, grid, values])
    return pack({**arrays, 'about': np.array(json.dumps(about))})


def unpack_curves(content: bytes, number: int) -> list[dict[str, Curve]]:
    """The curves of :func:`pack_curves`, by name, of so many rows.

    :raises ModelError: if the bytes are not such a file.
    """
    arrays, found = unpack(content), [dict[str, Curve]() for _ in range(number)]
    for row, name, unit, axis, axis_unit, grid, values in json.loads(str(arrays['about'])):
        found[row][name] = Curve.of(name, arrays[grid], arrays[values], Axis(axis, axis_unit), unit)
    return found
