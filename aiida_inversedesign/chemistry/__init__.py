"""Elements, formulas, crystals and their descriptors. Imports no aiida."""
