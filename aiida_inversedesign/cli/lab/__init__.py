"""The commands of a campaign whose candidates are measured elsewhere."""
