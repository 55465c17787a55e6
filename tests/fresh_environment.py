"""A new virtual environment with an AiiDA folder of its own, for tests of what users install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class FreshEnvironment:
    """A virtual environment in an empty folder; nothing of this checkout is on its path.

    :param folder: empty; commands run here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = folder / 'venv'
        subprocess.run([sys.executable, '-m', 'venv', environment], check=True)
        self.programs = environment / 'bin'
        hidden = ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV')
        self.settings = {name: value for name, value in os.environ.items() if name not in hidden}
        self.settings |= {'AIIDA_PATH': str(folder), 'PATH': f'{self.programs}:{os.environ["PATH"]}'}

    def install(self, *packages: object) -> None:
        """Install packages with pip, PyTorch first: the build of this environment, where pip may take one with CUDA."""
        import torch

        self.run('pip', 'install', '--quiet', f'torch=={torch.__version__.partition("+")[0]}')
        for package in packages:
            self.run('pip', 'install', '--quiet', package)

    def run(self, *command: object, folder: Path | None = None) -> str:
        """What a program of the environment prints.

        :param folder: where it is started; default: that of the environment.
        """
        found = subprocess.run(
            [self.programs / str(command[0]), *map(str, command[1:])],
            env=self.settings, cwd=folder or self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert found.returncode == 0, f'{command}: {found.stdout[-3000:]} {found.stderr[-3000:]}'
        return found.stdout
