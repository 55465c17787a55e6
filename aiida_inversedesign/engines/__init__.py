"""What evaluates candidates: one folder for each engine."""
