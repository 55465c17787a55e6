"""How good an interatomic potential is on crystals whose properties are known, and what it costs."""
