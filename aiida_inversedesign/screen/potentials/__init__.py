"""Interatomic potentials that look at candidates before DFT does. Imports no aiida."""
