"""Sphinx configuration."""

project = 'aiida-inversedesign'
author = 'The aiida-inversedesign developers'
extensions = ['myst_parser']
myst_enable_extensions = ['colon_fence']
html_theme = 'furo'
exclude_patterns = ['_build']
