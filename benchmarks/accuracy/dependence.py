"""How DSE, DSMI(Z; Z) and DSMI(Z; Y) of one sample change with sigma, n and t.

Part of estimators.py. DSMI(Z; Z) clusters Z itself, as DSMI does with any vectors.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import eigentropy as eg
from eigentropy.studies.data import blobs

N, D = 1000, 20
# The reference, and what is changed of it, one at a time.
WIDTHS = (0.5, 2.0)
SIZES = (250, 500)
TIMES = (2.0, 5.0)


def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Three blobs with their labels; normal rows with labels that mean nothing."""
    Z = np.random.default_rng(0).normal(size=(N, D))
    return {"three blobs": blobs(N, D), "one Gaussian": (Z, np.arange(N) % 3)}


def _settings(Z: np.ndarray) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """A label, the number of rows and the options."""
    auto = eg.bandwidth(Z)
    yield f"auto, n = {N}, t = 1", N, {}
    for factor in WIDTHS:
        yield f"{factor:g} times that sigma", N, {"sigma": factor * auto}
    yield "sigma = sqrt(d)", N, {"sigma": math.sqrt(D)}
    for n in SIZES:
        yield f"n = {n}", n, {}
    for t in TIMES:
        yield f"t = {t:g}", N, {"t": t}


def dependence() -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        # A sigma that is too small is one of the rows.
        warnings.simplefilter("ignore", eg.SaturationWarning)
        return [
            {"data": name, "setting": setting, **_numbers(Z[:n], labels[:n], options)}
            for name, (Z, labels) in data().items()
            for setting, n, options in _settings(Z)
        ]


def _numbers(Z: np.ndarray, labels: np.ndarray, options: dict[str, Any]) -> dict[str, float]:
    known = eg.dsmi(Z, labels, **options)
    return {
        "dse": float(eg.dse(Z, **options)),
        "dsmi_z_z": float(eg.dsmi(Z, Z, **options)),
        "dsmi": float(known),
        "adjusted": known.adjusted,
    }
