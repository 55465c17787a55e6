"""Work in several processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

Given = TypeVar('Given')
Found = TypeVar('Found')

#: One thread in each process: the processes share the cores, and sums do not depend on the number of threads.
ONE_THREAD = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMBA_NUM_THREADS'), '1')


@contextmanager
def processes(
    jobs: int,
    begin: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
    threads: Mapping[str, str] = ONE_THREAD,
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes; what waits is dropped if the block ends by an exception, an interruption included.

    A script that asks for several jobs does so below ``if __name__ == '__main__':``.

    :param begin: called with ``arguments`` once in each process.
    :param threads: environment of the processes beside that of this one.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)
    try:
        # a forked process would inherit the threads of torch, and locks of numba and BLAS, in an undefined state
        pool = ProcessPoolExecutor(jobs, get_context('spawn'), begin, arguments)
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def mapped(
    function: Callable[[Given], Found], items: Sequence[Given], jobs: int, chunksize: int = 1
) -> Iterator[Found]:
    """The results of a module's function, in the order of the items; with several jobs from as many processes."""
    if jobs <= 1 or len(items) < 2:
        yield from map(function, items)
        return
    with processes(min(jobs, len(items))) as pool:
        yield from pool.map(function, items, chunksize=chunksize)
