"""Curves as arrays of a node: two for each, never a number of a dictionary for each point."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiida.orm import ArrayData

from aiida_inversedesign.campaign.curves.curve import Axis, Curve

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
