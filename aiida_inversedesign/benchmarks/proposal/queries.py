"""The compounds that are asked for: their formulas, and the structures that would be right."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from aiida_inversedesign.arrays import Array, Mask
from aiida_inversedesign.chemistry.crystal import Crystal, CrystalError
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formula_spelling import FormulaError
from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.importers import CIF_SUFFIX, read_cif, read_jsonl
from aiida_inversedesign.libraries.library import Library, Skipped
from aiida_inversedesign.propose.rankers.ranking import reduced

#: kinds of the published predictions in the CSPML-90 file
PUBLISHED_KINDS = ('pred_before_dft', 'pred_after_dft')


class BenchmarkError(InverseDesignError):
    """A benchmark that cannot be run fairly or at all, with what to do."""


@dataclass(frozen=True, eq=False)
class Query:
    """A compound whose structure is known and that the rankings are asked for.

    :param id: where it comes from.
    :param crystal: its true structure.
    :param fingerprint: of the true structure, shape (244,).
    """

    id: str
    crystal: Crystal
    fingerprint: Array

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return self.crystal.formula

    @property
    def label(self) -> str:
        """Ratio label."""
        return self.crystal.ratio_label

    @cached_property
    def counts(self) -> dict[str, int]:
        """Reduced element counts."""
        return reduced(self.crystal.counts)


@dataclass(frozen=True, eq=False)
class Prediction:
    """A published prediction.

    :param kind: ``pred_before_dft`` or ``pred_after_dft``.
    :param query: formula it was made for, as in the file.
    :param rank: 1 for the first.
    """

    id: str
    kind: str
    query: str
    rank: int
    crystal: Crystal


def draw_formulas(library: Library, n: int, seed: int) -> list[int]:
    """Templates of ``n`` formulas drawn from a library: the lowest entry of each, which is the truth to be found.

    Drawn from the formulas whose lowest entry lies on the hull (or has no energy), has a fingerprint and only elements
    of the element table. The same library and seed give the same formulas, whatever the order of the library.

    :returns: indices in the library, in the order of the draw.
    :raises BenchmarkError: if there are fewer such formulas.
    """
    lowest: dict[str, tuple[float, float, str, int]] = {}
    for index, item in enumerate(library):
        energy = item.e_above_hull if item.e_above_hull is not None else 0.0
        formation = item.formation_energy if item.formation_energy is not None else 0.0
        key = (energy, formation, item.id, index)
        lowest[item.crystal.formula] = min(lowest.get(item.crystal.formula, key), key)
    known: Mask | None = None
    if library.fingerprints is not None:
        known = np.asarray(np.isfinite(library.fingerprints).all(axis=1))
    eligible = [
        lowest[formula][3]
        for formula in sorted(lowest)
        if lowest[formula][0] <= 0
        and (known is None or known[lowest[formula][3]])
        and not unknown_elements(library[lowest[formula][3]].crystal.counts)
    ]
    if n > len(eligible):
        raise BenchmarkError(
            f'only {len(eligible)} formulas of the library can be asked for (on the hull, with a fingerprint): '
            f'set --n to {len(eligible)} or less'
        )
    drawn = np.random.default_rng(seed).permutation(len(eligible))[:n]
    return [eligible[int(number)] for number in drawn]


def read_structures(path: Path) -> tuple[Library, list[Skipped]]:
    """The structures of a jsonl file or a folder of CIFs, as queries.

    :raises LibraryError: if it cannot be read.
    :raises BenchmarkError: if none can be used.
    """
    found, skipped = read_cif(path) if path.is_dir() or CIF_SUFFIX.search(path.name) else read_jsonl(path)
    if not len(found):
        first = f', first: {skipped[0].source}: {skipped[0].reason}' if skipped else ''
        raise BenchmarkError(f'{path}: no structure can be used ({len(skipped)} skipped{first})')
    return found, skipped


def read_cspml90(path: Path) -> tuple[list[tuple[str, Crystal]], list[Prediction]]:
    """The 90 crystals of CSPML with their ids, and the published predictions for them.

    The file has one JSON object a line, with ``kind`` (``ground_truth``, ``pred_before_dft``, ``pred_after_dft``),
    ``query`` and ``rank`` beside the structure.

    :raises BenchmarkError: if the file is none of that kind.
    """
    truths: list[tuple[str, Crystal]] = []
    predictions: list[Prediction] = []
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()
        for line in content.decode('utf-8').splitlines():
            record = json.loads(line)
            crystal = Crystal.from_dict(record)
            if record['kind'] == 'ground_truth':
                truths.append((str(record['id']), crystal))
            elif record['kind'] in PUBLISHED_KINDS:
                rank = int(record['rank'])
                predictions.append(Prediction(str(record['id']), record['kind'], record['query'], rank, crystal))
    except (OSError, EOFError) as error:
        raise BenchmarkError(f'{path}: cannot be read ({error})') from error
    except (ValueError, KeyError, TypeError, CrystalError) as error:
        raise BenchmarkError(
            f'{path} is not a file of the CSPML-90 benchmark (jsonl with "kind", "query" and "rank"): {error}'
        ) from error
    if not truths:
        raise BenchmarkError(f'{path}: no line of kind "ground_truth"')
    return truths, predictions


def keyed(known: Mapping[str, Array], ids: Iterable[str]) -> dict[str, Array]:
    """The known fingerprints of these ids; a file may have put the name of a data set before them (``c90:…``)."""
    last = {key.split(':', 1)[1]: value for key, value in known.items() if ':' in key}
    found = {}
    for name in ids:
        value = known.get(name, last.get(name))
        if value is not None:
            found[name] = value
    return found


def formulas_of(queries: Sequence[Query]) -> frozenset[str]:
    """Reduced formulas of the queries."""
    return frozenset(query.formula for query in queries)


def names_listed(path: Path) -> frozenset[str]:
    """Ids and reduced formulas of a file with one of them a line, e.g. ``mp-149`` or ``Ga4As4``.

    :raises BenchmarkError: if the file is no text, or names nothing.
    """
    try:
        words = {line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines()} - {''}
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f'{path}: cannot be read as text with an id or a formula a line: {error}') from error
    if not words:
        raise BenchmarkError(f'{path}: names no compound: write an id or a formula on each line')
    found = set()
    for word in words:
        try:
            found.add(reduced_formula(parse_formula(word)))
        except FormulaError:
            found.add(word)
    return frozenset(found)
