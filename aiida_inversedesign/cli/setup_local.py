"""What a campaign on this machine needs: pw.x, a computer, a code and PBE pseudopotentials.

Importing needs no profile; the functions that make nodes import aiida themselves and need a loaded one.
"""

from __future__ import annotations

import gzip
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida.orm import Computer, InstalledCode
    from aiida_pseudo.groups.family.cutoffs import CutoffsPseudoPotentialFamily

#: the version of PyPI's qepy whose wheel carries a serial pw.x (7.2)
QEPY = 'qepy==7.2.0'

#: where Debian's quantum-espresso-data puts its pseudopotentials, and the gzipped ones of its examples
FOLDERS = ('usr/share/espresso/pseudo', 'usr/share/doc/quantum-espresso/examples/PP/simple_transport/scf')

#: as root Open MPI refuses to start even a serial pw.x; more than one thread a process only slows small cells down
PREPEND = 'export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1'


class LocalSetupError(InverseDesignError):
    """Something this machine lacks, with what to install."""


@dataclass(frozen=True)
class Pseudopotential:
    """A PBE pseudopotential of Debian's ``quantum-espresso-data`` with the cutoffs chosen for it, in Ry."""

    filename: str
    cutoff_wfc: float
    cutoff_rho: float


#: B, C, N and Si: chosen by examples/convergence.py (docs/convergence.md). The others: what the file itself suggests,
#: not tested further; at least 40 Ry, as Ge's own 17 Ry and O's 38 Ry are for other purposes.
PSEUDOPOTENTIALS: dict[str, Pseudopotential] = {
    'H': Pseudopotential('H.pbe-kjpaw.UPF', 46, 201),
    'B': Pseudopotential('B.pbe-n-kjpaw_psl.1.0.0.UPF', 45, 180),
    'C': Pseudopotential('C.pbe-n-kjpaw_psl.0.1.UPF', 40, 160),
    'N': Pseudopotential('N.pbe-n-kjpaw_psl.1.0.0.UPF', 45, 180),
    'O': Pseudopotential('O.pbe-kjpaw.UPF', 45, 180),
    'Si': Pseudopotential('Si.pbe-nl-rrkjus_psl.1.0.0.UPF', 35, 140),
    'Cr': Pseudopotential('Cr.pbe-spn-kjpaw_psl.1.0.0.UPF', 48, 457),
    'Fe': Pseudopotential('Fe.pbe-spn-rrkjus_psl.0.2.1.UPF', 64, 782),
    'Ni': Pseudopotential('Ni.pbe-spn-kjpaw_psl.1.0.0.UPF', 75, 476),
    'Cu': Pseudopotential('Cu.pbe-kjpaw.UPF', 47, 189),
    'Ga': Pseudopotential('Ga.pbe-dn-kjpaw_psl.0.2.upf', 45, 360),
    'Ge': Pseudopotential('Ge.pbe-kjpaw.UPF', 40, 320),
    'As': Pseudopotential('As.pbe-n-kjpaw_psl.0.2.upf', 40, 320),
    'I': Pseudopotential('I.pbe-n-kjpaw_psl.1.0.0.UPF', 40, 160),
}


def make_profile(name: str) -> None:
    """A profile of this name in the AiiDA folder of this process: SQLite and AiiDA's own broker, no services.

    :raises LocalSetupError: if it cannot be made.
    """
    verdi = [sys.executable, '-m', 'aiida', 'presto', '--profile-name', name, '--use-zeromq', '--non-interactive']
    made = subprocess.run(verdi, capture_output=True, text=True, check=False)  # noqa: S603
    if made.returncode != 0:
        raise LocalSetupError(f'the profile could not be made:\n{made.stdout}{made.stderr}')


def find_pw() -> Path | None:
    """The pw.x on the PATH, or None."""
    found = shutil.which('pw.x')
    return Path(found).resolve() if found else None


def install_qepy(folder: Path) -> Path:
    """A serial pw.x 7.2 from PyPI in a virtual environment of its own (its NumPy is older than ours).

    :param folder: made if missing; an environment that is already there and works is used again.
    :returns: the script to register as the executable.
    :raises LocalSetupError: if pip cannot install it or the result does not start.
    """
    folder = folder.resolve()
    python, script = folder / 'env' / 'bin' / 'python', folder / 'pw.x'
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for command in (
            [sys.executable, '-m', 'venv', str(folder / 'env')],
            [str(python), '-m', 'pip', 'install', '--quiet', QEPY],
        ):
            _run(command, f'pw.x is missing and {QEPY} could not be installed from PyPI')
        # jobs on this machine inherit the daemon's PYTHONPATH, which would load our NumPy instead of qepy's
        script.write_text(
            f'#!/bin/sh\nunset PYTHONPATH PYTHONHOME\nexec {shlex.quote(str(python))} -s -m qepy --pw.x "$@"\n'
        )
        script.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key not in ('PYTHONPATH', 'PYTHONHOME')}
    test = subprocess.run(  # noqa: S603
        [str(python), '-s', '-c', 'import qepy'], env=environment, capture_output=True, text=True, check=False
    )
    if test.returncode != 0:
        script.unlink()
        raise LocalSetupError(
            f'{QEPY} does not start on this machine ({_last_line(test.stderr)}). '
            'Install Quantum ESPRESSO instead, e.g. apt install quantum-espresso'
        )
    return script


def _run(command: list[str], failure: str, cwd: Path | None = None) -> None:
    """Run a command; a failure becomes a :class:`LocalSetupError` with the last line of what it said."""
    try:
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise LocalSetupError(f'{failure}: {error}') from error
    if result.returncode != 0:
        raise LocalSetupError(f'{failure}: {_last_line(result.stderr or result.stdout)}')


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ['no message'])[-1]


def make_localhost_computer(workdir: Path, label: str = 'localhost', poll_interval: float = 0.5) -> Computer:
    """This machine as an AiiDA computer without a scheduler; one of that label is used and set to this interval.

    :param workdir: where the jobs run.
    :param poll_interval: seconds between two looks at the running jobs.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        computer = orm.Computer.collection.get(label=label)
    except NotExistent:
        computer = orm.Computer(
            label=label,
            hostname='localhost',
            description='this machine, without a scheduler',
            transport_type='core.local',
            scheduler_type='core.direct',
            workdir=str(workdir.resolve()),
        ).store()
    computer.set_minimum_job_poll_interval(poll_interval)
    computer.set_default_mpiprocs_per_machine(1)
    computer.configure(safe_interval=0.0, use_login_shell=False)
    return computer


def make_pw_code(executable: Path, computer: Computer, label: str = 'pw') -> InstalledCode:
    """The code ``label`` on the computer for an executable, or the one registered before for the same executable.

    :raises LocalSetupError: if that label belongs to another executable.
    """
    return _code(label, executable, computer, 'quantumespresso.pw', PREPEND)


def make_density_codes(computer: Computer) -> list[InstalledCode]:
    """The codes ``dos`` and ``projwfc`` on the computer, of those that are on the PATH.

    :raises LocalSetupError: if a label belongs to another executable.
    """
    found = {name: shutil.which(f'{name}.x') for name in ('dos', 'projwfc')}
    return [
        _code(name, Path(path).resolve(), computer, f'quantumespresso.{name}', PREPEND)
        for name, path in found.items()
        if path
    ]


def _code(label: str, executable: Path, computer: Computer, plugin: str, prepend: str) -> InstalledCode:
    """A code without MPI, made or found."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        found: Any = orm.load_code(f'{label}@{computer.label}')
    except NotExistent:
        code = orm.InstalledCode(
            label=label,
            computer=computer,
            filepath_executable=str(executable),
            default_calc_job_plugin=plugin,
            prepend_text=prepend,
            with_mpi=False,
        )
        code.store()
        return code
    if str(found.filepath_executable) != str(executable):
        raise LocalSetupError(
            f'the code {label}@{computer.label} is already {found.filepath_executable}: choose another label'
        )
    return found


def make_python_code(computer: Computer, label: str = 'python') -> InstalledCode:
    """The code ``label`` on the computer for this interpreter, or the one registered before.

    :raises LocalSetupError: if that label belongs to another executable.
    """
    return _code(label, Path(sys.executable), computer, 'inversedesign.potential', 'export OMP_NUM_THREADS=1')


def debian_pseudopotentials(download: Path) -> dict[str, Path]:
    """Where each pseudopotential of :data:`PSEUDOPOTENTIALS` lies: installed by Debian, or fetched with apt.

    Without the package ``quantum-espresso-data`` it is downloaded and unpacked under ``download``, which needs neither
    root nor an installation. (The wheel of qepy carries no pseudopotentials.)

    :returns: element → file, gzipped files included.
    :raises LocalSetupError: if the package is neither installed nor to be had.
    """
    for root in (Path('/'), download / 'root'):
        if found := _pseudopotentials_below(root):
            return found
    download.mkdir(parents=True, exist_ok=True)
    failure = (
        "there are no pseudopotentials: Debian's quantum-espresso-data is not installed and could not be downloaded "
        '(apt install quantum-espresso-data, or give your own family: aiida-pseudo install pseudo-dojo -f upf)'
    )
    _run(['apt-get', 'download', 'quantum-espresso-data'], failure, cwd=download)
    package = max(download.glob('quantum-espresso-data_*.deb'), default=None)
    if package is None:
        raise LocalSetupError(failure)
    _run(['dpkg', '-x', package.name, 'root'], failure, cwd=download)
    found = _pseudopotentials_below(download / 'root')
    if not found:
        raise LocalSetupError(f'{package.name} does not hold the expected files: install the package of Debian 12')
    return found


def _pseudopotentials_below(root: Path) -> dict[str, Path]:
    """Element → file below a root folder; empty unless B, C, N and Si are there."""
    found: dict[str, Path] = {}
    for element, pseudo in PSEUDOPOTENTIALS.items():
        for folder in FOLDERS:
            for name in (pseudo.filename, f'{pseudo.filename}.gz'):
                path = root / folder / name
                if path.is_file():
                    found.setdefault(element, path)
    return found if {'B', 'C', 'N', 'Si'} <= found.keys() else {}


def install_debian_pbe_family(download: Path, label: str = 'debian-pbe') -> CutoffsPseudoPotentialFamily:
    """A pseudopotential family of Debian's PBE files with the cutoffs of :data:`PSEUDOPOTENTIALS`.

    The family of that label is returned if there is one.

    :param download: where the Debian package is unpacked if it is not installed.
    :raises LocalSetupError: see :func:`debian_pseudopotentials`.
    """
    from aiida.common.exceptions import NotExistent
    from aiida.plugins import DataFactory, GroupFactory

    group: Any = GroupFactory('pseudo.family.cutoffs')
    try:
        return group.collection.get(label=label)
    except NotExistent:
        files = debian_pseudopotentials(download)
    with tempfile.TemporaryDirectory() as folder:
        for path in files.values():
            content = gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()
            (Path(folder) / path.name.removesuffix('.gz')).write_bytes(content)
        family = group.create_from_folder(
            Path(folder),
            label,
            description="PBE pseudopotentials of Debian's quantum-espresso-data; cutoffs: docs/convergence.md",
            pseudo_type=DataFactory('pseudo.upf'),
        )
    family.set_cutoffs(
        {
            element: {
                'cutoff_wfc': PSEUDOPOTENTIALS[element].cutoff_wfc,
                'cutoff_rho': PSEUDOPOTENTIALS[element].cutoff_rho,
            }
            for element in files
        },
        'normal',
        unit='Ry',
    )
    return family
