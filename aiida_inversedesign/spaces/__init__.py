"""What a candidate is: one folder for each kind of space. Imports no aiida."""
