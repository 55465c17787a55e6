"""What the data set of the engine ``table`` answers: for a campaign before it, and for its methods section after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiida_inversedesign.campaign.contracts.engine import Trial
from aiida_inversedesign.campaign.text.number_words import LARGEST
from aiida_inversedesign.engines.table.lookup import (
    LookupTable,
    NoEntryError,
    entry_values,
    fails_on_purpose,
    functional_values,
)
from aiida_inversedesign.engines.table.settings import Table
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.points import PointSet


def prepare(spec: Any, inputs: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Add the properties of the goal that no entry has to the problems; there are no further inputs."""
    if 'data' in inputs:
        data, asked = inputs['data'], spec.evaluate.functionals
        curves = getattr(data, 'curve_names', [])
        problems.extend(
            f'goal: no entry of {spec.evaluate.data!r} has a list {name!r}; it has {", ".join(curves) or "none"}'
            for name in sorted({settings['property'] for settings in asked.values()} - set(curves))
        )
        present = [*data.property_names, *asked]
        problems.extend(
            f'goal: no entry of {spec.evaluate.data!r} has the property {name!r}; it has {", ".join(present) or "none"}'
            for name in spec.goal.properties
            if name not in present
        )
        problems.extend(_too_large(inputs['data'].get_library(), spec))
    return {}


def _too_large(data: Library | PointSet, spec: Any) -> Iterator[str]:
    """The first value of each property of the goal that models cannot compute with."""
    if isinstance(data, PointSet):
        # refused when it was read
        return
    for name in spec.goal.properties:
        for template in data:
            value = entry_values(template).get(name, 0.0)
            if abs(value) > LARGEST:
                yield (
                    f'goal: {spec.evaluate.data!r} has {name} = {value:g} ({template.id}), larger than {LARGEST:g}: '
                    'models cannot compute with it; import the library without it'
                )
                break


def answers(
    settings: Table,
    library: Library | PointSet,
    candidates: Iterable[Any],
    properties: Sequence[str],
    same: bool,
) -> dict[str, dict[str, float] | None]:
    """What an evaluation of each candidate gives, by the candidate's id; None where it fails.

    :param settings: the section ``evaluate``.
    :param candidates: with ``id``, ``content`` and ``template``.
    :param properties: those that an evaluation is asked for.
    :param same: whether the candidates are the entries of this library, so that none has to be found by structure.
    """
    if isinstance(library, PointSet):
        return {item.id: _measured(library, item.content, settings, properties) for item in candidates}
    entries = {template.id: template for template in library} if same else {}
    table = None if same else LookupTable(library)
    fraction = settings.fail_fraction
    found: dict[str, dict[str, float] | None] = {}
    for candidate in candidates:
        values: dict[str, float] | None = None
        if not (fraction and candidate.content is not None and fails_on_purpose(candidate.content, fraction)):
            try:
                template = entries.get(candidate.template) if table is None else None
                if template is None and table is not None and candidate.content is not None:
                    template = table.find(candidate.content, settings.match)
                if template is not None:
                    numbers, *_ = functional_values(template, settings.functions, settings.functionals)
                    values = {**entry_values(template), **numbers}
            except NoEntryError:
                values = None
        found[candidate.id] = values if values is not None and all(name in values for name in properties) else None
    return found


def _measured(data: PointSet, content: Any, settings: Table, wanted: Sequence[str]) -> dict[str, float] | None:
    """What a data set of points answers for a point."""
    if fails_on_purpose(content, settings.fail_fraction):
        return None
    found = data.measured_at(content)
    return dict(found.values) if found is not None and all(name in found.values for name in wanted) else None


def methods(facts: Any, _: Any) -> str:
    """That nothing was computed, for the methods section.

    :param facts: the campaign (:class:`aiida_inversedesign.paper.facts.Facts`).
    """
    text = f'No calculation was made: the properties were looked up in the data set {facts.section.get("data")!r}'
    if facts.section.get('fail_fraction'):
        text += f', and a share of {facts.section["fail_fraction"]:g} of the look-ups failed on purpose'
    return text + '.'


def tries(_: Any, inputs: Mapping[str, Any]) -> Iterator[Trial]:
    """Look-ups that are jobs need a Python and nothing else."""
    if 'code' in inputs:
        yield Trial('code', ('-c', 'print("ready")'), expects='ready', is_light=True)
