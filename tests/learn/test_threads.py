"""Linear algebra on one thread: each BLAS that NumPy and SciPy have loaded is limited."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from aiida_inversedesign.learn.threads import one_thread


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_every_openblas_of_the_process_is_limited() -> None:
    """NumPy and SciPy bring one each, under different names; one that is not recognised goes on with all cores."""
    from threadpoolctl import threadpool_info

    with one_thread():
        limited = {
            Path(pool['filepath']).name: pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'
        }
    loaded = set(re.findall(r'lib[\w-]*openblas[\w.-]*\.so[\w.]*', Path('/proc/self/maps').read_text()))
    assert loaded <= limited.keys()
    assert set(limited.values()) == {1}
