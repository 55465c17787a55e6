"""Training of the models that rank templates and predict volumes. Imports no aiida."""
