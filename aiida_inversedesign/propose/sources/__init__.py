"""Where candidates come from: one source a file, the base of those for formulas, and their mixture."""
