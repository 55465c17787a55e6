"""The default library: the AFLOW prototypes inside pymatgen.

Source: Mehl et al., Comput. Mater. Sci. 136, S1 (2017); pymatgen ships 288 of them for structure matching. Reading them
takes ten seconds, so the package carries the result, see :func:`aiida_inversedesign.libraries.library.aflow_library`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.matching import same_arrangement
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC, space_group_number
from aiida_inversedesign.libraries.library import Library, Skipped, Template

SOURCE = 'AFLOW Library of Crystallographic Prototypes, in pymatgen'
LICENSE = 'MIT (pymatgen); cite Mehl et al., Comput. Mater. Sci. 136, S1 (2017)'


def read_aflow() -> tuple[Library, list[Skipped]]:
    """The AFLOW prototypes as primitive cells, and those that were left out.

    Two prototypes with the same anonymous structure (StructureMatcher, default tolerances, volume scaled) would only
    propose the same crystal twice: the one with more symmetry, then with a mineral name, is kept. Prototypes of
    elements without element data cannot be ranked and are left out as well.
    """
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

    groups: dict[tuple[str, int], list[tuple[tuple[int, bool, str], Template]]] = defaultdict(list)
    skipped: list[Skipped] = []
    for number, entry in enumerate(AFLOW_PROTOTYPE_LIBRARY):
        template = _template(number, entry)
        if unknown := unknown_elements(template.crystal.counts):
            skipped.append(Skipped(template.id, f'no element data for {", ".join(unknown)}'))
            continue
        order = (-template.spacegroup, not entry['tags'].get('mineral'), template.id)
        groups[template.crystal.ratio_label, template.crystal.nsites].append((order, template))
    kept: list[Template] = []
    for members in groups.values():
        representatives: list[Template] = []
        for _, template in sorted(members, key=lambda member: member[0]):
            same_group = (other for other in representatives if other.spacegroup == template.spacegroup)
            double = next((other for other in same_group if same_arrangement(template.crystal, other.crystal)), None)
            if double is None:
                representatives.append(template)
            else:
                skipped.append(Skipped(template.id, f'the same arrangement as {double.id}'))
        kept += representatives
    return Library(sorted(kept, key=lambda template: template.id)), skipped


def _template(number: int, entry: dict[str, Any]) -> Template:
    structure, tags = entry['snl'].structure, entry['tags']
    crystal = Crystal.from_pymatgen(structure.get_primitive_structure())
    return Template(
        # one AFLOW label may stand for several structures that differ in their free parameters
        id=f'aflow-{number:03d}-{tags["aflow"]}',
        crystal=crystal,
        source=SOURCE,
        license=LICENSE,
        prototype=tags.get('mineral') or f'{structure.composition.reduced_formula} {tags["pearson"]}',
        spacegroup=space_group_number(crystal, STRICT_SYMPREC) or 0,
    )
