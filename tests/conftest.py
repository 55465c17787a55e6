"""Fixtures that every test may use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# importing aiida makes a configuration folder: not in the user's home
os.environ.setdefault('AIIDA_PATH', tempfile.mkdtemp(prefix='inversedesign-tests-'))

pytest_plugins = ['aiida.tools.pytest_fixtures']


@pytest.fixture(scope='session')
def shared() -> Path:
    """The folder of shared data (real structures, pseudopotentials); tests that need it are skipped without it."""
    folder = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[2] / 'shared'))
    if not (folder / 'data').is_dir():
        pytest.skip(f'no shared data at {folder}: set INVERSEDESIGN_SHARED')
    return folder
