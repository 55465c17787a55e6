"""What the evaluations so far teach: the table of evaluations and the surrogates fitted to it.

Everything here is pure except ``functions.py``, which records harvests and fits in the provenance graph.
"""
