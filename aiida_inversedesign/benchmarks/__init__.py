"""Comparisons and measurements: one folder for each benchmark."""
