"""How long the audit of a large campaign takes: a synthetic campaign and the measurement."""
