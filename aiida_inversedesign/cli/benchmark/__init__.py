"""``benchmark``: the comparisons of the documentation, run again."""
