"""Networks that learn pictures: data sets, architectures, the training loop, what is measured.

Imports PyTorch, so the studies import it where they measure.
"""
