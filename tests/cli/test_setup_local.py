"""Setting this machine up."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.cli import setup_local
from aiida_inversedesign.cli.setup_local import FOLDERS, PSEUDOPOTENTIALS


def unpacked(root: Path) -> Path:
    """A folder as the Debian package would leave it, with made-up files."""
    for pseudo in PSEUDOPOTENTIALS.values():
        folder = root / FOLDERS[pseudo.filename.endswith('.upf')]
        folder.mkdir(parents=True, exist_ok=True)
        if pseudo.filename.endswith('.upf'):
            (folder / f'{pseudo.filename}.gz').write_bytes(gzip.compress(b'upf'))
        else:
            (folder / pseudo.filename).write_text('upf')
    return root


def test_find_pw_looks_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    assert setup_local.find_pw() is None
    (tmp_path / 'pw.x').write_text('#!/bin/sh\n')
    (tmp_path / 'pw.x').chmod(0o755)
    assert setup_local.find_pw() == (tmp_path / 'pw.x').resolve()


def test_an_unpacked_package_is_used_again(tmp_path: Path) -> None:
    root = unpacked(tmp_path / 'root')
    found = setup_local._pseudopotentials_below(root)
    assert set(found) == set(PSEUDOPOTENTIALS)
    (root / FOLDERS[0] / PSEUDOPOTENTIALS['C'].filename).unlink()
    assert setup_local._pseudopotentials_below(root) == {}


def test_without_pseudopotentials_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_local, '_pseudopotentials_below', lambda root: {})
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(setup_local.LocalSetupError, match='apt install quantum-espresso-data'):
        setup_local.debian_pseudopotentials(tmp_path / 'download')


def test_qepy_that_cannot_be_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_local.sys, 'executable', '/bin/false')
    with pytest.raises(setup_local.LocalSetupError, match=r'qepy==7\.2\.0 could not be installed'):
        setup_local.install_qepy(tmp_path / 'qepy')


def test_computer_code_and_names_are_made_once(aiida_profile_clean: Any, tmp_path: Path) -> None:
    computer = setup_local.make_localhost_computer(tmp_path, label='here')
    assert setup_local.make_localhost_computer(tmp_path, label='here').uuid == computer.uuid
    assert computer.get_minimum_job_poll_interval() == 0.5
    assert computer.get_configuration() == {'use_login_shell': False, 'safe_interval': 0.0}
    code = setup_local.make_pw_code(Path('/usr/bin/true'), computer)
    assert setup_local.make_pw_code(Path('/usr/bin/true'), computer).uuid == code.uuid
    assert 'OMP_NUM_THREADS=1' in code.prepend_text
    with pytest.raises(setup_local.LocalSetupError, match='already /usr/bin/true'):
        setup_local.make_pw_code(Path('/usr/bin/false'), computer)


@pytest.mark.pw
def test_family_of_the_installed_package(aiida_profile_clean: Any, tmp_path: Path) -> None:
    family = setup_local.install_debian_pbe_family(tmp_path)
    assert {'B', 'C', 'N', 'Si', 'Ga', 'Ge', 'As'} <= set(family.elements)
    assert family.get_recommended_cutoffs(elements=('B', 'C'), unit='Ry') == pytest.approx((45, 180))
    assert setup_local.install_debian_pbe_family(tmp_path).uuid == family.uuid
