"""Sphinx configuration."""

import logging
import os
import sys
import tempfile
from pathlib import Path

# importing aiida makes a configuration folder: not in the user's home
os.environ.setdefault('AIIDA_PATH', tempfile.mkdtemp(prefix='inversedesign-docs-'))
sys.path.insert(0, str(Path(__file__).parent))

# AiiDA's database library reports every plugin of its own
logging.getLogger('alembic').setLevel(logging.WARNING)

project = 'aiida-inversedesign'
author = 'The aiida-inversedesign developers'
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx_click', 'reference']
myst_enable_extensions = ['colon_fence', 'deflist']
myst_heading_anchors = 3
html_theme = 'furo'
html_title = project
html_static_path = ['_static']
html_css_files = ['site.css']
exclude_patterns = ['_build']
smartquotes = False
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
