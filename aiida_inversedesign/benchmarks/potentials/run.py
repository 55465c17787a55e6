"""Crystals with known properties, relaxed with a potential, against what is known of them.

Results are kept line by line in a file, so that a run of hours that is stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
import random
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.audit.metrics.intervals import mean_interval
from aiida_inversedesign.audit.metrics.predictions import rank_correlation
from aiida_inversedesign.benchmarks.common import Report, add_lines, read_lines, silent
from aiida_inversedesign.campaign.contracts.potential import Potential
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.parallel import mapped
from aiida_inversedesign.screen.potentials import relax_bundle
from aiida_inversedesign.screen.potentials.judge import estimates_of

#: Crystals that a process is given at a time: a stop loses at most so many.
_BUNDLE = 8
#: Properties that follow from the elastic tensor are all that are not these.
_OTHERS = ('volume', 'bulk_modulus')


@dataclass(frozen=True)
class Known:
    """A crystal with known properties in their units: ``volume`` in Å³/atom."""

    id: str
    crystal: Crystal
    values: Mapping[str, float]


def read_jsonl(path: Path, columns: Mapping[str, str]) -> list[Known]:
    """Crystals of a jsonl file of structures with properties; those without one of them are left out.

    :param columns: our property → column of the file.
    :raises InverseDesignError: if none is left.
    """
    from aiida_inversedesign.benchmarks.search.pool import read_pool

    pool = read_pool(path, list(columns.values()), crystals=True)
    assert pool.crystals is not None  # noqa: S101  (asked for)
    found = [
        Known(name, crystal, {ours: float(pool.values[theirs][index]) for ours, theirs in columns.items()})
        for index, (name, crystal) in enumerate(zip(pool.ids, pool.crystals, strict=True))
    ]
    # every crystal has a volume
    return [
        Known(item.id, item.crystal, {'volume': item.crystal.volume / item.crystal.nsites, **item.values})
        for item in found
    ]


def read_acwf(folder: Path) -> list[Known]:
    """The unaries and oxides of the verification of all-electron codes (Bosoni et al., Nat. Rev. Phys. 6, 45 (2024)).

    :param folder: with ``results-*-AE-average.json`` and ``xsfs-*.tar.xz``.
    :raises InverseDesignError: if they are not there.
    """
    archives, results = list(folder.glob('xsfs-*.tar.xz')), sorted(folder.glob('results-*-AE-average.json'))
    if not archives or not results:
        raise InverseDesignError(f'{folder}: no xsfs-*.tar.xz and results-*-AE-average.json there')
    fits: dict[str, dict[str, float]] = {}
    for path in results:
        data = json.loads(path.read_text())
        for name, fit in data['BM_fit_data'].items():
            atoms = data['num_atoms_in_sim_cell'][name]
            fits[name.replace('/', '-')] = {
                'volume': fit['min_volume'] / atoms,
                # eV/Å³ → GPa
                'bulk_modulus': fit['bulk_modulus_ev_ang3'] * 160.21766,
            }
    return [Known(name, crystal, fits[name]) for name, crystal in _xsf_crystals(archives[0]) if name in fits]


def _xsf_crystals(archive: Path) -> Iterator[tuple[str, Crystal]]:
    from ase.io import read

    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as handle:
            handle.extractall(folder, filter='data')
        for path in sorted(Path(folder).rglob('*.xsf')):
            atoms = read(path)
            yield (
                path.stem,
                Crystal(atoms.cell[:], tuple(atoms.get_chemical_symbols()), atoms.get_scaled_positions()),
            )


def run(
    known: Sequence[Known],
    potential: Potential,
    lines: Path,
    jobs: int = 1,
    fmax: float = 0.02,
    steps: int = 100,
    report: Report = silent,
) -> dict[str, dict[str, Any]]:
    """What the potential says of each crystal, by id; those of ``lines`` are not computed again.

    :param lines: file to which each result is added as a line of JSON.
    :param jobs: processes, of one thread each.
    """
    wanted = sorted({name for item in known for name in item.values})
    properties = (['bulk_modulus'] if 'bulk_modulus' in wanted else []) + (
        ['elastic_tensor'] if any(name not in _OTHERS for name in wanted) else []
    )
    found = {item['id']: item for item in read_lines(lines) if set(properties) <= set(item.get('properties', ()))}
    left = [item for item in known if found.get(item.id, {}).get('digest') != item.crystal.content_hash]
    job = {
        'potential': potential.to_job(),
        'relax': True,
        'fmax': fmax,
        'steps': steps,
        'seconds': 300,
        'symprec': STRICT_SYMPREC,
        'properties': properties,
    }
    bundles = [
        {
            **job,
            'structures': [
                {'id': item.id, 'digest': item.crystal.content_hash, **item.crystal.to_dict()}
                for item in left[start : start + _BUNDLE]
            ],
        }
        for start in range(0, len(left), _BUNDLE)
    ]
    for number, records in enumerate(mapped(_run_bundle, bundles, jobs), 1):
        report('crystals', number / len(bundles))
        records = [{**record, 'properties': properties} for record in records]
        add_lines(lines, records)
        found |= {record['id']: record for record in records}
    return {item.id: found[item.id] for item in known}


def _run_bundle(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of one bundle, computed in this process."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        try:
            begun = time.process_time()
            records: list[dict[str, Any]] = relax_bundle.main(job)['records']
        except relax_bundle.MissingPotentialError as error:
            raise InverseDesignError(str(error)) from error
    each = (time.process_time() - begun) / len(records)
    return [{**record, 'cpu_seconds': each} for record in records]


def drawn(known: Sequence[Known], number: int | None, seed: int) -> list[Known]:
    """So many of the crystals, drawn at random in a fixed order; all without a number."""
    if number is None or number >= len(known):
        return list(known)
    return sorted(random.Random(seed).sample(list(known), number), key=lambda item: item.id)  # noqa: S311


def estimates(record: Mapping[str, Any]) -> dict[str, float]:
    """Properties by our names, as a record has them; empty where the potential failed."""
    if 'failed' in record:
        return {}
    volume = abs(float(np.linalg.det(np.array(record['lattice'])))) / len(record['species'])
    return {'volume': volume, **estimates_of(record)}


def compared(known: Sequence[Known], records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Error, bias, relative error and rank correlation of each property, with n and 95 % intervals; and the costs."""
    figures: dict[str, Any] = {}
    for name in dict.fromkeys(name for item in known for name in item.values):
        pairs = np.array(
            [
                (item.values[name], found[name])
                for item in known
                if name in item.values and name in (found := estimates(records[item.id]))
            ]
        ).reshape(-1, 2)
        error = pairs[:, 1] - pairs[:, 0]
        share = np.abs(error) / np.maximum(np.abs(pairs[:, 0]), 1e-9)
        figures[name] = {
            'n': len(pairs),
            'mae': float(np.abs(error).mean()) if len(pairs) else None,
            'mae_interval': mean_interval(np.abs(error), least=0.0),
            'bias': float(error.mean()) if len(pairs) else None,
            'median_relative_error': float(np.median(share)) if len(pairs) else None,
            'rank_correlation': rank_correlation(pairs),
        }
    reasons: dict[str, int] = {}
    for record in records.values():
        if 'failed' in record:
            words = str(record['failed']).split(':')[0][:60]
            reasons[words] = reasons.get(words, 0) + 1
    seconds = np.array([record['cpu_seconds'] for record in records.values() if 'cpu_seconds' in record])
    return {
        'n': len(known),
        'properties': figures,
        'failed': reasons,
        'not_converged': sum(
            record.get('converged') is False and 'failed' not in record for record in records.values()
        ),
        'cpu_seconds': {
            'mean': float(seconds.mean()) if len(seconds) else None,
            'interval': mean_interval(seconds, least=0.0),
        },
    }
