"""Molecules by their canonical SMILES: what they are, how they are described, which belong to a space."""
