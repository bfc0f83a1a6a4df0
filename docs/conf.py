"""Sphinx: `make docs` writes build/docs/index.html and runs the tutorials."""

import sys
from pathlib import Path

import eigentropy

sys.path.insert(0, str(Path(__file__).parent))  # the extension mathml

BUILD = Path(__file__).resolve().parents[1] / "build"

project = "eigentropy"
author = "The eigentropy developers"
copyright = "2026, The eigentropy developers"  # noqa: A001
version = release = eigentropy.__version__

extensions = [
    "myst_nb",  # the tutorials are notebooks; this parses the other pages, too
    "numpydoc",
    "sphinx.ext.autodoc",
    "mathml",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["figures"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# A tutorial runs again only when its code has changed. An error in a cell stops the build.
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILD / "notebooks")
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300
nb_merge_streams = True

# Base classes of the adapters; the reference needs no more of these libraries.
autodoc_mock_imports = ["lightning", "torchmetrics", "transformers"]
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "eigentropy"
html_static_path = ["_static"]
html_css_files = ["site.css"]
copybutton_exclude = ".linenos, .gp, .go"
