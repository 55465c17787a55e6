"""The volume of a formula in a template. Imports no aiida."""
