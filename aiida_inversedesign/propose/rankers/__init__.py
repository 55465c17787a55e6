"""Rankings of the templates of a formula. Imports no aiida."""
