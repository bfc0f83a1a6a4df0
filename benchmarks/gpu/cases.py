"""What is measured: contenders that compute the same number from rows on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.gpu import pipelines
from benchmarks.gpu.devices import Device

TOL = 1e-3
NULLS, CLASSES = 20, 10
LONG = 500000
# Largest relative differences from the CPU.
AGREEMENT = {"float64": 1e-10, "float32": 1e-4}


@dataclass
class Case:
    """Contenders by name, ours first, each of which returns a number."""

    name: str
    contenders: dict[str, Callable[[], float]]
    tol: float
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def is_long(self) -> bool:
        """Whether it takes a minute or more, and is measured once, as it is."""
        return bool(self.settings["n"] >= LONG)


def entropy_cases(device: Device, n: int, d: int) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        Z = device.rows(n, d, dtype)
        sigma = eg.DiffusionOperator(Z, sigma="auto", device="cuda").sigma

        def ours(Z: Any = Z, sigma: float = sigma, dtype: str = dtype) -> float:
            return float(eg.dse(Z, sigma=sigma, method="exact", dtype=dtype, device="cuda"))

        def theirs(Z: Any = Z, sigma: float = sigma) -> float:
            return pipelines.entropy(device.torch, Z, sigma)

        contenders = {"eigentropy": ours}
        if device.torch is not None:
            contenders["torch"] = theirs
        yield Case(f"dse {dtype}", contenders, AGREEMENT["float32"], {"n": n, "d": d})


def information_case(device: Device, n: int, d: int) -> Case:
    Z = device.rows(n, d)
    labels = np.random.default_rng(1).integers(0, CLASSES, n)
    for c in range(CLASSES):  # something to find, and it is the same for all
        Z[np.flatnonzero(labels == c), c % d] += 3.0
    sigma = eg.DiffusionOperator(Z, sigma="auto", device="cuda").sigma

    def ours() -> float:
        return float(eg.dsmi(Z, labels, sigma=sigma, n_null=NULLS, device="cuda", method="exact"))

    def theirs() -> float:
        return pipelines.information(device.torch, Z, labels, sigma, NULLS)

    contenders = {"eigentropy": ours}
    if device.torch is not None:
        contenders["torch loop"] = theirs
    # The partitions are not the same.
    return Case("dsmi", contenders, 0.05, {"n": n, "d": d, "classes": CLASSES, "n_null": NULLS})


def estimate_case(device: Device, n: int, d: int) -> Case:
    Z = device.rows(n, d)

    def ours() -> float:
        return float(eg.dse(Z, method="stochastic", tol=TOL, device="cuda"))

    return Case("stochastic", {"eigentropy": ours}, TOL, {"n": n, "d": d})


def one(make: Callable[[Device, int, int], Case], device: Device, n: int) -> Iterator[Case]:
    """The case when it is asked for: its rows take memory."""
    yield make(device, n, 128)
