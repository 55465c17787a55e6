"""Properties that are functions of an axis: curves, and the numbers that a goal may ask of them. Imports no aiida."""
