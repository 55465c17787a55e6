"""The engine contract and its engines: what computes the properties of one crystal."""
