"""Sphinx: `make docs` writes build/docs/index.html."""

import eigentropy

project = "eigentropy"
author = "The eigentropy developers"
copyright = "2026, The eigentropy developers"  # noqa: A001
version = release = eigentropy.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Base classes of the adapters; the API reference needs no more of these libraries.
autodoc_mock_imports = ["lightning", "torchmetrics", "transformers"]
numpydoc_show_class_members = False
autodoc_typehints = "none"
html_theme = "furo"
exclude_patterns = ["figures"]
