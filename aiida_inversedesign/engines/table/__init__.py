"""The engine ``table``: answers looked up in a data set, for rehearsals, benchmarks and tests."""
