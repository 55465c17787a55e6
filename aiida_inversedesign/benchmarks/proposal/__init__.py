"""Measures rankings of templates on compounds whose structures are known and were held out.

The queries' formulas leave the templates and the training data first; then every ranking answers the same queries.
"""
