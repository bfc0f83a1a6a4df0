"""Figures of results, on matplotlib."""
