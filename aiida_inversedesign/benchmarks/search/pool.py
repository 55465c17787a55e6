"""Pools of candidates whose properties are known: structures with properties, or the rows of a CSV file."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows
from aiida_inversedesign.campaign.text.number_words import LARGEST
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.bounded import read_lines
from aiida_inversedesign.libraries.entries import NO_ELEMENT, RefusedError, name_of, number_of, plain_crystal
from aiida_inversedesign.libraries.values import unreadable
from aiida_inversedesign.parallel import mapped

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.search.earlier import Earlier
    from aiida_inversedesign.benchmarks.search.fidelity import Cheap


#: crystals described in one task of a process
_CHUNK = 64


class PoolError(InverseDesignError):
    """A pool that cannot be read or searched, with what to do."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates with known answers.

    :param name: of the file.
    :param ids: of the candidates, unique, length n.
    :param features: descriptors, shape (n, d), all finite.
    :param names: of the columns of ``features``.
    :param values: answers by property, each of shape (n,), all finite.
    :param left_out: number of rows that are not in the pool, by reason.
    :param ignored: columns of a CSV file that are not descriptors, with the reason.
    :param variables: columns of a CSV file that are, with their values in words.
    :param errors: standard errors of the answers of properties that were measured several times, each of shape (n,),
        NaN where there was one measurement.
    :param repeats: of those that were repeated the number of measurements and the deviation of one, length n.
    :param rows: rows of a CSV file that the candidates were made of.
    :param crystals: the structures; None of a CSV file, or where they were not asked for.
    :param curves: of properties that are numbers of curves, those of all candidates.
    :param earlier: what earlier searches in another pool evaluated, by kind of arm that starts from them and seed.
    :param cheap: a cheaper method, for the arms that may ask it.
    :param formulas: reduced formulas of crystals.
    """

    name: str
    ids: tuple[str, ...]
    features: Array
    names: tuple[str, ...]
    values: dict[str, Array]
    left_out: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    crystals: tuple[Crystal, ...] | None = None
    variables: dict[str, str] = field(default_factory=dict)
    errors: dict[str, Array] = field(default_factory=dict)
    repeats: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    rows: int | None = None
    curves: dict[str, CurveRows] = field(default_factory=dict)
    earlier: dict[tuple[str, int], Earlier] = field(default_factory=dict)
    cheap: Cheap | None = None
    formulas: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what a search depends on."""
        found = hashlib.sha256(repr((self.ids, self.names, tuple(self.values))).encode())
        whole = [rows.values for rows in self.curves.values()]
        for _, rows in sorted(self.earlier.items(), key=lambda item: item[0]):
            whole += [rows.features, *rows.values.values()]
        if self.cheap is not None:
            whole += [self.cheap.values, np.array([self.cheap.ratio])]
        for array in (self.features, *self.values.values(), *self.errors.values(), *whole):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def read_pool(
    path: Path,
    properties: Sequence[str],
    ignore: Sequence[str] = (),
    variables: Sequence[str] = (),
    cache: Path | None = None,
    jobs: int = 1,
    crystals: bool = False,
    report: Report = silent,
) -> Pool:
    """Read a pool; rows without one of the properties are left out and counted.

    :param path: ``.jsonl`` or ``.jsonl.gz`` of structures with properties, or ``.csv`` (``.csv.gz``) of numbers and
        words, or with a column of SMILES.
    :param properties: those that the goal needs.
    :param ignore: columns of a CSV file that are not descriptors: other answers, for example.
    :param variables: columns of a CSV file that are descriptors; by default all that the goal does not name.
    :param cache: folder in which the descriptors of structures and molecules are kept, so that they are computed once.
    :param jobs: processes that compute descriptors.
    :param crystals: whether the structures are needed too.
    :raises PoolError: if nothing usable is in the file.
    :raises LibraryError: if it cannot be read.
    """
    endings = ('.jsonl', '.jsonl.gz', '.csv', '.csv.gz')
    if not path.name.endswith(endings):
        raise PoolError(f'{path}: a pool is a file {", ".join(endings)}: the ending tells how it is read')
    if path.name.endswith(endings[:2]):
        pool = _read_jsonl(path, properties, cache, jobs, crystals, report)
    else:
        from aiida_inversedesign.benchmarks.search.csv_pool import read_csv
        from aiida_inversedesign.benchmarks.search.molecule_pool import has_smiles, read_molecules

        if not variables and not ignore and has_smiles(path):
            pool = read_molecules(path, properties, cache, jobs, report)
        else:
            pool = read_csv(path, properties, ignore, variables, report)
    if len(pool) < 2:
        lost = '; '.join(f'{number} {reason}' for reason, number in pool.left_out.items())
        raise PoolError(
            f'{path}: {len(pool)} row(s) have {", ".join(properties)}, a search needs at least 2'
            + (f' (left out: {lost})' if lost else '')
        )
    return pool


def with_estimates(pool: Pool, path: Path) -> Pool:
    """The pool with what a potential says of its candidates as further descriptors.

    Where it says nothing of a candidate, the mean of the others stands for it.

    :param path: CSV file of ``benchmark potential --estimates``: ``id``, and columns named like the properties that
        they estimate.
    :raises PoolError: if it has no estimate of any candidate.
    """
    from aiida_inversedesign.learn.surrogate import estimate_column

    found = read_estimates(pool, path)
    columns = [np.where(np.isfinite(values), values, np.nanmean(values)) for values in found.values()]
    names = tuple(estimate_column(name) for name in found)
    return replace(pool, features=np.column_stack([pool.features, *columns]), names=(*pool.names, *names))


def read_estimates(pool: Pool, path: Path) -> dict[str, Array]:
    """What a file says of the candidates, by property; each of shape (n,), NaN where it says nothing.

    :raises PoolError: if it has no estimate of any candidate.
    """
    import csv

    with path.open(newline='') as handle:
        rows = {row.pop('id', ''): row for row in csv.DictReader(handle)}
    found = {
        name: np.array([_told(rows.get(identifier, {}).get(name)) for identifier in pool.ids], dtype=np.float64)
        for name in sorted({name for row in rows.values() for name in row if name})
    }
    found = {name: values for name, values in found.items() if np.isfinite(values).any()}
    if not found:
        raise PoolError(f'{path}: it has no number for any candidate of {pool.name}: make it of the same structures')
    return found


def _told(cell: str | None) -> float:
    value = number_of(cell)
    return np.nan if value is None else value


def _read_jsonl(
    path: Path, properties: Sequence[str], cache: Path | None, jobs: int, crystals: bool, report: Report
) -> Pool:
    file = None
    if cache is not None:
        content = hashlib.sha256(path.read_bytes() if path.is_file() else b'')
        content.update(repr((path.name, tuple(properties), _describer())).encode())
        file = cache / f'pool-{content.hexdigest()[:24]}.npz'
        if file.is_file() and not crystals and (pool := _from_cache(file, path.name, properties)) is not None:
            return pool
    ids: list[str] = []
    found: list[Crystal] = []
    answers: list[list[float]] = []
    lost: Counter[str] = Counter()
    seen: set[str] = set()
    examples: dict[str, str] = {}
    known: Counter[str] = Counter()
    for number, line in enumerate(read_lines(path, lambda done: report('reading', done)), 1):
        fields = record_of(line)
        if isinstance(fields, str):
            lost[fields] += 1
            continue
        known.update(key for key in fields if number_of(fields[key]) is not None)
        numbers = [number_of(fields.get(name)) for name in properties]
        missing = [name for name, value in zip(properties, numbers, strict=True) if value is None]
        if missing:
            why = unreadable(fields.get(missing[0]))
            lost[f'with an unreadable {missing[0]}' if why else f'without {missing[0]}'] += 1
            if why:
                examples.setdefault(f'with an unreadable {missing[0]}', f'{str(fields.get(missing[0]))[:40]!r} {why}')
            continue
        if any(abs(value) > LARGEST for value in numbers if value is not None):
            lost[f'with a value above {LARGEST:g}'] += 1
            continue
        try:
            crystal = primitive_crystal(fields)
        except InverseDesignError as error:
            lost[getattr(error, 'kind', 'unreadable')] += 1
            continue
        name = name_of(fields, f'{path.name}:{number}')
        if name in seen:
            lost['duplicate id'] += 1
            continue
        seen.add(name)
        ids.append(name)
        found.append(crystal)
        answers.append([value for value in numbers if value is not None])
    report('reading', 1.0)
    _check_known(path, properties, known)
    pool = Pool(
        path.name,
        tuple(ids),
        described(found, jobs, report),
        feature_names(),
        _columns(properties, answers),
        {f'{why} ({examples[why]})' if why in examples else why: number for why, number in lost.items()},
        {},
        crystals=tuple(found),
        formulas=tuple(crystal.formula for crystal in found),
    )
    if file is not None:
        _to_cache(file, pool)
    return pool


def _from_cache(file: Path, name: str, properties: Sequence[str]) -> Pool | None:
    """The pool that was kept; None if an earlier version kept it without formulas."""
    with np.load(file, allow_pickle=False) as data:
        about = json.loads(str(data['about']))
        if 'formulas' not in about:
            return None
        answers = data['answers']
        values = {prop: answers[:, index].copy() for index, prop in enumerate(properties)}
        formulas = tuple(about['formulas'])
        ids, lost = tuple(about['ids']), about['left_out']
        return Pool(name, ids, data['features'], feature_names(), values, lost, formulas=formulas)


def _to_cache(file: Path, pool: Pool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    about = json.dumps({'ids': pool.ids, 'left_out': pool.left_out, 'formulas': pool.formulas})
    partial = file.with_suffix('.part.npz')
    np.savez_compressed(
        partial, about=about, features=pool.features, answers=np.stack(list(pool.values.values()), axis=1)
    )
    partial.replace(file)


def record_of(line: bytes | None) -> dict[str, Any] | str:
    """The fields of a line, or why there are none."""
    if line is None:
        return 'too large'
    try:
        fields = json.loads(line.decode('utf-8-sig'))
    except (ValueError, RecursionError):
        return 'empty line' if not line.strip() else 'unreadable'
    return fields if isinstance(fields, dict) else 'unreadable'


def primitive_crystal(fields: dict[str, Any]) -> Crystal:
    """The primitive cell, as a library of the same file would hold it."""
    from aiida_inversedesign.libraries.primitive import primitive_cell

    crystal = plain_crystal(fields)
    if unknown_elements(crystal.counts):
        raise RefusedError(NO_ELEMENT, 'there are no data of an element')
    return primitive_cell(crystal)


def _check_known(path: Path, properties: Sequence[str], known: Counter[str]) -> None:
    for name in properties:
        if not known[name]:
            found = ', '.join(key for key, _ in known.most_common(20)) or 'none'
            raise PoolError(f'{path}: no row has a number {name!r}; numbers there are: {found}')


def _columns(properties: Sequence[str], rows: list[list[float]]) -> dict[str, Array]:
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(properties))
    return {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(properties)}


def _describer() -> str:
    """What tells one version of the descriptors from another."""
    from aiida_inversedesign.spaces.crystals import features

    return hashlib.sha256(Path(features.__file__).read_bytes()).hexdigest()


def feature_names() -> tuple[str, ...]:
    """Names of the descriptors of crystals, in their order."""
    from aiida_inversedesign.spaces.crystals.features import feature_names

    return tuple(feature_names())


def described(
    contents: list[Any], jobs: int, report: Report, describe: Callable[[list[Any]], Array] | None = None
) -> Array:
    """Descriptors as campaigns compute them: of crystals, or of what ``describe`` (a module's function) is for."""
    describe = describe or _describe
    chunks = [contents[start : start + _CHUNK] for start in range(0, len(contents), _CHUNK)]
    blocks = []
    for block in mapped(describe, chunks, jobs if len(chunks) >= 2 * jobs else 1):
        blocks.append(block)
        report('describing', len(blocks) / len(chunks))
    return np.concatenate(blocks) if blocks else describe([])


def _describe(crystals: list[Crystal]) -> Array:
    from aiida_inversedesign.spaces.crystals.features import featurize

    return featurize(crystals, [None] * len(crystals))[0]
