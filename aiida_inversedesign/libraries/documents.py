"""Documents of materials as JSON: records, structures and entries of pymatgen, documents of emmet, OPTIMADE entries.

pymatgen: Ong et al., Comput. Mater. Sci. 68, 314 (2013); emmet builds the documents of the Materials Project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.bounded import MIB, TooLargeError, read_lines, read_text
from aiida_inversedesign.libraries.collect import Filter, Progress
from aiida_inversedesign.libraries.entries import Notes, Raw, RefusedError, number_of, plain_crystal, refused
from aiida_inversedesign.libraries.library import LibraryError
from aiida_inversedesign.libraries.optimade_structures import crystal_of_attributes

#: bytes of a file that is one JSON document; of files with one object a line only a line is in memory
LARGEST_DOCUMENT = 256 * MIB
#: the licences of the Materials Project's data by the name that an entry carries
LICENSES = {'BY-C': 'CC BY 4.0', 'BY-NC': 'CC BY-NC 4.0'}
#: where documents keep their id, and their structure
IDS = ('id', 'material_id', 'entry_id', 'task_id')
STRUCTURES = ('structure', 'final_structure')
#: properties that documents give by their averages: Voigt, Reuss and Hill
MODULI = ('bulk_modulus', 'shear_modulus')
#: under which answers of servers keep their list
LISTS = ('data', 'response')


def read_documents(file: Path, wanted: Filter, progress: Progress | None = None) -> Iterator[Raw]:
    """The entries of a JSON file: one object or list a line, or one document, which is a list, an object, or an answer.

    :raises LibraryError: if the file cannot be read, is a decompression bomb, or is one document of more than 256 MiB.
    """
    whole = _one_document(file)
    if whole is None:
        yield from _by_line(file, wanted, progress)
        return
    number = 0
    for number, item in enumerate(_items(whole), 1):
        yield _entry(item, f'{file.name}, entry {number}', f'{file.name}:{number}', wanted)
        if progress is not None and number % 64 == 0:
            progress(number, None)


def document_entry(document: Mapping[str, Any], where: str, default: str, wanted: Filter) -> Raw:
    """The entry of one document.

    :param default: id of a document that has none.
    """
    notes = wanted.notes()
    attributes = document.get('attributes')
    if isinstance(attributes, Mapping) and 'lattice_vectors' in attributes:
        build = partial(crystal_of_attributes, attributes, wanted.largest_cell, notes)
        return Raw(where, str(document.get('id') or default), build, {}, notes=notes)
    fields = _fields(document)
    name = next((str(fields[key]) for key in IDS if isinstance(fields.get(key), str | int) and fields[key]), default)
    builder = document.get('builder_meta')
    carried = str(builder.get('license') or '') if isinstance(builder, Mapping) else ''
    build = partial(_crystal, document, wanted.largest_cell, notes)
    return Raw(where, _familiar(name), build, fields, LICENSES.get(carried, carried), notes)


def _crystal(document: Mapping[str, Any], largest: int | None, notes: Notes) -> Crystal:
    if document.get('deprecated') is True:
        reasons = document.get('deprecation_reasons')
        why = f' ({", ".join(map(str, reasons))})'[:200] if isinstance(reasons, list) and reasons else ''
        notes.contradiction(entries.DEPRECATED, f'the entry is marked as deprecated{why}')
    if 'lattice' in document and not _is_structure(document):
        return plain_crystal(document, largest)
    structure = _structure(document)
    if structure is None and (_is_entry(document) or any(key in document for key in STRUCTURES)):
        raise RefusedError(entries.NO_STRUCTURE, 'the entry has no structure, only a composition or properties')
    return plain_crystal(document if structure is None else {'structure': structure}, largest)


def _fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """Everything beside the structure, by the names that libraries use."""
    fields = dict(document)
    if _is_structure(document):
        # labels and coordinates are not properties; what the structure was given is
        fields = {key: document[key] for key in IDS if key in document}
        fields |= document['properties'] if isinstance(document.get('properties'), Mapping) else {}
    if _is_entry(document):
        data = document.get('data')
        fields = {**(data if isinstance(data, Mapping) else {}), **fields}
        fields |= _energy_per_atom(document)
    for key in MODULI:
        if isinstance(document.get(key), Mapping):
            fields |= {f'{key}_{average}': value for average, value in document[key].items()}
    symmetry = document.get('symmetry')
    if isinstance(symmetry, Mapping) and 'spacegroup' not in fields:
        fields['spacegroup'] = symmetry.get('number')
    return fields


def _energy_per_atom(document: Mapping[str, Any]) -> dict[str, float]:
    """The corrected energy of a computed entry, by atom."""
    composition, energy = document.get('composition'), number_of(document.get('energy'))
    amounts = [number_of(amount) for amount in composition.values()] if isinstance(composition, Mapping) else []
    atoms = sum(amount for amount in amounts if amount)
    if energy is None or not atoms:
        return {}
    return {'energy_per_atom': (energy + (number_of(document.get('correction')) or 0.0)) / atoms}


def _structure(document: Mapping[str, Any]) -> Any:
    if _is_structure(document):
        return document
    return next((document[key] for key in STRUCTURES if isinstance(document.get(key), Mapping)), None)


def _is_structure(document: Mapping[str, Any]) -> bool:
    """Whether it is ``Structure.as_dict()``."""
    return isinstance(document.get('sites'), list) and isinstance(document.get('lattice'), Mapping)


def _is_entry(document: Mapping[str, Any]) -> bool:
    """Whether it is a ``ComputedEntry`` or one of its kinds, which may have a structure."""
    return 'energy' in document and 'composition' in document and ('parameters' in document or 'entry_id' in document)


def _familiar(name: str) -> str:
    """The id as users and older data sets know it: the Materials Project may write mp-149 as mp-aaaaaaft."""
    if not name.startswith('mp-') or not name[3:].isalpha():
        return name
    try:
        from emmet.core.mpid import AlphaID

        return str(AlphaID(name).string)
    except (ImportError, ValueError, TypeError, AttributeError):
        return name


def _by_line(file: Path, wanted: Filter, progress: Progress | None) -> Iterator[Raw]:
    for number, line in enumerate(lines_of(file, progress), 1):
        where = f'{file.name}, line {number}'
        if line is None:
            yield refused(where, entries.TOO_LARGE, 'the line has more than 16 MiB')
            continue
        if not line.strip():
            continue
        try:
            found = json.loads(line.decode('utf-8-sig' if number == 1 else 'utf-8'))
        # a number of thousands of digits is a ValueError, text that is not UTF-8 too
        except (ValueError, RecursionError) as error:
            yield refused(where, entries.UNREADABLE, f'not JSON: {error}')
            continue
        items = _items(found)
        if len(items) == 1 and items[0] is found:
            yield _entry(found, where, f'{file.name}:{number}', wanted)
            continue
        for index, item in enumerate(items, 1):
            yield _entry(item, f'{where}, entry {index}', f'{file.name}:{number}:{index}', wanted)


def _entry(item: Any, where: str, default: str, wanted: Filter) -> Raw:
    if not isinstance(item, dict):
        return refused(where, entries.UNREADABLE, 'not a JSON object')
    return document_entry(item, where, default, wanted)


def _items(found: Any) -> list[Any]:
    """The documents of a list, an answer, or an object of documents by id; of anything else itself."""
    if isinstance(found, dict) and 'lattice' not in found and not any(key in found for key in STRUCTURES):
        found = next((found[key] for key in LISTS if isinstance(found.get(key), list)), found)
    documents = found.values() if isinstance(found, dict) else ()
    if documents and all(isinstance(item, dict) and _structure(item) is not None for item in documents):
        return [{'id': name, **document} for name, document in found.items()]
    return found if isinstance(found, list) and found else [found]


def _one_document(file: Path) -> Any:
    """The content of a file that is one JSON document of several lines, or of one long line; None if it is not."""
    first = next((line for line in read_lines(file) if line is None or line.strip()), b'')
    if first:
        try:
            json.loads(first.decode('utf-8-sig'))
        except (ValueError, RecursionError):
            pass
        else:
            return None
    if first == b'':
        return None
    try:
        return json.loads(read_text(file, LARGEST_DOCUMENT))
    except (ValueError, RecursionError) as error:
        if first is not None and first.lstrip(b'\xef\xbb\xbf \t').startswith(b'[') and first.strip() != b'[]':
            raise LibraryError(f'{file}: one JSON array, which cannot be read ({error})') from error
        return None
    except TooLargeError as error:
        if first is not None and first.lstrip(b'\xef\xbb\xbf \t')[:1] in (b'[', b'{'):
            raise LibraryError(
                f'{file}: one JSON document of more than {LARGEST_DOCUMENT // MIB} MiB: write one object a line'
            ) from error
        return None


def lines_of(file: Path, progress: Progress | None) -> Iterator[bytes | None]:
    """The lines of a file as :func:`~aiida_inversedesign.libraries.bounded.read_lines` gives them, with progress."""
    done = 0.0

    def note(fraction: float) -> None:
        nonlocal done
        done = fraction

    for number, line in enumerate(read_lines(file, note), 1):
        yield line
        if progress is not None and number % 64 == 0:
            progress(number, done)
