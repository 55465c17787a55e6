"""A database that is locked or away, in one sentence."""

from __future__ import annotations


def database_problem(error: BaseException) -> str:
    """What is wrong with the database of the profile, in a sentence; empty if the error is another."""
    name, module = type(error).__name__, type(error).__module__.partition('.')[0]
    if name not in ('OperationalError', 'UnreachableStorage') or module not in (
        'sqlalchemy',
        'sqlite3',
        'psycopg',
        'aiida',
    ):
        return ''
    from aiida.manage import get_manager

    found = get_manager().get_profile()
    profile = f' of the profile {found.name!r}' if found is not None else ''
    text = ' '.join(str(getattr(error, 'orig', None) or error).split())
    if 'is locked' in text:
        return f'the database{profile} is locked by another program, such as a backup: try again when that has ended'
    return f'the database{profile} does not answer ({text[:200]}): start it, or try again when it is back'
