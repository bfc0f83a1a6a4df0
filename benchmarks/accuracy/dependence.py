"""How DSE, DSMI(Z; Z) and DSMI(Z; Y) of one sample change with sigma, n and t.

Part of estimators.py. DSMI(Z; Z) clusters Z itself, as DSMI does with any vectors.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import eigentropy as eg
from eigentropy.studies.data import blobs

N, D = 1000, 20
# The reference, and what is changed of it, one at a time.
WIDTHS = (0.5, 2.0)
SIZES = (250, 500)
TIMES = (2.0, 5.0)


def data(n: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Three blobs with their labels; normal rows with labels that mean nothing."""
    Z = np.random.default_rng(0).normal(size=(n, D))
    return {"three blobs": blobs(n, D), "one Gaussian": (Z, np.arange(n) % 3)}


def _settings(Z: np.ndarray, sizes: Sequence[int]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """A label, the number of rows and the options."""
    auto, n = eg.bandwidth(Z), len(Z)
    yield f"auto, n = {n}, t = 1", n, {}
    for factor in WIDTHS:
        yield f"{factor:g} times that sigma", n, {"sigma": factor * auto}
    yield "sigma = sqrt(d)", n, {"sigma": math.sqrt(D)}
    for fewer in sizes:
        yield f"n = {fewer}", fewer, {}
    for t in TIMES:
        yield f"t = {t:g}", n, {"t": t}


def dependence(most: int = N, sizes: Sequence[int] = SIZES) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        # A sigma that is too small is one of the rows.
        warnings.simplefilter("ignore", eg.SaturationWarning)
        return [
            {"data": name, "setting": setting, **_numbers(Z[:n], labels[:n], options)}
            for name, (Z, labels) in data(most).items()
            for setting, n, options in _settings(Z, sizes)
        ]


def _numbers(Z: np.ndarray, labels: np.ndarray, options: dict[str, Any]) -> dict[str, float]:
    known = eg.dsmi(Z, labels, n_null=20, **options)
    return {
        "dse": float(eg.dse(Z, **options)),
        "dsmi_z_z": float(eg.dsmi(Z, Z, n_null=20, **options)),
        "dsmi": float(known),
        "adjusted": known.adjusted(),
    }
