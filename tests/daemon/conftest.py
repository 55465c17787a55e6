"""The daemon is started by ``verdi``: here by that of the interpreter that runs the tests, whatever the PATH says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope='session', autouse=True)
def verdi_of_this_interpreter() -> None:
    """Put the interpreter's folder on the PATH; AiiDA looked for ``verdi`` when it was imported."""
    from aiida.engine.daemon import client

    folder = Path(sys.executable).parent
    os.environ['PATH'] = f'{folder}{os.pathsep}{os.environ["PATH"]}'
    client.VERDI_BIN = str(folder / 'verdi')
