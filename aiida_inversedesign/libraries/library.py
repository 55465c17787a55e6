"""Template libraries: crystals whose arrangement of atoms may be given to other elements."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.fingerprints.structure import LENGTH
from aiida_inversedesign.chemistry.symbols import SYMBOLS
from aiida_inversedesign.errors import InverseDesignError

Fingerprints = NDArray[np.float32]

#: layout of :meth:`Library.to_bytes`; a file of another one is refused
SCHEMA = 'inversedesign.library/1'
#: what the name of a column begins with that holds curves
_CURVE = 'curve.'
#: most numbers and texts in its file: so many, and so many more for each byte
MOST_VALUES, MOST_PER_BYTE = 10**6, 10


class LibraryError(InverseDesignError):
    """A library that cannot be read or used, with what to do."""


@dataclass(frozen=True)
class Skipped:
    """A structure that was not taken into a library.

    :param source: which one: file and line, block or id.
    :param kind: by what it is counted, e.g. ``partial occupancy``; empty if unknown.
    :param column: name of the property, where only its value is not taken and the structure is.
    """

    source: str
    reason: str
    kind: str = ''
    column: str | None = None


@dataclass(frozen=True, eq=False)
class Template:
    """One crystal of a library.

    :param id: unique within the library.
    :param crystal: its primitive cell.
    :param source: where it comes from, e.g. ``AFLOW prototypes``.
    :param license: licence or terms of that source.
    :param prototype: name of its structure type, e.g. ``Halite, Rock Salt``.
    :param proto_label: anonymous prototype (:func:`aiida_inversedesign.chemistry.prototypes.prototype_label`); empty if
        it was not determined.
    :param spacegroup: space-group number; 0 if unknown.
    :param e_above_hull: energy above the convex hull in eV/atom, if known.
    :param formation_energy: formation energy in eV/atom, if known.
    :param properties: further numbers by name, in the units of their source.
    :param curves: properties that are functions of an axis, as lists of values; the campaign file names the axis.
    :param date: ISO date on which it was retrieved from that source; empty if unknown.
    :param remarks: what was noticed when it was read, each as ``kind: text``.
    """

    id: str
    crystal: Crystal
    source: str
    license: str
    prototype: str = ''
    spacegroup: int = 0
    e_above_hull: float | None = None
    formation_energy: float | None = None
    properties: dict[str, float] = field(default_factory=dict)
    date: str = ''
    remarks: tuple[str, ...] = ()
    proto_label: str = ''
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)


class Library:
    """An ordered, immutable collection of templates.

    :param fingerprints: structure fingerprint of each template, shape (n, 244); NaN rows where there is none.
    :raises LibraryError: if two templates share an id, or there is another number of fingerprints than templates.
    """

    def __init__(self, templates: Iterable[Template], fingerprints: Fingerprints | None = None) -> None:
        self._templates = tuple(templates)
        if fingerprints is not None:
            if fingerprints.shape != (len(self._templates), LENGTH):
                raise LibraryError(
                    f'{len(self._templates)} templates need fingerprints of shape ({len(self._templates)}, {LENGTH}), '
                    f'got {fingerprints.shape}'
                )
            fingerprints = np.asarray(fingerprints, dtype=np.float32)
        self._fingerprints = fingerprints
        repeated = [name for name, number in Counter(item.id for item in self._templates).items() if number > 1]
        if repeated:
            raise LibraryError(f'the id {repeated[0]!r} occurs more than once: ids must be unique within a library')

    def __len__(self) -> int:
        return len(self._templates)

    def __iter__(self) -> Iterator[Template]:
        return iter(self._templates)

    def __getitem__(self, index: int) -> Template:
        return self._templates[index]

    @property
    def fingerprints(self) -> Fingerprints | None:
        """Structure fingerprint of each template, shape (n, 244), NaN where there is none; None if not computed."""
        return self._fingerprints

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of every template's id, crystal and data, independent of their order and of the file format.

        Fingerprints and prototypes follow from the crystals, and neither the date of retrieval nor remarks change
        anything: they are left out.
        """
        lines = sorted(
            repr(
                (
                    item.id,
                    item.crystal.content_hash,
                    item.source,
                    item.license,
                    item.prototype,
                    item.spacegroup,
                    item.e_above_hull,
                    item.formation_energy,
                    sorted(item.properties.items()),
                    # without curves the hash is that of earlier versions
                    *([sorted(item.curves.items())] if item.curves else []),
                )
            )
            for item in self._templates
        )
        return hashlib.sha256('\n'.join(lines).encode()).hexdigest()

    @property
    def sources(self) -> dict[str, dict[str, str | int]]:
        """Licence and number of templates of each source."""
        found: dict[str, dict[str, str | int]] = {}
        for item in self._templates:
            entry = found.setdefault(item.source, {'license': item.license, 'templates': 0})
            entry['templates'] = int(entry['templates']) + 1
        return found

    @cached_property
    def _labels(self) -> dict[str, list[int]]:
        labels: dict[str, list[int]] = defaultdict(list)
        for index, item in enumerate(self._templates):
            labels[item.crystal.ratio_label].append(index)
        return dict(labels)

    @property
    def ratios(self) -> dict[str, int]:
        """Number of templates of each ratio label."""
        return {label: len(indices) for label, indices in self._labels.items()}

    def by_ratio(self, label: str) -> list[int]:
        """Indices of the templates of a ratio label; empty if there are none."""
        return list(self._labels.get(label, ()))

    def subset(self, indices: Sequence[int]) -> Library:
        """The library of these templates alone."""
        rows = list(indices)
        chosen = None if self._fingerprints is None else self._fingerprints[rows]
        return Library((self._templates[index] for index in rows), chosen)

    def with_fingerprints(self, fingerprints: Fingerprints) -> Library:
        """The same templates with these fingerprints, shape (n, 244)."""
        return Library(self._templates, fingerprints)

    def to_bytes(self) -> bytes:
        """The library as a Parquet file; the same library gives the same bytes with the same pyarrow."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        def floats(values: Iterable[float | None]) -> pa.Array:
            return pa.array(values, pa.float64())

        columns = {
            'id': pa.array([item.id for item in self], pa.string()),
            'formula': pa.array([item.crystal.formula for item in self], pa.string()),
            'ratio_label': pa.array([item.crystal.ratio_label for item in self], pa.string()),
            'lattice': pa.array([item.crystal.lattice.ravel().tolist() for item in self], pa.list_(pa.float64())),
            'species': pa.array([list(item.crystal.species) for item in self], pa.list_(pa.string())),
            'frac_coords': pa.array(
                [item.crystal.frac_coords.ravel().tolist() for item in self], pa.list_(pa.float64())
            ),
            'source': pa.array([item.source for item in self], pa.string()).dictionary_encode(),
            'license': pa.array([item.license for item in self], pa.string()).dictionary_encode(),
            'prototype': pa.array([item.prototype for item in self], pa.string()),
            'spacegroup': pa.array([item.spacegroup for item in self], pa.int16()),
            'e_above_hull': floats(item.e_above_hull for item in self),
            'formation_energy': floats(item.formation_energy for item in self),
        }
        # as an optional column, a library without dates keeps its bytes, and with them the hash of its node
        if any(item.date for item in self):
            columns['date'] = pa.array([item.date for item in self], pa.string()).dictionary_encode()
        if any(item.remarks for item in self):
            columns['remarks'] = pa.array([list(item.remarks) for item in self], pa.list_(pa.string()))
        if any(item.proto_label for item in self):
            columns['proto_label'] = pa.array([item.proto_label for item in self], pa.string()).dictionary_encode()
        names = sorted({name for item in self for name in item.properties})
        for name in names:
            columns[f'property.{name}'] = floats(item.properties.get(name) for item in self)
        for name in sorted({name for item in self for name in item.curves}):
            columns[f'{_CURVE}{name}'] = pa.array([item.curves.get(name) for item in self], pa.list_(pa.float64()))
        if self._fingerprints is not None:
            flat = pa.array(self._fingerprints.ravel(), pa.float32())
            columns['fingerprint'] = pa.FixedSizeListArray.from_arrays(flat, LENGTH)
        metadata = {b'schema': SCHEMA.encode(), b'properties': json.dumps(names).encode()}
        table = pa.table(columns).replace_schema_metadata(metadata)
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression='zstd')
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Library:
        """The library of :meth:`to_bytes`.

        :raises LibraryError: if the bytes are not such a file.
        """
        import pyarrow as pa

        try:
            return cls._from_table(_read_parquet(data))
        except (
            pa.ArrowException, OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError
        ) as error:  # fmt: skip
            if isinstance(error, InverseDesignError):
                raise
            raise LibraryError(f'not a library file (Parquet): {str(error)[:200]}') from error

    @classmethod
    def _from_table(cls, table: Any) -> Library:
        """The library of an Arrow table; what does not fit raises nearly anything."""
        metadata = table.schema.metadata or {}
        if metadata.get(b'schema') != SCHEMA.encode():
            raise LibraryError(f'this Parquet file is not a template library ({SCHEMA}): import the structures again')
        names = json.loads(metadata[b'properties'])
        _check_words(table)
        columns = {
            name: table.column(name).to_pylist()
            for name in table.column_names
            if name not in ('lattice', 'frac_coords', 'fingerprint')
        }
        # the arrays are taken from Arrow's buffers: a Python float for each number would cost most of the time
        lattices = _split(table, 'lattice')
        coordinates = _split(table, 'frac_coords')
        dates = columns.get('date', [''] * table.num_rows)
        remarks = columns.get('remarks', [()] * table.num_rows)
        labels = columns.get('proto_label', [''] * table.num_rows)
        curves = [name for name in columns if name.startswith(_CURVE)]
        templates = []
        for row in range(table.num_rows):
            crystal = Crystal(
                lattices[row].reshape(3, 3), tuple(columns['species'][row]), coordinates[row].reshape(-1, 3)
            )
            # both are known: computing them again for a large library takes seconds
            vars(crystal).update(formula=columns['formula'][row], ratio_label=columns['ratio_label'][row])
            values = {name: columns[f'property.{name}'][row] for name in names}
            templates.append(
                Template(
                    id=columns['id'][row],
                    crystal=crystal,
                    properties={name: value for name, value in values.items() if value is not None},
                    date=dates[row],
                    remarks=tuple(remarks[row] or ()),
                    proto_label=labels[row] or '',
                    curves={
                        name.removeprefix(_CURVE): tuple(columns[name][row])
                        for name in curves
                        if columns[name][row] is not None
                    },
                    **{
                        name: columns[name][row]
                        for name in (
                            'source', 'license', 'prototype', 'spacegroup', 'e_above_hull', 'formation_energy'
                        )
                    },
                )
            )  # fmt: skip
        fingerprints = None
        if 'fingerprint' in table.column_names:
            flat = table.column('fingerprint').combine_chunks()
            fingerprints = flat.flatten().to_numpy(zero_copy_only=False).reshape(-1, LENGTH)
        return cls(templates, fingerprints)


@functools.cache
def aflow_library() -> Library:
    """The AFLOW prototypes of pymatgen as primitive cells (:func:`aiida_inversedesign.libraries.aflow.read_aflow`)."""
    return Library.from_bytes(files('aiida_inversedesign.libraries').joinpath('aflow.parquet').read_bytes())


def _read_parquet(data: bytes) -> Any:
    """The table of a Parquet file that is as large as its bytes let expect.

    :raises LibraryError: if it is not.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    about = file.metadata
    groups = [about.row_group(index) for index in range(about.num_row_groups)]
    values = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
    # equal values are stored once with their number: a few bytes can stand for billions
    if values > MOST_VALUES + MOST_PER_BYTE * len(data) or about.num_rows > max(1000, len(data)):
        raise LibraryError(
            f'{about.num_rows} rows, {values} values in {len(data)} bytes: refused: possible decompression bomb'
        )
    return file.read()


def _check_words(table: Any) -> None:
    """Refuse formulas and elements that are none."""
    import pyarrow.compute as pc

    species = set(pc.unique(table.column('species').combine_chunks().flatten()).to_pylist())
    if unknown := species - set(SYMBOLS):
        raise LibraryError(f'the library names {str(min(map(str, unknown)))[:20]!r}, which is not an element')
    for name, pattern in (('formula', '^[A-Za-z0-9()]+$'), ('ratio_label', '^[0-9:]+$')):
        if not pc.all(pc.match_substring_regex(table.column(name), pattern), skip_nulls=False).as_py():
            raise LibraryError(f'the column {name} of the library contains invalid entries')


def _split(table: object, name: str) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """The rows of a list column as arrays."""
    column = table.column(name).combine_chunks()  # type: ignore[attr-defined]
    if hasattr(column, 'chunks'):
        column = column.chunk(0)
    values = column.values.to_numpy(zero_copy_only=False)
    offsets = column.offsets.to_numpy()
    return [values[start:stop] for start, stop in pairwise(offsets)]
