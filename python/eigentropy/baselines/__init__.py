"""The estimators and scores that our measures are compared with, each with the same call shape.

>>> import numpy as np
>>> from eigentropy.baselines import binning
>>> Z, labels = np.repeat([[0.0, 0.0], [1.0, 5.0]], 8, axis=0), np.repeat([0, 1], 8)
>>> float(binning.mutual_information(Z, labels))
1.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eigentropy._support.signatures import missing_name

if TYPE_CHECKING:
    from eigentropy.baselines import (
        binning,
        densities,
        discrete,
        geometry,
        ksg,
        mine,
        probes,
        spectral,
        tokens,
        transferability,
        views,
    )
    from eigentropy.baselines._estimate import BaselineEstimate
    from eigentropy.baselines._sampling import with_sampling_error

__all__ = [
    "BaselineEstimate", "binning", "densities", "discrete", "geometry", "ksg", "mine", "probes",
    "spectral", "tokens", "transferability", "views", "with_sampling_error",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Each estimator is imported when it is first used: they need different libraries."""
    if name == "BaselineEstimate":
        return import_module("eigentropy.baselines._estimate").BaselineEstimate
    if name == "with_sampling_error":
        return import_module("eigentropy.baselines._sampling").with_sampling_error
    if name in __all__:
        return import_module(f"eigentropy.baselines.{name}")
    raise missing_name(__name__, name, {"Estimate": "BaselineEstimate"})


def __dir__() -> list[str]:
    return __all__
