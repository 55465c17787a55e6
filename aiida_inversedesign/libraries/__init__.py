"""Template libraries and their importers. Imports no aiida."""
