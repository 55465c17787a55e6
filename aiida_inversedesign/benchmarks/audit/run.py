"""Times the audit of a synthetic campaign: each step in an interpreter of its own, with a profile of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiida_inversedesign.errors import InverseDesignError

#: Seconds after which the walk over ``called_descendants`` stops at the next generation; the rest is extrapolated.
WALK_SECONDS = 10.0


class BenchmarkError(InverseDesignError):
    """What the measurement needs is not there."""


def benchmark_audit(evaluations: int, backend: str = 'sqlite', seed: int = 0, walk: bool = True) -> dict[str, Any]:
    """Make a synthetic campaign in a temporary profile, and time its audit and a walk over its descendants.

    ``audit_seconds`` is the audit with its queries in a fresh interpreter, imports left out; ``process_seconds`` all
    that this interpreter took, and ``peak_mb`` its largest memory.

    :param backend: ``sqlite`` or ``postgresql`` (which needs its programs and the package pgtest).
    """
    with tempfile.TemporaryDirectory(prefix='inversedesign-') as folder, _storage(backend, Path(folder)) as storage:
        task = {'folder': folder, 'storage': storage, 'evaluations': evaluations, 'seed': seed}
        made = _step('make', task)
        begun = time.perf_counter()
        audited = _step('audit', {**task, **made})
        audited['process_seconds'] = time.perf_counter() - begun
        walked = _step('walk', {**task, **made}) if walk else {'walk_seconds': None}
    result = {'evaluations': evaluations, 'backend': backend, **audited, **walked, 'make_seconds': made['seconds']}
    if result['walk_seconds'] is not None:
        result['times_faster'] = result['walk_seconds'] / result['audit_seconds']
    return result


@contextmanager
def _storage(backend: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The storage of a temporary profile as AiiDA's configuration names it."""
    if backend == 'sqlite':
        yield {'backend': 'core.sqlite_dos', 'config': {'filepath': str(folder / 'storage')}}
        return
    try:
        from pgtest.pgtest import PGTest
    except ImportError as error:
        raise BenchmarkError('--backend postgresql needs the package pgtest: pip install pgtest') from error
    from aiida.manage.external.postgres import Postgres

    try:
        cluster = PGTest()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise BenchmarkError(
            f'no PostgreSQL server could be started ({error}): are its programs on the PATH? It refuses to run as root'
        ) from error
    try:
        postgres = Postgres(interactive=False, quiet=True, dbinfo=cluster.dsn)
        postgres.create_dbuser('audit', 'audit', 'CREATEDB')
        # create_db wants the locale en_US.UTF-8, which not every machine has
        postgres.execute(
            "CREATE DATABASE audit OWNER audit ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        yield {
            'backend': 'core.psql_dos',
            'config': {
                'database_engine': 'postgresql_psycopg',
                'database_name': 'audit',
                'database_username': 'audit',
                'database_password': 'audit',
                'database_hostname': postgres.host_for_psycopg,
                'database_port': postgres.port_for_psycopg,
                'repository_uri': (folder / 'repository').as_uri(),
            },
        }
    finally:
        cluster.close()


def _step(name: str, task: dict[str, Any]) -> dict[str, Any]:
    environment = {**os.environ, 'AIIDA_PATH': task['folder']}
    done = subprocess.run(  # noqa: S603  # this interpreter, on this file
        [sys.executable, '-m', 'aiida_inversedesign.benchmarks.audit.worker', name, json.dumps(task)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f'the step {name} of the measurement failed: {done.stderr.strip()[-1500:]}')
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
