"""The models of one property, one kind a file. Imports no aiida."""
