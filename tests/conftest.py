"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# importing aiida makes a configuration folder: not in the user's home
OWN_FOLDER = None if 'AIIDA_PATH' in os.environ else tempfile.mkdtemp(prefix='inversedesign-tests-')
if OWN_FOLDER:
    os.environ['AIIDA_PATH'] = OWN_FOLDER

#: For runs of many short processes (`make mutants`), of tests that need no profile.
NO_PROFILE = 'INVERSEDESIGN_NO_PROFILE' in os.environ

# how long an example takes says nothing on a busy machine
settings.register_profile('no deadline', deadline=None)
settings.register_profile('few', deadline=None, max_examples=20)
settings.load_profile('few' if NO_PROFILE else 'no deadline')

pytest_plugins = ['rehearsal'] if NO_PROFILE else ['aiida.tools.pytest_fixtures', 'rehearsal']


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    if OWN_FOLDER:
        shutil.rmtree(OWN_FOLDER, ignore_errors=True)


@pytest.fixture(scope='session')
def shared() -> Path:
    """The folder of shared data (real structures, pseudopotentials); tests that need it are skipped without it."""
    folder = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[2] / 'shared'))
    if not (folder / 'data').is_dir():
        pytest.skip(f'no shared data at {folder}: set INVERSEDESIGN_SHARED')
    return folder


@contextmanager
def kept_tasks():
    """AiiDA's own runner keeps the tasks of its processes, as that of our foreground does."""
    from aiida.engine.runners import Runner

    from aiida_inversedesign.workchains.foreground import keep_tasks

    begin = Runner.__init__

    def keeping(self, *arguments, **options):
        begin(self, *arguments, **options)
        keep_tasks(self.loop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, '__init__', keeping)
        yield


@pytest.fixture(scope='session', autouse=True)
def aiida_profile(request):
    """The temporary profile of all tests: SQLite, with AiiDA's own broker so that a daemon can run."""
    if NO_PROFILE:
        yield None
        return
    aiida_config = request.getfixturevalue('aiida_config')
    aiida_profile_factory = request.getfixturevalue('aiida_profile_factory')
    # on a busy machine the daemon answers late
    aiida_config.set_option('daemon.timeout', 60)
    with aiida_profile_factory(aiida_config, broker_backend='core.zeromq') as profile, kept_tasks():
        yield profile
