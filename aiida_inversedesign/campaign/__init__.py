"""The campaign file: goal, space, budget and stop rules, as checked data. Imports no aiida."""
