"""What the costs in _backends/costs.py should be by a device."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.gpu.cases import TOL
from benchmarks.gpu.devices import Device

ALPHA = 0.5


def measured_costs(device: Device, n: int, few: int, rounds: int) -> dict[str, float]:
    """What `GPU_COSTS` should say by this device, whose unit is that of its products.

    n rows for products, kernels and eigenvalues, `few` for what an estimate takes at the least.
    """
    narrow, wide = 16, 528
    operators = {
        d: eg.DiffusionOperator(device.rows(n, d), sigma=d**0.5, dtype="float32", device="cuda")
        for d in (narrow, wide)
    }
    on = operators[narrow].samples.device
    A = on.matrix(operators[narrow].rows, narrow**0.5, ALPHA, "float32", None)[0]
    rows = device.rows(few, narrow)

    def kernel(d: int) -> Any:
        return on.matrix(operators[d].rows, d**0.5, ALPHA, "float32", None)[1]

    calls: dict[str, Callable[[], Any]] = {
        "product": lambda: on._core.symmetric_product(A, A, 0).take(np.array([0])),
        "narrow kernel": lambda: kernel(narrow),
        "wide kernel": lambda: kernel(wide),
        "spectrum": lambda: on.spectrum(
            operators[narrow].rows, narrow**0.5, ALPHA, "float32", None
        )[1],
        "estimate": lambda: float(eg.dse(rows, method="stochastic", tol=TOL, device="cuda")),
    }
    seconds = {}
    for name, call in calls.items():
        call()
        seconds[name] = statistics.median(device.seconds(call)[0] for _ in range(rounds))
    unit = seconds["product"] / float(n) ** 3
    columns = (seconds["wide kernel"] - seconds["narrow kernel"]) / (wide - narrow)
    return {
        "n": n,
        "units_per_second": 1.0 / unit,
        "entry": seconds["narrow kernel"] / n**2 / unit - narrow,
        "column": columns / n**2 / unit,  # 1 in the model
        "eigenvalues": (seconds["spectrum"] - seconds["narrow kernel"]) / float(n) ** 3 / unit,
        "start": seconds["estimate"] / unit,
        "soon": 2.0 / unit,  # two seconds
    }


def costs_line(costs: dict[str, float]) -> str:
    names = ("entry", "eigenvalues", "start", "soon")
    values = ", ".join(f"{name}={costs[name]:.3g}" for name in names)
    return (
        f"GPU_COSTS by this device: Costs({values}, kept=1.0), at "
        f"{costs['units_per_second']:.3g} units a second; a column of a kernel's rows takes "
        f"{costs['column']:.2g} units, and 1 in the model"
    )
