"""A potential as an oracle: relaxes each crystal once, and keeps the result in a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping
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
    :raises InverseDesignError: if the potential cannot be used here.
    """

    def __init__(self, name: str, folder: Path | None) -> None:
        self.potential = potential(name)
        try:
            # some potentials write files when they are made, and print what would stand in the JSON
            with (
                tempfile.TemporaryDirectory() as nowhere,
                contextlib.chdir(nowhere),
                contextlib.redirect_stdout(sys.stderr),
            ):
                self._calculator, self.identity = relax_bundle.make_calculator(self.potential.to_job())
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
        digest = crystal.content_hash
        if digest not in self._found:
            begun = time.process_time()
            record = relax_bundle.look_at(
                {'id': digest, 'digest': digest, **crystal.to_dict()}, self._calculator, RELAXATION
            )
            seconds = time.process_time() - begun
            self.spent += seconds
            self._found[digest] = {**record, 'cpu_seconds': seconds}
            if self._file is not None:
                add_lines(self._file, [self._found[digest]])
        self.charged += self._found[digest]['cpu_seconds']
        return self._found[digest]
