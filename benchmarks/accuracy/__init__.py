"""Errors of estimates and of float32, and what a choice is based on."""
