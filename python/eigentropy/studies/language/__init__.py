"""Texts, networks and numbers of the study `layers`."""
