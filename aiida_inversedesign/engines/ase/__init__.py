"""The engine ``ase``: any ASE calculator, as a job on any computer."""
