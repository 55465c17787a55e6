"""A potential as an oracle: relaxes each crystal once, and keeps the result in a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from aiida_inversedesign.benchmarks.common import add_lines, read_lines
from aiida_inversedesign.campaign.contracts.potential import potential
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.screen.potentials import relax_bundle

#: How crystals are relaxed: as by the stage ``screen`` by default.
RELAXATION = {'relax': True, 'fmax': 0.02, 'steps': 100, 'seconds': 300, 'symprec': STRICT_SYMPREC, 'properties': []}


class Relaxer:
    """One potential, with what it has found so far.

    :param name: of an installed potential.
    :param folder: where results are kept, those of each version of a potential in their own file; None for nowhere.
    :param jobs: processes of :meth:`all_relaxed`, of one thread each.
    :raises InverseDesignError: if the potential cannot be used here.
    """

    def __init__(self, name: str, folder: Path | None, jobs: int = 1) -> None:
        self.potential, self._jobs = potential(name), jobs
        self._processes: ProcessPoolExecutor | None = None
        try:
            self._calculator, self.identity = _quietly_made(self.potential.to_job())
        except relax_bundle.MissingPotentialError as error:
            raise InverseDesignError(
                f'the potential {name!r} cannot be used here: {error}; pip install {self.potential.install or name}'
            ) from error
        versions = self.identity['versions'].get(self.potential.distribution)
        made_by = json.dumps([versions, self.identity['weights_sha256'], RELAXATION], sort_keys=True)
        kept = f'{name}-{hashlib.sha256(made_by.encode()).hexdigest()[:12]}.jsonl'
        self._file = None if folder is None else folder / kept
        kept_before = () if self._file is None else read_lines(self._file)
        self._found = {record['digest']: record for record in kept_before if 'digest' in record}
        #: CPU seconds that were spent now, and that all results that were asked for have cost, kept ones included.
        self.spent, self.charged = 0.0, 0.0

    def relaxed(self, crystal: Crystal) -> Mapping[str, Any]:
        """What the potential says of a crystal: the record of the program of the stage ``screen``."""
        return self.all_relaxed([crystal])[0]

    def all_relaxed(self, crystals: Sequence[Crystal]) -> list[Mapping[str, Any]]:
        """What the potential says of each crystal, in their order."""
        new = {item.content_hash: item for item in crystals if item.content_hash not in self._found}
        for record in self._computed([{'id': name, 'digest': name, **item.to_dict()} for name, item in new.items()]):
            self.spent += record['cpu_seconds']
            self._found[record['digest']] = record
            if self._file is not None:
                add_lines(self._file, [record])
        found: list[Mapping[str, Any]] = [self._found[item.content_hash] for item in crystals]
        self.charged += sum(record['cpu_seconds'] for record in found)
        return found

    def _computed(self, structures: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        if self._jobs == 1 or len(structures) < 2:
            return (_looked_at(structure, self._calculator) for structure in structures)
        if self._processes is None:
            # a forked process would inherit the threads of torch in an undefined state
            self._processes = ProcessPoolExecutor(self._jobs, get_context('spawn'), _begin, (self.potential.to_job(),))
        return self._processes.map(_look, structures)


def _quietly_made(job: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The calculator and its identity; some potentials write files and print when they are created."""
    with tempfile.TemporaryDirectory() as nowhere, contextlib.chdir(nowhere), contextlib.redirect_stdout(sys.stderr):
        found: tuple[Any, dict[str, Any]] = relax_bundle.make_calculator(job)
    return found


def _looked_at(structure: dict[str, Any], calculator: Any) -> dict[str, Any]:
    begun = time.process_time()
    record = relax_bundle.look_at(structure, calculator, RELAXATION)
    return {**record, 'cpu_seconds': time.process_time() - begun}


#: The calculator of a worker process.
_calculator: Any = None


def _begin(job: Mapping[str, Any]) -> None:
    global _calculator
    os.environ['OMP_NUM_THREADS'] = '1'
    _calculator, _ = _quietly_made(job)


def _look(structure: dict[str, Any]) -> dict[str, Any]:
    return _looked_at(structure, _calculator)
