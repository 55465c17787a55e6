"""Bayesian inference of the parameters of physical models from data (docs/physics.md). Imports no aiida."""
