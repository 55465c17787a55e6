"""Generators of molecules: a chemical language model, and the searches that use it."""
