"""The commands: ``aiida-inversedesign …``, and the same tree as ``verdi data inversedesign …``.

One file per command group; each is imported when one of its commands is called, so that ``--help`` is fast.
"""

from aiida_inversedesign.cli.root import cli

__all__ = ('cli',)
