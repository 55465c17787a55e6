"""What a part of each station must say of itself, and how parts of installed packages are found. Imports no aiida."""
