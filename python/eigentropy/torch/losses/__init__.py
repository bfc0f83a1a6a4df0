"""Entropy and information of a batch, with a gradient."""
