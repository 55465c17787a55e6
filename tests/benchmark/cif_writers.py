"""CIFs of known crystals by several writers, imported again: composition, density and space group must come back.

    python tests/benchmark/cif_writers.py [NUMBER]     default: 2000 files; prints the shares and the time

Each crystal of ``../shared/data/mp_structures.jsonl.gz`` that is drawn is written by one of pymatgen (as it is,
and with
its symmetry), ASE and gemmi (by the name of the group alone, both origin choices and axes where two exist),
with coordinates of 3 to 5 digits. What is not equal to its source must have been refused with a kind.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import space_group_number
from aiida_inversedesign.libraries.collect import count_kinds
from aiida_inversedesign.libraries.importers import read_cif

SHARED = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared'))
#: Å: the data's own tolerance of space groups
SYMPREC = 0.1
#: relative: most that a density may differ; the writers with symmetry move atoms and cells within the tolerance
DENSITY = 0.01


@dataclass(frozen=True)
class Outcome:
    """What became of the files of one writer."""

    equal: int
    refused: dict[str, int]
    different: list[str]

    @property
    def total(self) -> int:
        """Number of files."""
        return self.equal + sum(self.refused.values()) + len(self.different)


def records(number: int, seed: int = 1) -> list[dict[str, Any]]:
    """So many crystals, drawn."""
    with gzip.open(SHARED / 'data' / 'mp_structures.jsonl.gz', 'rt') as handle:
        lines = handle.readlines()
    chosen = np.random.default_rng(seed).choice(len(lines), number, replace=False)
    return [json.loads(lines[index]) for index in sorted(chosen.tolist())]


def rounded(text: str, digits: int) -> str:
    """The CIF with fewer digits in its coordinates: those of the last list, which is that of the atoms."""
    head, mark, atoms = text.rpartition('loop_')
    return head + mark + re.sub(r'-?\d+\.\d{4,}', lambda found: f'{float(found[0]):.{digits}f}', atoms)


def by_pymatgen(structure: Any, digits: int, symmetry: bool) -> list[str]:
    """pymatgen's writer."""
    from pymatgen.io.cif import CifWriter

    return [rounded(str(CifWriter(structure, symprec=SYMPREC if symmetry else None)), digits)]


def by_ase(structure: Any, digits: int, symmetry: bool) -> list[str]:
    """ASE's writer, which lists the whole cell."""
    from ase.io import write
    from pymatgen.io.ase import AseAtomsAdaptor

    buffer = io.BytesIO()
    write(buffer, AseAtomsAdaptor.get_atoms(structure, msonable=False), format='cif')
    return [rounded(buffer.getvalue().decode(), digits)]


def by_gemmi(structure: Any, digits: int, symmetry: bool) -> list[str]:
    """gemmi's writer: asymmetric unit and name of the setting, in the standard setting and its alternative."""
    import gemmi
    import spglib

    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
    groups = [group for group in gemmi.spacegroup_table() if group.number == found.number]
    standard = {group.hm for group in groups if group.is_reference_setting()}
    texts = []
    for group in [group for group in groups if group.hm in standard]:
        # origin choices and axes of the same name
        if group.ext in ('1', '2', 'H', 'R') or group.is_reference_setting():
            texts.append(_gemmi_text(cell, group, digits))
    return texts


def _gemmi_text(cell: Any, group: Any, digits: int) -> str:
    import gemmi
    import spglib

    halls = {spglib.get_spacegroup_type(number).hall_symbol: number for number in range(1, 531)}
    set_up = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, hall_number=halls[group.hall])
    lattice, coords, numbers = set_up.std_lattice, set_up.std_positions, set_up.std_types
    small = gemmi.SmallStructure()
    lengths = np.linalg.norm(lattice, axis=1)
    angles = [
        np.degrees(np.arccos(np.clip(lattice[i] @ lattice[j] / lengths[i] / lengths[j], -1, 1)))
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    small.name = 'x'
    small.cell = gemmi.UnitCell(*lengths, *angles)
    small.spacegroup_hm = group.xhm()
    operations = list(group.operations())
    seen: list[tuple[int, np.ndarray]] = []
    for number, (kind, position) in enumerate(zip(numbers, coords, strict=True)):
        images = np.array([operation.apply_to_xyz(position.tolist()) for operation in operations])
        if any(kind == other and (np.abs((away := images - place) - np.round(away)) < 1e-3).all(axis=1).any()
               for other, place in seen):  # fmt: skip
            continue
        seen.append((kind, position))
        site = gemmi.SmallStructure.Site()
        site.label = f'{gemmi.Element(int(kind)).name}{number}'
        site.type_symbol = gemmi.Element(int(kind)).name
        site.element = gemmi.Element(int(kind))
        site.fract = gemmi.Fractional(*(round(float(value), digits) for value in position))
        site.occ = 1.0
        small.add_site(site)
    document = gemmi.cif.Document()
    document.add_copied_block(small.make_cif_block())
    return str(document.as_string())


WRITERS = {
    'pymatgen': (by_pymatgen, False),
    'pymatgen, symmetry': (by_pymatgen, True),
    'ASE': (by_ase, False),
    'gemmi, name only': (by_gemmi, True),
}


def run(number: int, folder: Path) -> dict[str, Outcome]:
    """Write and import so many files, or some more where crystals have two settings."""
    from pymatgen.core import Structure

    warnings.simplefilter('ignore')
    crystals, sources = records(number), {}
    names = list(WRITERS)
    for index, record in enumerate(crystals):
        writer = names[index % len(names)]
        write, symmetry = WRITERS[writer]
        structure = Structure(record['lattice'], record['species'], record['frac_coords'])
        for place, text in enumerate(write(structure, 3 + index // len(names) % 3, symmetry)):
            name = f'{record["id"]}_{place}'
            sources[name] = (writer, record)
            (folder / f'{name}.cif').write_text(text)
    started = time.monotonic()
    library, skipped = read_cif(folder)
    print(f'{len(sources)} files imported in {time.monotonic() - started:.0f} s', file=sys.stderr)
    equal, different, refused = Counter[str](), defaultdict(list), defaultdict(list)
    for item in skipped:
        # two settings of one crystal may come back as the very same cell
        stem = Path(item.source).stem
        if item.kind == 'duplicate structure' and f"'{stem.rpartition('_')[0]}_" in item.reason:
            equal[sources[stem][0]] += 1
            continue
        refused[sources[stem][0]].append(item)
    for template in library:
        writer, record = sources[template.id]
        source = Crystal(np.array(record['lattice']), tuple(record['species']), np.array(record['frac_coords']))
        told = _difference(source, template.crystal)
        if told:
            different[writer].append(f'{template.id}: {told} {template.remarks}')
        else:
            equal[writer] += 1
    for items in refused.values():
        for item in items:
            print(f'{item.source.rsplit("/", 1)[1]}: {item.kind}: {item.reason}', file=sys.stderr)
    return {writer: Outcome(equal[writer], count_kinds(refused[writer]), different[writer]) for writer in WRITERS}


def _difference(source: Crystal, found: Crystal) -> str:
    """In what two crystals differ; empty if they do not."""
    if source.formula != found.formula:
        return f'{source.formula} became {found.formula}'
    volumes = [crystal.volume / crystal.nsites for crystal in (source, found)]
    if abs(volumes[1] / volumes[0] - 1) > DENSITY:
        return f'{volumes[0]:.3f} Å³ per atom became {volumes[1]:.3f}'
    groups = [space_group_number(crystal, SYMPREC) for crystal in (source, found)]
    return '' if groups[0] == groups[1] else f'space group {groups[0]} became {groups[1]}'


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as made:
        outcomes = run(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, Path(made))
    for writer, outcome in outcomes.items():
        for text in outcome.different:
            print(f'different: {writer}: {text}')
        print(f'{writer}: {outcome.equal} of {outcome.total} equal, refused {outcome.refused or "none"}')
    equal, total = (sum(getattr(outcome, name) for outcome in outcomes.values()) for name in ('equal', 'total'))
    print(f'all: {equal} of {total} equal ({equal / total:.2%})')
