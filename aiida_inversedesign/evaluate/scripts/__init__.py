"""The programs that run inside the jobs of the ``ase`` and ``table`` engines; they import nothing of this package."""
