"""Compares generators of molecules with each other, and regressions of their properties."""
