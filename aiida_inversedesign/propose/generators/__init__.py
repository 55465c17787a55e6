"""Where new formulas come from: enumeration, the inverse of a descriptor, evolution, tree search, and mixes of them.

Every generator answers the same :class:`~.base.Request` with formulas; CSPML then finds the crystals. Imports no aiida.
"""
