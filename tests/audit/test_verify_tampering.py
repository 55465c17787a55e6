"""All ten kinds of tampering, with the hashes left and made to fit (``tests/benchmark/tampering.py``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_all_ten_are_found_by_their_names(tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[1] / 'benchmark' / 'tampering.py'
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert 'NOT FOUND' not in done.stdout
