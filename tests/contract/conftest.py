"""Codes of this machine, and crystals, for the engines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def python_code(aiida_profile_clean: Any, aiida_code_installed: Any) -> Any:
    """The interpreter that runs the tests, as a code on this machine."""
    return aiida_code_installed(label='python', filepath_executable=sys.executable)


@pytest.fixture
def pw(aiida_profile_clean: Any, tmp_path: Path) -> Any:
    """pw.x of this machine as a code, and the demo's pseudopotentials; the test is skipped without pw.x."""
    from aiida_inversedesign.cli import setup_local

    executable = setup_local.find_pw()
    if executable is None:
        pytest.skip('no pw.x on the PATH')
    computer = setup_local.make_localhost_computer(tmp_path / 'work')
    setup_local.install_debian_pbe_family(tmp_path / 'pseudos')
    return setup_local.make_pw_code(executable, computer)


@pytest.fixture
def structure(aiida_profile_clean: Any) -> Any:
    """Copper, slightly compressed."""
    from aiida.orm import StructureData
    from ase.build import bulk

    return StructureData(ase=bulk('Cu', 'fcc', 3.5))


@pytest.fixture
def library(aiida_profile_clean: Any) -> Any:
    """A data set of two entries: copper with a bulk modulus, and silicon without."""
    from ase.build import bulk

    from aiida_inversedesign.chemistry.crystal import Crystal
    from aiida_inversedesign.libraries.library import Library, Template
    from aiida_inversedesign.nodes.library_data import LibraryData

    def template(name: str, atoms: Any, **properties: float) -> Template:
        crystal = Crystal(atoms.cell[:], tuple(atoms.get_chemical_symbols()), atoms.get_scaled_positions())
        return Template(id=name, crystal=crystal, source='made up', license='CC0', properties=properties)

    entries = [
        template('copper', bulk('Cu', 'fcc', 3.5), bulk_modulus=137.0, shine=9.0),
        template('silicon', bulk('Si', 'diamond', 5.43)),
    ]
    return LibraryData.from_library(Library(entries)).store()


@pytest.fixture(scope='session')
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session."""
    return tmp_path_factory.mktemp('scratch')
