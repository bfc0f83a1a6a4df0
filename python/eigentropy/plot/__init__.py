"""Figures of results, on matplotlib. Every function returns the axes that it has drawn on.

>>> import numpy as np, eigentropy as eg
>>> entropy = eg.dse(np.random.default_rng(0).normal(size=(200, 8)))
>>> axes = eg.plot.entropy(entropy)  # doctest: +SKIP

Each function takes ``ax``, the axes to draw on, and makes a new figure without it. What is drawn on
the same axes later gets the next colour, line and marker. No setting of matplotlib is changed.
"""

from __future__ import annotations

from eigentropy.plot.bottleneck import information_curve
from eigentropy.plot.maps import diffusion_map
from eigentropy.plot.partitions import null
from eigentropy.plot.profiles import history, layers
from eigentropy.plot.sizes import convergence
from eigentropy.plot.spectra import entropy, spectrum
from eigentropy.plot.trajectories import units

__all__ = [
    "convergence", "diffusion_map", "entropy", "history", "information_curve", "layers", "null",
    "spectrum", "units",
]  # fmt: skip


def __dir__() -> list[str]:
    return list(__all__)
