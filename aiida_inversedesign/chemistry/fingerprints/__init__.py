"""Structure fingerprints: local order parameters of all sites, and their statistics. Imports no aiida."""
