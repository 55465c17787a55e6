"""What the evaluations so far teach: surrogates of properties and of failures. Imports no aiida."""
