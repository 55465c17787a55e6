"""Which of the proposed crystals to compute next: acquisition, batches, initial design.

Everything here is pure except ``functions.py``, which records a selection in the provenance graph.
"""
