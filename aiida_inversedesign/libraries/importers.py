"""Reads structures from files into a library. What cannot be read is reported, never dropped in silence."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.bounded import TooLargeError, read_text
from aiida_inversedesign.libraries.cif import LARGEST_CIF, crystal_of_block, crystal_of_cif, structure_blocks
from aiida_inversedesign.libraries.collect import Filter, FilterOptions, Progress, collect
from aiida_inversedesign.libraries.documents import lines_of, read_documents
from aiida_inversedesign.libraries.entries import Notes, Raw, name_of, plain_crystal, refused
from aiida_inversedesign.libraries.library import Library, LibraryError, Skipped

CIF_NAMES = ('cif', 'structure_cif', 'cif_string')
#: columns of the plain data of structures, as JSON
PLAIN_NAMES = ('lattice', 'species', 'frac_coords')
#: names of files that are CIFs, in any case
CIF_SUFFIX = re.compile(r'\.m?cif(\.gz)?$', re.IGNORECASE)
#: names that look like those of CIFs, but may be backups or compressed in another way: listed as skipped
_ALIKE = re.compile(r'\.m{0,2}cif\d?(\.[a-z0-9]{1,4}|~)?$', re.IGNORECASE)


def read_jsonl(
    path: Path | str,
    source: str = '',
    license: str = '',
    date: str = '',
    progress: Progress | None = None,
    **options: Unpack[FilterOptions],
) -> tuple[Library, list[Skipped]]:
    """Read one JSON object a line (``.jsonl`` or ``.jsonl.gz``) with ``lattice``, ``species`` and ``frac_coords``.

    Documents are read as well, a line each or as one list (:mod:`aiida_inversedesign.libraries.documents`): structures
    and computed entries of pymatgen, documents of the Materials Project, entries of OPTIMADE. Numeric fields become
    properties; ``id``, ``material_id`` or ``entry_id`` the template's id. Deprecated documents are skipped.

    :param date: ISO date on which the file was retrieved.
    :param options: those of :class:`~aiida_inversedesign.libraries.collect.Filter`.
    :raises LibraryError: if the file cannot be opened or decompressed, or is a decompression bomb.
    """
    file, wanted = Path(path), Filter(**options)
    return collect(read_documents(file, wanted, progress), wanted, source or file.name, license, date)


def read_csv(
    path: Path | str,
    source: str = '',
    license: str = '',
    date: str = '',
    progress: Progress | None = None,
    **options: Unpack[FilterOptions],
) -> tuple[Library, list[Skipped]]:
    """Read a CSV with a column ``cif`` (text of a CIF), or JSON columns ``lattice``, ``species``, ``frac_coords``.

    Numeric columns become properties, a column ``id`` or ``material_id`` the id.

    :param date: ISO date on which the file was retrieved.
    :param options: those of :class:`~aiida_inversedesign.libraries.collect.Filter`.
    :raises LibraryError: if the file cannot be opened, or has no column of structures.
    """
    file, wanted = Path(path), Filter(**options)

    def text() -> Iterator[str]:
        for number, line in enumerate(lines_of(file, progress), 1):
            if line is None:
                raise LibraryError(f'{file}, line {number}: the line has more than 16 MiB')
            yield line.decode('utf-8-sig' if number == 1 else 'utf-8')

    def records() -> Iterator[Raw]:
        csv.field_size_limit(LARGEST_CIF * 4)
        reader = csv.DictReader(text())
        columns = reader.fieldnames or []
        try:
            named = structure_columns(columns)
        except LibraryError as error:
            raise LibraryError(f'{file}: {error}') from error
        for number, fields in enumerate(reader, 2):
            name = name_of(fields, f'{file.name}:{number}')
            notes = wanted.notes()
            yield Raw(
                f'{file.name}, row {number}',
                name,
                partial(crystal_of_cells, fields, named, wanted.largest_cell, notes),
                fields,
                notes=notes,
            )

    try:
        return collect(records(), wanted, source or file.name, license, date)
    except (UnicodeDecodeError, csv.Error) as error:
        raise LibraryError(f'{file}: cannot be read ({error})') from error


def structure_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns of a table that hold structures: one of :data:`CIF_NAMES`, or those of plain data.

    :raises LibraryError: if there are none.
    """
    names = list(columns)
    cif = next((name for name in CIF_NAMES if name in names), None)
    if cif is not None:
        return (cif,)
    if not set(PLAIN_NAMES) <= set(names):
        raise LibraryError(
            'no column of structures: add a column "cif" with the text of a CIF, or the columns "lattice", "species" '
            f'and "frac_coords" as JSON; found {", ".join(names)[:200] or "none"}'
        )
    return PLAIN_NAMES


def crystal_of_cells(cells: Mapping[str, str], columns: Sequence[str], largest: int | None, notes: Notes) -> Crystal:
    """The crystal of a row of a table.

    :param columns: as :func:`structure_columns` gives them. :param largest: most sites; None: any number.
    :raises CrystalError: if it is not a crystal.
    """
    if len(columns) == 1:
        return crystal_of_cif(cells[columns[0]], largest, notes)
    try:
        return plain_crystal({key: json.loads(cells[key] or 'null') for key in columns}, largest)
    except RecursionError as error:
        raise entries.RefusedError(entries.UNREADABLE, f'not JSON: {error}') from error


def read_cif(
    path: Path | str,
    source: str = '',
    license: str = '',
    date: str = '',
    progress: Progress | None = None,
    **options: Unpack[FilterOptions],
) -> tuple[Library, list[Skipped]]:
    """Read a CIF file, or every ``*.cif``, ``*.mcif``, ``*.cif.gz`` and ``*.mcif.gz`` of a folder and those below it.

    Every structure of each is read; suffixes may be in upper case. Other files are not CIFs and not listed.

    :param date: ISO date on which the files were retrieved.
    :param options: those of :class:`~aiida_inversedesign.libraries.collect.Filter`.
    :raises LibraryError: if there is no such file or folder, or the folder has no CIF.
    """
    root, wanted = Path(path), Filter(**options)
    if not root.exists():
        raise LibraryError(f'{root}: no such file or folder')
    files = [root]
    if root.is_dir():
        files = sorted(found for found in root.rglob('*') if _ALIKE.search(found.name))
    if not files:
        raise LibraryError(f'{root}: no *.cif in this folder')

    def records() -> Iterator[Raw]:
        for number, file in enumerate(files):
            name = str(file.relative_to(root)) if root.is_dir() else file.name
            if file == root or CIF_SUFFIX.search(name):
                yield from _structures(file, CIF_SUFFIX.sub('', name), wanted)
            else:
                yield refused(str(file), entries.UNREADABLE, 'the name does not end in .cif, .mcif, or either with .gz')
            if progress is not None:
                progress(number + 1, (number + 1) / len(files))

    return collect(records(), wanted, source or root.name, license, date)


def _structures(file: Path, name: str, wanted: Filter) -> Iterator[Raw]:
    """The structures of a CIF: ``name``, ``name:2``, ``name:3`` …, or why there is none."""
    try:
        blocks = structure_blocks(read_text(file, LARGEST_CIF))
    except TooLargeError as error:
        yield refused(str(file), entries.TOO_LARGE, str(error))
        return
    except entries.RefusedError as error:
        yield refused(str(file), error.kind, str(error))
        return
    except (LibraryError, OSError, ValueError) as error:
        yield refused(str(file), entries.UNREADABLE, str(error) or type(error).__name__)
        return
    for number, block in enumerate(blocks, 1):
        more = f':{number}' if number > 1 else ''
        notes = wanted.notes()
        build = partial(crystal_of_block, block, wanted.largest_cell, notes)
        yield Raw(f'{file}{more}', f'{name}{more}', build, notes=notes)
