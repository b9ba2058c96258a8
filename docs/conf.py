"""Sphinx configuration: MyST pages, furo theme, tables taken from the code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

project = "XCaliper"
author = "The XCaliper developers"
copyright = author
release = re.search(
    r'^version = "(.+)"$', (HERE.parent / "pyproject.toml").read_text("utf-8"), re.MULTILINE
)[1]
version = release

extensions = ["myst_parser", "sphinx.ext.doctest", "xctables"]
exclude_patterns = ["_build", "_ext"]
root_doc = "index"
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"XCaliper {release}"
html_show_sourcelink = False
html_copy_source = False

doctest_global_setup = "import numpy as np"
