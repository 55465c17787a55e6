"""``library``: import, list, show, merge and export template libraries."""
