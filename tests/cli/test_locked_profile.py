"""Commands that meet a database that is locked or away say so in one sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import call
from sqlalchemy.exc import OperationalError

from aiida_inversedesign.cli.common import database_problem


@contextmanager
def locked(profile: Any, kind: str) -> Iterator[None]:
    from aiida.manage import get_manager

    # the tests' own session must not hold a lock itself, and must not wait for long
    session = get_manager().get_profile_storage().get_session()
    session.connection().exec_driver_sql('PRAGMA busy_timeout=100')
    session.rollback()
    path = Path(profile.storage_config['filepath']) / 'database.sqlite'
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f'BEGIN {kind}')
    yield
    database.execute('ROLLBACK')
    database.close()
    session.rollback()
    session.connection().exec_driver_sql('PRAGMA busy_timeout=5000')


CAMPAIGN = """\
name: locked
seed: 1
goal: {objectives: [{property: stiffness, maximize: true}]}
propose: {library: metals, method: library}
evaluate: {engine: table, data: metals, units: {stiffness: GPa}}
budget: {evaluations: 2}
"""


@pytest.mark.parametrize(
    ('kind', 'arguments'),
    [
        ('EXCLUSIVE', ('status',)),
        ('EXCLUSIVE', ('status', '1')),
        ('EXCLUSIVE', ('status', '1', '--watch')),
        ('EXCLUSIVE', ('launch', 'campaign.yaml')),
        ('EXCLUSIVE', ('check', 'campaign.yaml')),
        ('EXCLUSIVE', ('audit', '1')),
        ('EXCLUSIVE', ('doctor',)),
        ('IMMEDIATE', ('library', 'import', 'csv', 'points.csv', '--label', 'points')),
    ],
    ids=lambda item: item if isinstance(item, str) else ' '.join(item),
)
def test_a_locked_database_is_told_in_one_sentence(
    campaign: Any, aiida_profile: Any, tmp_path: Path, kind: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / 'campaign.yaml').write_text(CAMPAIGN)
    (tmp_path / 'points.csv').write_text(
        'lattice,species,frac_coords\n"[[3,0,0],[0,3,0],[0,0,3]]","[""Cu""]","[[0,0,0]]"\n'
    )
    full = [str(tmp_path / item) if item.endswith(('.yaml', '.csv')) else item for item in arguments]
    with locked(aiida_profile, kind):
        done = call(*full)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    (line,) = [line for line in done.output.splitlines() if line.strip()]
    assert line.startswith('Error: the database of the profile')
    assert 'is locked by another program' in line


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('database is locked', 'is locked by another program'),
        ('connection to server at "127.0.0.1", port 5432 failed: Connection refused', 'does not answer'),
        ('server closed the connection unexpectedly\n\tThis probably means the server terminated', 'does not answer'),
        ('the database system is starting up', 'does not answer'),
    ],
)
def test_the_sentence_says_whether_it_is_locked_or_away(text: str, words: str) -> None:
    sentence = database_problem(OperationalError('SELECT 1', {}, Exception(text)))
    assert words in sentence
    assert '\n' not in sentence


def test_other_errors_are_no_matter_of_the_database() -> None:
    assert database_problem(ValueError('database is locked')) == ''
