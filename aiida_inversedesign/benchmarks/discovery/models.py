"""What ranks the templates of a benchmark, without knowing the systems that are searched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.discovery.systems import System
from aiida_inversedesign.benchmarks.proposal.models import Training, read_model, train_ours, with_fingerprints
from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError
from aiida_inversedesign.benchmarks.proposal.splits import templates_for
from aiida_inversedesign.chemistry.fingerprints.structure import read_cache
from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.proposal_model import load_model, shipped_model
from aiida_inversedesign.propose.training.from_library import NEAR_HULL


@dataclass(frozen=True, eq=False)
class Prepared:
    """How the arms propose templates.

    :param templates: of every formula that no system asks for the lowest one near the hull.
    :param method: the source: ``cspml`` with a model, else ``dissimilarity``.
    :param about: of the model, in plain data.
    """

    templates: Library
    method: str
    model: Any
    about: dict[str, Any]


def prepared(
    library: Library,
    systems: Sequence[System],
    model: str,
    seed: int = 0,
    epochs: int | None = None,
    fingerprints: Path | None = None,
    folder: Path | None = None,
    progress: Report = silent,
) -> Prepared:
    """Templates and model without the formulas of all systems.

    :param model: ``none``, ``new``, ``shipped``, or a file.
    :param folder: keeps a model that is trained.
    :raises BenchmarkError: if the model may know the systems, or there is no such file.
    """
    hidden = frozenset().union(*(item.hidden for item in systems))
    templates = templates_for(library, hidden, NEAR_HULL)
    if model == 'none':
        return Prepared(templates, 'dissimilarity', None, {'origin': 'none: templates by element dissimilarity'})
    known = read_cache(fingerprints) if fingerprints is not None else {}
    labels = {ratio_label(parse_formula(formula)) for item in systems for formula in item.formulas}
    if model == 'new':
        named = f'{library.content_hash} {sorted(hidden)} {seed} {epochs}'
        file = (folder or Path()) / f'model-{hashlib.sha256(named.encode()).hexdigest()[:12]}.npz'
        if folder is not None and file.exists():
            data, origin = file.read_bytes(), 'trained in an earlier run'
        else:
            data, origin = (
                train_ours(Training(library, hidden, seed, known, epochs), progress).data,
                'trained in this run',
            )
            if folder is not None:
                file.write_bytes(data)
    elif model == 'shipped':
        data, origin = shipped_model().to_bytes(), model
    elif Path(model).is_file():
        data, origin = Path(model).read_bytes(), model
    else:
        raise BenchmarkError(f'--model {model}: write none, new, shipped, or an existing file')
    trained = read_model(origin, data, 'ours', hidden)
    templates = with_fingerprints(templates, known, progress, labels)
    about = {'origin': origin, 'formulas': trained.formulas, 'epochs': epochs}
    return Prepared(templates, 'cspml', load_model(data), about)
