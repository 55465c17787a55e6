"""Random crystals of space groups and Wyckoff positions, drawn as often as a library has them. Imports no aiida."""
