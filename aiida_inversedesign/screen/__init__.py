"""Cheap verdicts on candidates before anything is evaluated. Imports no aiida."""
