"""Crystals: formulas of elements and ratios, descriptors, symmetry and matching."""
