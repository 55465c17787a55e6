"""Answers looked up in a data set, and pretended failures and durations. Imports no aiida."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from aiida_inversedesign.campaign.contracts.space import Content
from aiida_inversedesign.campaign.curves.curve import Curve, CurveError
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.matching import structure_distance
from aiida_inversedesign.engines.table.settings import Function
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.libraries.points import PointSet

#: lattice vectors (Å) and coordinates of identical structures differ by less: the noise of a conversion
SAME = 1e-3


class NoEntryError(LookupError):
    """The data set has no answer, with the reason."""


def uniform(content: Content, purpose: str) -> float:
    """A number in [0, 1) that depends on the candidate's content and the purpose alone."""
    digest = hashlib.sha256(f'{purpose} {content.content_hash}'.encode()).digest()
    return int.from_bytes(digest[:8], 'big') / 2**64


def fails_on_purpose(content: Content, fraction: float) -> bool:
    """Whether this candidate is among the given fraction that fails."""
    return uniform(content, 'failure') < fraction


def duration(content: Content, median: float, sigma: float) -> float:
    """How long this look-up takes in seconds: log-normal, always the same for the same candidate."""
    if median == 0:
        return 0.0
    quantile = min(max(uniform(content, 'duration'), 1e-12), 1 - 1e-12)
    return median * math.exp(sigma * NormalDist().inv_cdf(quantile))


class LookupTable:
    """A library as a table of answers, entries found by structure."""

    def __init__(self, library: Library) -> None:
        self._formulas: dict[str, list[Template]] = defaultdict(list)
        for template in library:
            self._formulas[template.crystal.formula].append(template)

    def find(self, crystal: Crystal, match: str) -> Template:
        """The entry of this crystal.

        :param match: ``exact`` (same cell and coordinates) or ``structure`` (pymatgen's ``StructureMatcher`` with
            ltol 0.2, stol 0.3, angle 5°; of several matches the closest).
        :raises NoEntryError: if there is none.
        """
        entries = self._formulas.get(crystal.formula, [])
        if not entries:
            raise NoEntryError(f'it has no entry of {crystal.formula}')
        found = _identical(crystal, entries) if match == 'exact' else _similar(crystal, entries)
        if found is None:
            raise NoEntryError(
                f'none of its {len(entries)} entries of {crystal.formula} has this structure (evaluate.match: {match})'
            )
        return found


def _identical(crystal: Crystal, entries: Sequence[Template]) -> Template | None:
    for template in entries:
        other = template.crystal
        if other.species != crystal.species or not np.allclose(other.lattice, crystal.lattice, atol=SAME, rtol=0):
            continue
        shift = other.frac_coords - crystal.frac_coords
        if np.abs(shift - np.round(shift)).max() < SAME:
            return template
    return None


def _similar(crystal: Crystal, entries: Sequence[Template]) -> Template | None:
    pairs = ((structure_distance(crystal, template.crystal), index) for index, template in enumerate(entries))
    distances = [(distance, index) for distance, index in pairs if distance is not None]
    return entries[min(distances)[1]] if distances else None


def entry_values(template: Template) -> dict[str, float]:
    """Every number of an entry by property name; what the entry does not know is left out."""
    own = {'formation_energy': template.formation_energy, 'e_above_hull': template.e_above_hull}
    return {name: value for name, value in {**own, **template.properties}.items() if value is not None}


def curves_of_entry(template: Template, functions: Mapping[str, Any], names: Iterable[str]) -> dict[str, Curve]:
    """The curves of an entry that are asked for.

    :param functions: the axis of each, as the campaign file declares it.
    :raises NoEntryError: if the entry lacks one, or it cannot be used.
    """
    found = {}
    for name in sorted(set(names)):
        if name not in template.curves:
            raise NoEntryError(f'its entry {template.id} has no list {name}')
        try:
            declared = Function.model_validate(functions[name])
            found[name] = declared.curve(name, template.curves[name], f'entry {template.id}')
        except CurveError as error:
            raise NoEntryError(str(error)) from error
    return found


def functional_values(
    template: Template, functions: Mapping[str, Any], functionals: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float], dict[str, str], dict[str, Curve]]:
    """Numbers of an entry's curves, their units, and the curves.

    :raises NoEntryError: if it has no such curve or number.
    """
    curves = curves_of_entry(template, functions, (item['property'] for item in functionals.values()))
    values, units = {}, {}
    for name, settings in functionals.items():
        curve, functional = curves[settings['property']], Functional.from_dict(settings)
        try:
            values[name] = functional.of_curve(curve)
        except CurveError as error:
            raise NoEntryError(f'its entry {template.id}: {error}') from error
        units[name] = functional.unit(curve.unit, curve.axis)
    return values, units, curves


def lookup_record(
    template: Template,
    properties: Sequence[str],
    units: Mapping[str, str],
    numbers: Mapping[str, float] | None = None,
) -> dict[str, dict[str, float | str]]:
    """The output ``properties`` of the ``table`` engine for one entry.

    :param properties: those that were asked for. :param units: of the data set's own, as the campaign file declares.
    :raises NoEntryError: if the entry lacks a property that was asked for.
    """
    values = {**entry_values(template), **(numbers or {})}
    missing = [name for name in properties if name not in values]
    if missing:
        raise NoEntryError(f'its entry {template.id} has no {", ".join(missing)}')
    # another property that only has the name of one of ours may be anything, e.g. a volume per cell
    ours = {'formation_energy', 'e_above_hull', *properties}
    known = dict(units) | {name: item.unit for name, item in PROPERTIES.items() if name in ours}
    return {
        name: {'value': float(value), 'unit': known.get(name, ''), 'source': f'entry {template.id}'}
        for name, value in sorted(values.items())
    }


def point_record(
    data: PointSet, content: Content, properties: Sequence[str], units: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The output ``properties`` of the ``table`` engine for one content of a data set, with standard errors.

    :param properties: those that were asked for. :param units: as the campaign file declares them.
    :raises NoEntryError: if the data set has no such row, or lacks a property that was asked for.
    """
    found = data.measured_at(content)
    if found is None:
        raise NoEntryError(f'it has no row with {content.key}')
    missing = [name for name in properties if name not in found.values]
    if missing:
        raise NoEntryError(f'its rows with {content.key} have no {", ".join(missing)}')
    source = f'{found.replicates} row{"s" if found.replicates > 1 else ""}'
    record: dict[str, dict[str, Any]] = {}
    for name, value in sorted(found.values.items()):
        record[name] = {'value': value, 'unit': units.get(name, ''), 'source': source}
        if name in found.errors:
            record[name]['error'] = found.errors[name]
        if name in found.repeats:
            record[name]['replicates'] = list(found.repeats[name])
    return record
