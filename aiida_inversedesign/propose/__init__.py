"""Which crystals could be computed: template libraries, CSPML ranking, volumes and filters.

Everything here is pure except ``functions.py``, which records a proposal in the provenance graph.
"""
