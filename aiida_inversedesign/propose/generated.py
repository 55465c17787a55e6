"""What a program that generates crystals is asked for, and what is read of its files (docs/generators.md).

The files come from outside: they are read within bounds of number and bytes, and what is wrong with a crystal is a
counted reason.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.campaign.generator import Generator
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.bounded import MIB
from aiida_inversedesign.libraries.cif import LARGEST_CIF, crystal_of_block, crystal_of_cif, structure_blocks
from aiida_inversedesign.libraries.collect import Filter, collect
from aiida_inversedesign.libraries.entries import Raw, RefusedError, plain_crystal, refused
from aiida_inversedesign.libraries.library import Library, LibraryError, Skipped

#: Names of the files: what is asked, what the program says of itself; and the folder that it writes to.
REQUEST, STATUS, FOLDER = 'request.json', 'status.json', 'generated'
#: Suffixes of files with crystals.
SUFFIXES = ('.jsonl', '.extxyz', '.xyz', '.cif', '.zip')
#: Bytes of all files together after decompression (100 000 crystals of 20 atoms as CIF), and of the file of the program
#: about itself.
MOST_BYTES, MOST_STATUS = 256 * MIB, MIB
#: Crystals and files that are looked at, in those asked for, and at least.
MOST_TIMES, AT_LEAST = 5, 100
#: Examples of what is wrong that are kept, and characters of each.
EXAMPLES, LONGEST = 5, 300
#: What a program may say of itself.
_SAID = ('program', 'version', 'license', 'weights_sha256', 'deterministic', 'seed', 'device', 'message')


def request_of(
    generator: Generator, formulas: Sequence[Mapping[str, int]], elements: Iterable[str], most: int, seed: int
) -> dict[str, Any]:
    """What the program reads, plain data.

    :param formulas: element counts of a formula unit each.
    :param most: sites of a cell.
    """
    weights = generator.weights
    return {
        'schema': 'inversedesign/generate/1',
        'formulas': [reduced_formula(counts) for counts in formulas],
        'elements': sorted(elements),
        'crystals_per_formula': generator.crystals,
        'max_sites': most,
        'space_groups': generator.space_groups,
        'conditions': {
            name: {'value': item.value, 'guidance': item.guidance} for name, item in generator.conditions.items()
        },
        'seed': seed,
        'device': generator.device,
        'weights': None if weights is None else {'path': weights.path, 'sha256': weights.sha256},
        'output': FOLDER,
    }


def read_generated(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """The usable crystals of a folder, as plain data.

    :param request: what it was asked (:func:`request_of`).
    :returns: ``records`` (crystals with ``id``, ``formula``, ``score`` and ``parent``), ``refused`` (how many for
        which reason), ``examples``, ``found`` (entries that were looked at), and ``status``: what the program says of
        itself.
    """
    most = max(AT_LEAST, MOST_TIMES * len(request['formulas']) * request['crystals_per_formula'])
    wanted = {reduced_formula(parse_formula(formula)): formula for formula in request['formulas']}
    statements: dict[str, Mapping[str, Any]] = {}
    found = 0

    def raws() -> Iterator[Raw]:
        nonlocal found
        for raw in _entries(folder, statements):
            found += 1
            if found > most:
                yield refused(FOLDER, 'too many', f'more than {most} entries; the others are not read')
                return
            yield raw

    try:
        library, skipped = collect(raws(), Filter(primitive=True, max_sites=request['max_sites']), 'generated')
    except LibraryError as error:
        library, skipped = Library(()), [Skipped(FOLDER, str(error)[:LONGEST], entries.UNREADABLE)]
    reasons = [(item.kind or entries.UNREADABLE, f'{item.source}: {item.reason}') for item in skipped]
    records = []
    for item in library:
        formula = wanted.get(item.crystal.formula)
        if formula is None:
            reasons.append(('formula', f'{item.id}: {item.crystal.formula} was not asked for'))
            continue
        contact = closest_contact(item.crystal)
        if contact.ratio < entries.SHORTEST:
            reasons.append((entries.TOO_CLOSE, f'{item.id}: {contact.ratio:.2f} of the sum of the covalent radii'))
            continue
        fields = statements.get(item.id, {})
        parent = fields.get('parent')
        records.append(
            {
                'id': item.id,
                'formula': item.crystal.formula,
                'score': entries.number_of(fields.get('score')),
                'parent': None if parent is None else str(parent)[: entries.LONGEST_NAME],
                **item.crystal.to_dict(),
            }
        )
    counted: dict[str, int] = {}
    for kind, _ in reasons:
        counted[kind] = counted.get(kind, 0) + 1
    return {
        'records': records,
        'refused': counted,
        'examples': [f'{kind}: {text}'[:LONGEST] for kind, text in reasons[:EXAMPLES]],
        'found': min(found, most),
        'status': _status(folder / STATUS),
    }


def _status(file: Path) -> dict[str, Any]:
    """What the program says of itself: known keys with short plain values."""
    try:
        if file.stat().st_size > MOST_STATUS:
            return {'message': f'{STATUS} has more than {MOST_STATUS // MIB} MiB and was not read'}
        data = json.loads(file.read_text(encoding='utf-8', errors='replace'))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        return {'message': f'{STATUS} cannot be read: {error}'[:LONGEST]}
    if not isinstance(data, dict):
        return {'message': f'{STATUS} is not a JSON object'}
    return {
        name: value if isinstance(value, bool) or value is None else str(value)[:LONGEST]
        for name, value in data.items()
        if name in _SAID
    }


def _entries(folder: Path, statements: dict[str, Mapping[str, Any]]) -> Iterator[Raw]:
    """The entries of all files, in the order of their names; ``statements`` gets what the files say of them."""
    left = MOST_BYTES
    for file in sorted(folder.rglob('*')) if folder.is_dir() else ():
        suffix, name = file.suffix.lower(), str(file.relative_to(folder))
        if file.is_symlink() or not file.is_file() or file.name == STATUS:
            continue
        if suffix not in SUFFIXES:
            yield refused(name, 'unknown file', f'the name ends in none of {", ".join(SUFFIXES)}')
            continue
        left -= file.stat().st_size
        if left < 0:
            yield refused(name, entries.TOO_LARGE, f'the files have more than {MOST_BYTES // MIB} MiB')
            return
        if suffix != '.zip':
            yield from _of_text(file.read_bytes(), suffix, name, statements)
            continue
        try:
            with zipfile.ZipFile(file) as archive:
                for member in sorted(archive.infolist(), key=lambda item: item.filename):
                    kind = Path(member.filename).suffix.lower()
                    if member.is_dir() or kind not in SUFFIXES or kind == '.zip':
                        continue
                    # the size that the archive states may be wrong: no more than is left is decompressed
                    with archive.open(member) as stream:
                        content = stream.read(left + 1)
                    left -= len(content)
                    if left < 0:
                        reason = f'more than {MOST_BYTES // MIB} MiB when decompressed: possible decompression bomb'
                        yield refused(name, entries.TOO_LARGE, reason)
                        return
                    yield from _of_text(content, kind, f'{name}/{member.filename}', statements)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            yield refused(name, entries.UNREADABLE, f'not a readable zip: {error}')


def _of_text(content: bytes, suffix: str, name: str, statements: dict[str, Mapping[str, Any]]) -> Iterator[Raw]:
    """The entries of one file."""
    text = content.decode('utf-8-sig', errors='replace')
    if suffix == '.cif':
        yield from _of_cif(text, name)
    elif suffix == '.jsonl':
        yield from _of_lines(text, name, statements)
    else:
        yield from _of_xyz(text, name, statements)


def _of_cif(text: str, name: str) -> Iterator[Raw]:
    stem = name.rpartition('.')[0]
    try:
        blocks = structure_blocks(text)
    except (RefusedError, LibraryError, ValueError) as error:
        yield refused(name, getattr(error, 'kind', entries.UNREADABLE), str(error))
        return
    for number, block in enumerate(blocks, 1):
        key = stem if number == 1 else f'{stem}:{number}'
        yield Raw(name, key, partial(crystal_of_block, block))


def _of_lines(text: str, name: str, statements: dict[str, Mapping[str, Any]]) -> Iterator[Raw]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f'{name}, line {number}'
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield refused(where, entries.UNREADABLE, f'not JSON: {error}')
            continue
        if not isinstance(data, dict):
            yield refused(where, entries.UNREADABLE, 'not a JSON object')
            continue
        key = entries.name_of(data, where)
        statements.setdefault(key, data)
        cif = data.get('cif')
        if isinstance(cif, str):
            yield Raw(where, key, partial(crystal_of_cif, cif[: LARGEST_CIF + 1]))
        else:
            yield Raw(where, key, partial(plain_crystal, data))


def _of_xyz(text: str, name: str, statements: dict[str, Mapping[str, Any]]) -> Iterator[Raw]:
    """The frames of an extended XYZ file; each is read by ASE."""
    from ase.io.extxyz import key_val_str_to_dict

    lines, start, number = text.splitlines(), 0, 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        number += 1
        where = f'{name}, frame {number}'
        count = int(lines[start]) if lines[start].strip().isascii() and lines[start].strip().isdigit() else 0
        frame = lines[start : start + count + 2]
        if not 0 < count <= len(lines) or len(frame) < count + 2:
            # where the next frame would begin is not known
            yield refused(where, entries.UNREADABLE, f'expected a number of atoms and their lines: {lines[start][:50]}')
            return
        start += count + 2
        try:
            info = key_val_str_to_dict(frame[1])
        except Exception as error:  # ASE raises nearly anything for a line that is none
            yield refused(where, entries.UNREADABLE, f'not extended XYZ: {error}')
            continue
        key = str(info.get('id', where))
        statements.setdefault(key, {name: info[name] for name in ('score', 'parent') if name in info})
        yield Raw(where, key, partial(_crystal_of_frame, frame))


def _crystal_of_frame(frame: Sequence[str]) -> Crystal:
    from ase.io.extxyz import read_xyz

    entries.check_sites(len(frame) - 2, entries.LARGEST_CELL)
    (atoms,) = read_xyz(io.StringIO('\n'.join(frame) + '\n'), slice(None))
    return _crystal_of_atoms(atoms)


def _crystal_of_atoms(atoms: Any) -> Crystal:
    if not atoms.cell.rank == 3:
        raise RefusedError(entries.LATTICE, 'no lattice of three vectors (Lattice="…")')
    if not np.isfinite(atoms.positions).all():
        raise RefusedError(entries.NAN, 'positions are not finite')
    data = {
        'lattice': np.array(atoms.cell).tolist(),
        'species': atoms.get_chemical_symbols(),
        'frac_coords': atoms.get_scaled_positions(wrap=False).tolist(),
    }
    return plain_crystal(data)
