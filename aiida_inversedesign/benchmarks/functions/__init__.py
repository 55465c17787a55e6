"""How well surrogates predict properties that are functions of an axis."""
