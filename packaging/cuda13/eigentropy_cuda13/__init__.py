"""The CUDA back end of eigentropy, which loads it on first use. There is nothing to call here."""

from eigentropy_cuda13._core import __version__

__all__ = ["__version__"]
