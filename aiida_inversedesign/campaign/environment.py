"""Which code took a decision: a digest of the package's files, and the versions of the libraries that compute.

Work chains record it when they are made, so that ``verify`` can tell a result that other code gave from one that does
not follow from its inputs. The version of the package alone cannot: it stays the same between two releases.
"""

from __future__ import annotations

import functools
import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aiida_inversedesign.campaign.contracts.registry import packages

#: Attribute of a work chain's node that holds it.
ATTRIBUTE = 'environment'
#: Libraries whose versions can change a number.
LIBRARIES = (
    *('ase', 'ase-ga', 'botorch', 'emcee', 'gpytorch', 'icet', 'numba', 'numpy', 'pymatgen', 'pyxtal', 'rdkit'),
    *('scikit-learn', 'scipy', 'selfies', 'spglib', 'torch'),
)
#: Folders and files that take no part in a decision: what reads campaigns afterwards, and what measures.
OUTSIDE = frozenset({'__pycache__', 'audit', 'benchmarks', 'cli', 'explain', 'paper', 'report', 'tools.py', 'verify'})


def source_digest(package: Path, outside: frozenset[str] = OUTSIDE) -> str:
    """SHA-256 of the names and contents of a package's files, code and tables, shortened to 16 digits.

    :param outside: names of folders that are left out.
    """
    digest = hashlib.sha256()
    files = {file.relative_to(package).as_posix(): file for file in package.rglob('*')}
    for name in sorted(files):
        if outside.isdisjoint(name.split('/')) and files[name].is_file():
            content = hashlib.sha256(files[name].read_bytes()).hexdigest()
            digest.update(f'{name} {content}\n'.encode())
    return digest.hexdigest()[:16]


@functools.cache
def _here() -> dict[str, Any]:
    libraries = {'python': platform.python_version()}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    # packages of others that bring parts decide, too
    return {'code': source_digest(Path(__file__).resolve().parents[1]), 'libraries': {**libraries, **packages()}}


def environment() -> dict[str, Any]:
    """Digest of the code (``code``) and versions by library (``libraries``), as they are in this process."""
    here = _here()
    return {'code': here['code'], 'libraries': dict(here['libraries'])}


def difference(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two environments, in words; what one of them does not know is not compared."""
    words = []
    one, other = recorded.get('code'), here.get('code')
    if one and other and one != other:
        words.append(f'code of aiida-inversedesign with digest {one} (here {other})')
    earlier, now = recorded.get('libraries') or {}, here.get('libraries') or {}
    words += [f'{name} {old} (here {now[name]})' for name, old in earlier.items() if now.get(name, old) != old]
    return words
