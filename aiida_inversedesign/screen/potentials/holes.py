"""Holes of a potential: unphysical energies of crystals unlike any that it was trained on. Imports no aiida.

Of 1 595 random crystals and orderings that SevenNet-0 relaxed, 22 fell into one: tellurium atoms 1.03 Å apart had
-192 000 eV/atom. As the lowest of its formula such a crystal would cause all others to be rejected.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.validity import closest_contact

#: Atoms overlap if their contact is below this share of its limit. Of 1 200 stable compounds of the Materials Project,
#: left out when the limits were fitted, all have more than 0.94.
OVERLAP = 0.7
#: eV/atom; the valid crystals of each of 16 formulas (34 to 183 of them) differed by at most 3.5.
GAP = 4.0


def without_holes(
    records: Mapping[str, Mapping[str, Any]], candidates: Iterable[Candidate], least: float, relaxed: bool
) -> dict[str, Mapping[str, Any]]:
    """The records of the potential by candidate; those of holes have the reason under ``failed`` and no energy.

    :param candidates: with those of earlier generations, whose energies count too.
    :param least: ``propose.min_distance``.
    :param relaxed: whether the records have crystals of their own.
    """
    out = dict(records)
    energies: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for item in candidates:
        record = out.get(item.id)
        if record is None:
            if item.accepted and item.screening is not None and 'energy' in item.screening:
                energies[item.key].append((item.screening['energy'], ''))
        elif 'energy' in record:
            # a property that failed afterwards leaves its crystal in the competition
            contact = closest_contact(Crystal.from_dict(record), least) if relaxed else None
            if contact is not None and contact.ratio < OVERLAP * contact.limit:
                pair = '–'.join(contact.elements)
                out[item.id] = _no_result(record, f'its atoms overlap ({pair} {contact.distance:.2f} Å)')
            elif not math.isfinite(record['energy']):
                out[item.id] = _no_result(record, 'its energy is not a number')
            else:
                energies[item.key].append((record['energy'], item.id))
    for key, found in energies.items():
        found.sort()
        while first := _first_valid(found):
            for energy, name in found[:first]:
                if name:
                    away = found[first][0] - energy
                    out[name] = _no_result(
                        out[name], f'{away:.1f} eV/atom below all other crystals of {key}: not a valid energy'
                    )
            found = found[first:]
    return out


def _first_valid(found: Sequence[tuple[float, str]]) -> int:
    """Index of the lowest of the sorted energies above a gap; 0 if there is no gap.

    Searched from the median down: most energies are assumed to be valid, and the highest ones may be far apart.
    """
    gaps = (index for index in range(len(found) // 2, 0, -1) if found[index][0] - found[index - 1][0] > GAP)
    return next(gaps, 0)


def _no_result(record: Mapping[str, Any], reason: str) -> dict[str, Any]:
    kept = {name: record[name] for name in ('id', 'digest', 'seconds') if name in record}
    return {**kept, 'steps': record.get('steps', 0), 'failed': reason}
