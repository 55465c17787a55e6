"""The acquisitions, one family a file. Imports no aiida."""
