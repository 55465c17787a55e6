"""Surrogates of properties that are functions of an axis: whole curves from descriptors. Imports no aiida."""
