"""What the engine of a campaign itself costs."""
