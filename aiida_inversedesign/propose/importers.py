"""Reads structures from files into a library. What cannot be read is reported, never dropped in silence."""

from __future__ import annotations

import csv
import gzip
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal, CrystalError
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formulas import SYMBOLS
from aiida_inversedesign.propose.library import Library, LibraryError, Skipped, Template

#: names under which data sets keep the two energies of a template
HULL_NAMES = ('e_above_hull', 'energy_above_hull', 'e_hull')
FORMATION_NAMES = ('formation_energy', 'formation_energy_per_atom')
#: keys of a record that are no properties, though numeric
STRUCTURE_KEYS = frozenset({'id', 'material_id', 'lattice', 'species', 'frac_coords', 'nsites', 'spacegroup', 'cif'})
#: tolerance in Å within which a cell repeats itself: only what clearly does is reduced
SYMPREC = 0.01
CIF_NAMES = ('cif', 'structure_cif', 'cif_string')


@dataclass(frozen=True)
class Filter:
    """Which of the readable structures are taken.

    :param exclude_formulas: reduced formulas that are left out.
    :param max_sites: most sites of the primitive cell.
    :param max_e_above_hull: most energy above the hull, eV/atom; a structure without one is left out.
    :param primitive: whether cells are reduced to primitive ones.
    """

    exclude_formulas: frozenset[str] = frozenset()
    max_sites: int | None = None
    max_e_above_hull: float | None = None
    primitive: bool = True

    def reason(self, template: Template) -> str | None:
        """Why the template is left out, or None."""
        crystal = template.crystal
        if unknown := unknown_elements(crystal.counts):
            return f'no element data for {", ".join(unknown)}'
        if crystal.formula in self.exclude_formulas:
            return f'the formula {crystal.formula} is excluded'
        if self.max_sites is not None and crystal.nsites > self.max_sites:
            return f'{crystal.nsites} sites are more than {self.max_sites}'
        if self.max_e_above_hull is not None:
            if template.e_above_hull is None:
                return 'no energy above the hull is given'
            if template.e_above_hull > self.max_e_above_hull:
                return f'{template.e_above_hull:.3f} eV/atom above the hull are more than {self.max_e_above_hull}'
        return None


@dataclass(frozen=True)
class _Raw:
    """What a reader finds: where, the structure or how to make it, and its other fields."""

    where: str
    name: str
    build: Callable[[], Crystal]
    fields: Mapping[str, Any]


def read_jsonl(
    path: Path | str,
    source: str = '',
    license: str = '',
    exclude_formulas: Iterable[str] = (),
    max_sites: int | None = None,
    max_e_above_hull: float | None = None,
    primitive: bool = True,
) -> tuple[Library, list[Skipped]]:
    """Read one JSON object a line (``.jsonl`` or ``.jsonl.gz``) with ``lattice``, ``species`` and ``frac_coords``.

    Numeric fields become properties; ``id`` (or ``material_id``) the template's id. Cells are reduced to primitive ones
    unless ``primitive`` is False.

    :raises LibraryError: if the file cannot be opened or decompressed.
    """
    file = Path(path)

    def records() -> Iterator[_Raw]:
        with _open(file) as handle:
            for number, line in enumerate(handle, 1):
                if not line.strip():
                    continue
                where = f'{file.name}, line {number}'
                try:
                    fields = json.loads(line)
                except json.JSONDecodeError as error:
                    yield _broken(where, f'not JSON: {error}')
                    continue
                if not isinstance(fields, dict):
                    yield _broken(where, 'not a JSON object')
                    continue
                name = str(fields.get('id') or fields.get('material_id') or f'{file.name}:{number}')
                yield _Raw(where, name, partial(Crystal.from_dict, fields), fields)

    return _collect(
        file,
        records(),
        source or file.name,
        license,
        Filter(frozenset(exclude_formulas), max_sites, max_e_above_hull, primitive),
    )


def read_csv(
    path: Path | str,
    source: str = '',
    license: str = '',
    exclude_formulas: Iterable[str] = (),
    max_sites: int | None = None,
    max_e_above_hull: float | None = None,
    primitive: bool = True,
) -> tuple[Library, list[Skipped]]:
    """Read a CSV with a column ``cif`` (text of a CIF), or JSON columns ``lattice``, ``species``, ``frac_coords``.

    Numeric columns become properties, a column ``id`` or ``material_id`` the id.

    :raises LibraryError: if the file cannot be opened or has no column of structures.
    """
    file = Path(path)

    def records() -> Iterator[_Raw]:
        with _open(file) as handle:
            csv.field_size_limit(2**24)
            reader = csv.DictReader(handle)
            columns = reader.fieldnames or []
            cif = next((name for name in CIF_NAMES if name in columns), None)
            if cif is None and not {'lattice', 'species', 'frac_coords'} <= set(columns):
                raise LibraryError(
                    f'{file}: no column of structures: add a column "cif" with the text of a CIF, or the columns '
                    f'"lattice", "species" and "frac_coords" as JSON; found {", ".join(columns) or "none"}'
                )
            for number, fields in enumerate(reader, 2):
                name = str(fields.get('id') or fields.get('material_id') or f'{file.name}:{number}')

                def build(fields: Mapping[str, Any] = fields) -> Crystal:
                    if cif is not None:
                        return _from_cif(fields[cif])
                    return Crystal.from_dict(
                        {key: json.loads(fields[key] or 'null') for key in ('lattice', 'species', 'frac_coords')}
                    )

                yield _Raw(f'{file.name}, row {number}', name, build, fields)

    return _collect(
        file,
        records(),
        source or file.name,
        license,
        Filter(frozenset(exclude_formulas), max_sites, max_e_above_hull, primitive),
    )


def read_cif(
    path: Path | str,
    source: str = '',
    license: str = '',
    exclude_formulas: Iterable[str] = (),
    max_sites: int | None = None,
    primitive: bool = True,
) -> tuple[Library, list[Skipped]]:
    """Read a CIF file, or every ``*.cif`` of a folder and the folders below it; the first structure of each.

    :raises LibraryError: if there is no such file or folder, or the folder has no CIF.
    """
    root = Path(path)
    files = sorted(root.rglob('*.cif')) if root.is_dir() else [root]
    if not root.exists():
        raise LibraryError(f'{root}: no such file or folder')
    if not files:
        raise LibraryError(f'{root}: no *.cif in this folder')

    def records() -> Iterator[_Raw]:
        for file in files:
            name = str(file.relative_to(root).with_suffix('')) if root.is_dir() else file.stem
            yield _Raw(str(file), name, partial(_from_cif_file, file), {})

    return _collect(
        root, records(), source or root.name, license, Filter(frozenset(exclude_formulas), max_sites, None, primitive)
    )


def _open(file: Path) -> Any:
    try:
        if file.suffix == '.gz':
            return gzip.open(file, 'rt', encoding='utf-8', newline='')
        return file.open(encoding='utf-8', newline='')
    except OSError as error:
        raise LibraryError(f'{file}: cannot be opened ({error.strerror or error})') from error


def _broken(where: str, reason: str) -> _Raw:
    def build() -> Crystal:
        raise CrystalError(reason)

    return _Raw(where, where, build, {})


def _from_cif(text: str | None) -> Crystal:
    from pymatgen.io.cif import CifParser

    if not text or not text.strip():
        raise CrystalError('the CIF is empty')
    with warnings.catch_warnings():
        # the parser warns of rounded coordinates and the like; what it cannot read it raises
        warnings.simplefilter('ignore')
        structures = CifParser.from_str(text).parse_structures(primitive=False)
    if not structures:
        raise CrystalError('the CIF has no structure')
    return Crystal.from_pymatgen(structures[0])


def _from_cif_file(file: Path) -> Crystal:
    return _from_cif(file.read_text(errors='replace'))


def _primitive(crystal: Crystal) -> Crystal:
    """The primitive cell; a cell that is primitive already is returned as it is."""
    import spglib

    if not _repeats(crystal):
        return crystal
    numbers = [SYMBOLS.index(symbol) + 1 for symbol in crystal.species]
    found = spglib.find_primitive((crystal.lattice, crystal.frac_coords, numbers), symprec=SYMPREC)
    if found is None or len(found[2]) >= crystal.nsites:
        return crystal
    return Crystal(found[0], tuple(SYMBOLS[number - 1] for number in found[2]), found[1])


def _repeats(crystal: Crystal) -> bool:
    """Whether some translation within the cell maps the crystal onto itself: far cheaper than asking spglib."""
    if math.gcd(*crystal.counts.values()) == 1:
        return False
    species = np.array(crystal.species)
    rare = min(crystal.counts, key=lambda symbol: (crystal.counts[symbol], symbol))
    sites = np.flatnonzero(species == rare)
    same = species[:, None] == species[None, :]
    difference = crystal.frac_coords[:, None, :] - crystal.frac_coords[None, :, :]
    for other in sites[1:]:
        shifted = difference + (crystal.frac_coords[other] - crystal.frac_coords[sites[0]])
        shifted -= np.round(shifted)
        distances = np.sqrt(((shifted @ crystal.lattice) ** 2).sum(axis=2))
        if ((distances < 2 * SYMPREC) & same).any(axis=1).all():
            return True
    return False


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _collect(
    path: Path, records: Iterator[_Raw], source: str, license: str, wanted: Filter
) -> tuple[Library, list[Skipped]]:
    templates: dict[str, Template] = {}
    skipped: list[Skipped] = []
    try:
        for raw in records:
            try:
                crystal = raw.build()
                if wanted.primitive:
                    crystal = _primitive(crystal)
                template = _template(raw, crystal, source, license)
                reason = wanted.reason(template)
            # parsers of foreign files raise nearly anything; one bad structure must not end the import
            except Exception as error:
                reason = str(error) or type(error).__name__
            if reason is None and raw.name in templates:
                reason = f'the id {raw.name!r} was used before'
            if reason is None:
                templates[raw.name] = template
            else:
                skipped.append(Skipped(raw.where, reason))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise LibraryError(f'{path}: cannot be read ({error})') from error
    return Library(templates.values()), skipped


def _template(raw: _Raw, crystal: Crystal, source: str, license: str) -> Template:
    numbers = {
        key: number
        for key, value in raw.fields.items()
        if key not in STRUCTURE_KEYS and (number := _number(value)) is not None
    }
    return Template(
        id=raw.name,
        crystal=crystal,
        source=source,
        license=license,
        prototype=str(raw.fields.get('prototype') or ''),
        spacegroup=int(_number(raw.fields.get('spacegroup')) or 0),
        e_above_hull=next((numbers[name] for name in HULL_NAMES if name in numbers), None),
        formation_energy=next((numbers[name] for name in FORMATION_NAMES if name in numbers), None),
        properties=numbers,
    )
