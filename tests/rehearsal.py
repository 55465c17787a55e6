"""A small data set and the builder of a campaign that looks its answers up in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template

#: lattice constants of cubic crystals (Å); the made-up stiffness falls with the volume of an atom
FCC = {'Cu': 3.61, 'Al': 4.05, 'Ni': 3.52, 'Pd': 3.89, 'Pt': 3.92, 'Ag': 4.09, 'Au': 4.08, 'Ir': 3.84, 'Rh': 3.80}
BCC = {'Fe': 2.87, 'W': 3.16, 'Mo': 3.15, 'Cr': 2.88, 'V': 3.03, 'Nb': 3.30, 'Ta': 3.30, 'Na': 4.29, 'K': 5.33}


def make_library() -> Library:
    """Eighteen elements with a ``stiffness`` in GPa."""
    templates = []
    for symbol, a in (*FCC.items(), *BCC.items()):
        if symbol in FCC:
            lattice = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
        else:
            lattice = a / 2 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
        crystal = Crystal(lattice, (symbol,), np.zeros((1, 3)))
        templates.append(
            Template(symbol, crystal, 'made up', 'CC0', properties={'stiffness': 3000 / crystal.volume, 'index': 1.0})
        )
    return Library(templates)


def make_python_code(folder: Path, plugin: str | None = None, poll_interval: float = 0.1) -> Any:
    """The stored code of this interpreter on this machine, as ``python@localhost``.

    :param folder: of the jobs. :param plugin: entry point of the calculation it is for.
    :param poll_interval: seconds between two looks at the jobs.
    """
    from aiida.orm import InstalledCode

    from aiida_inversedesign.cli.setup_local import make_localhost_computer

    return InstalledCode(
        label='python',
        computer=make_localhost_computer(folder, poll_interval=poll_interval),
        filepath_executable=sys.executable,
        default_calc_job_plugin=plugin,
    ).store()


@pytest.fixture
def campaign(aiida_profile_clean: Any) -> Callable[..., tuple[Any, Any]]:
    """Builder and specification of a campaign on the data set; sections can be changed."""
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.workchains.build import build_campaign

    LibraryData.from_library(make_library(), label='metals').store()

    def make(**sections: Any) -> tuple[Any, Any]:
        data = {
            'name': 'rehearsal',
            'seed': 5,
            'goal': {'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 250}]},
            'propose': {'library': 'metals', 'method': 'library'},
            'select': {'initial': 4, 'batch': 2},
            'evaluate': {'engine': 'table', 'data': 'metals', 'units': {'stiffness': 'GPa'}},
            'budget': {'evaluations': 8},
        }
        for name, section in sections.items():
            data[name] = {**data[name], **section} if isinstance(data.get(name), dict) else section
        spec = validate_campaign(data)
        return build_campaign(spec), spec

    return make
