"""Which candidates could be evaluated: CSPML ranking, volumes, generators of formulas. Imports no aiida."""
