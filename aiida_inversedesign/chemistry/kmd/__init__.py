"""Kernel mean descriptors of formulas, and the way back from a descriptor to formulas. Imports no aiida."""
