"""Drop-in replacements for other packages: change the import, keep the calls."""
