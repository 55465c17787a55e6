"""That a program does not run twice at a time, where a scheduler takes its job for ended although it goes on.

A program leaves a sign of life in its folder (``alive``: its machine and process, the file's time renewed every few
seconds). A later attempt looks into the folders of the earlier ones: while one of them lives it waits, and takes over
what that one leaves. Copied into the folder of a job beside the script that uses it. Needs Python alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

ALIVE = 'alive'
#: Seconds between two signs of life, and after how many without one a program is dead.
BEAT, DEAD = 5.0, 45.0
#: Seconds between two looks at an earlier attempt.
POLL = 2.0


@contextlib.contextmanager
def sole_attempt(earlier, results):
    """Wait until no earlier attempt runs, and live in the current folder until the block ends.

    :param earlier: folders of the earlier attempts of the same job.
    :param results: names of the files that a program leaves, the last of them JSON and written last.
    :returns: the folder whose results were taken over, or None: there is something to do.
    """
    heart = _start_to_live()
    try:
        for folder in earlier:
            while _lives(Path(folder)):
                time.sleep(POLL)
        yield next((folder for folder in earlier if _take_over(Path(folder), results)), None)
    finally:
        if heart:
            with contextlib.suppress(OSError):
                os.kill(heart, signal.SIGKILL)
                os.waitpid(heart, 0)
        with contextlib.suppress(OSError):
            os.remove(ALIVE)


def _start_to_live():
    """Leave signs of life from a process of its own, which computations in the program cannot hold up; its number."""
    program = os.getpid()
    try:
        Path(ALIVE).write_text(f'{socket.gethostname()} {program}')
        heart = os.fork()
    except OSError:
        # a full disk, no more processes: nobody will wait, and nothing is lost by it
        return None
    if heart:
        return heart
    try:
        # whoever reads the output of the program must not wait for this
        os.closerange(0, 3)
        while os.getppid() == program:
            with contextlib.suppress(OSError):
                os.utime(ALIVE)
            time.sleep(BEAT)
    finally:
        os._exit(0)


def _lives(folder):
    """Whether the program of a folder runs: it is there on this machine, or gave a sign of life on another."""
    try:
        machine, _, number = (folder / ALIVE).read_text().partition(' ')
        # by the clock of the file system, which all machines share
        os.utime(ALIVE)
        silent = os.stat(ALIVE).st_mtime - (folder / ALIVE).stat().st_mtime
    except OSError:
        return False
    if machine == socket.gethostname() and number.isdigit() and not _exists(int(number)):
        return False
    return silent < DEAD


def _exists(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _take_over(folder, results):
    """Whether a folder had results, which are copied then."""
    try:
        json.loads((folder / results[-1]).read_text())
        for name in results:
            shutil.copyfile(folder / name, name)
    except (OSError, ValueError):
        return False
    print(f'the results are those of an earlier attempt, in {folder}')
    return True
