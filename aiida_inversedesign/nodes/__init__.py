"""The node types of a campaign: library, CSPML model, pool, table and surrogate."""
