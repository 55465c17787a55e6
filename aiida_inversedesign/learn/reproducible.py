"""Run torch so that the same inputs give the same numbers whatever the machine is doing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """One thread and a seeded generator inside; the caller's threads and generator are as before afterwards.

    Sums over several threads depend on their number in the last digits, which an optimiser can magnify; and at the
    size of these problems one thread is faster than several on a machine that is busy with DFT.
    """
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
