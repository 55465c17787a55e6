"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ['aiida.tools.pytest_fixtures']


@pytest.fixture(scope='session')
def shared() -> Path:
    """The folder of shared data (real structures, pseudopotentials); tests that need it are skipped without it."""
    folder = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[2] / 'shared'))
    if not (folder / 'data').is_dir():
        pytest.skip(f'no shared data at {folder}: set INVERSEDESIGN_SHARED')
    return folder
