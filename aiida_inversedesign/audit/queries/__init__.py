"""Questions to the provenance graph, one subject a file: with ``query.py`` the only place that uses QueryBuilder."""
