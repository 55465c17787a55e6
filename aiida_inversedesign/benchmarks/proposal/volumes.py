"""Errors of volumes compared with the template's own volume and pymatgen's data-mined lattice scaling (DLS)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.benchmarks.proposal.scores import median_p90
from aiida_inversedesign.chemistry.crystal import Crystal


@dataclass(frozen=True, eq=False)
class VolumeCase:
    """A built structure, the template it came from and the true structure.

    :param right: whether the template is structurally right (fingerprint distance at most 0.1).
    """

    built: Crystal
    template: Crystal
    truth: Crystal
    right: bool


def dls_volume(crystal: Crystal) -> float | None:
    """Volume by data-mined lattice scaling (Chu et al., Comput. Mater. Sci. 146, 184 (2018)), Å³; None if it fails.

    :param crystal: the new elements in the template's cell.
    """
    from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor

    try:
        with warnings.catch_warnings():
            # it warns of elements without parameters, for which it takes atomic radii
            warnings.simplefilter('ignore')
            return float(DLSVolumePredictor().predict(crystal.to_pymatgen()))
    except (ValueError, TypeError, ZeroDivisionError):
        return None


def volume_errors(cases: Sequence[VolumeCase], dls: bool = True) -> dict[str, Any]:
    """Median and 90th percentile of the relative error of the volume per atom.

    The first figures are of the structurally right ones alone, ``all_findable`` of every case.

    :param dls: whether pymatgen's prediction is computed too (about 20 ms a structure).
    """
    right = [case for case in cases if case.right]
    return {**_errors(right, dls), 'all_findable': _errors(cases, dls)}


def _errors(cases: Sequence[VolumeCase], dls: bool) -> dict[str, Any]:
    median, p90 = median_p90([_error(case.built.volume, case) for case in cases])
    template_median, template_p90 = median_p90([_error(case.template.volume, case) for case in cases])
    found: dict[str, Any] = {
        'n': len(cases), 'median': median, 'p90': p90, 'template_median': template_median, 'template_p90': template_p90,
    }  # fmt: skip
    if not cases:
        found['reason'] = 'no such structure among the first ones'
    if dls:
        predicted = [(dls_volume(case.built.scaled_to(case.template.volume)), case) for case in cases]
        known = [_error(volume, case) for volume, case in predicted if volume is not None]
        found['dls_n'] = len(known)
        found['dls_median'], found['dls_p90'] = median_p90(known)
    return found


def _error(volume: float, case: VolumeCase) -> float:
    """Relative error of a volume of the built cell."""
    truth = case.truth.volume / case.truth.nsites
    return float(np.abs(volume / case.built.nsites / truth - 1))
