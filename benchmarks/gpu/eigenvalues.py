"""All eigenvalues of a symmetric matrix on the device, beside torch.linalg.eigvalsh.

    python -m benchmarks.gpu.eigenvalues --output benchmarks/results/gpu_eigenvalues.json

The matrix is a Gaussian kernel of normal rows in 16 dimensions. Each order is measured once, after
a small one that warms up: from 8000 rows on they take seconds. The file is complete after each
case.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.gpu.devices import Device, torch_on_gpu
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write

COLUMNS = 16
WARM = 600
# Largest differences of eigenvalues and of their sum, beside n, the largest they may be.
TOL = {"float64": 1e-10, "float32": 1e-4}


def contenders(device: Device) -> dict[str, Callable[[Any], Any]]:
    found: dict[str, Callable[[Any], Any]] = {"eigentropy": device_eigvalsh}
    if device.torch is not None:
        found["torch"] = lambda K: device.torch.linalg.eigvalsh(K).flip(0)
    return found


def device_eigvalsh(K: Any) -> Any:
    """Ours; an array of the host is brought to the emulated device."""
    if not isinstance(K, np.ndarray):
        return eg.eigvalsh(K)
    from eigentropy._backends.cuda import Cuda

    return Cuda(0).eigvalsh(Cuda(0).rows(K), False, False)


def kernel(device: Device, n: int, dtype: str) -> Any:
    Z = device.rows(n, COLUMNS, dtype)
    half = 0.5 / COLUMNS
    if device.torch is not None:
        return device.torch.cdist(Z, Z).square_().mul_(-half).exp_()
    norms = np.einsum("ij,ij->i", Z, Z)
    return np.exp(-half * np.maximum(norms[:, None] + norms - 2.0 * Z @ Z.T, 0.0)).astype(dtype)


def on_host(values: Any) -> np.ndarray:
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values, dtype=np.float64)


def case(device: Device, n: int, dtype: str) -> dict[str, Any]:
    K = kernel(device, n, dtype)
    seconds, values = {}, {}
    for name, solve in contenders(device).items():
        seconds[name], found = device.seconds(lambda s=solve: s(K))
        values[name] = on_host(found)
    trace = float(K.diagonal().sum())
    found = {
        "n": n,
        "dtype": dtype,
        "seconds": seconds,
        "off_trace": abs(float(values["eigentropy"].sum()) / trace - 1.0),
    }
    if "torch" in values:
        found["speed"] = seconds["torch"] / seconds["eigentropy"]
        found["differs"] = float(abs(values["eigentropy"] - values["torch"]).max()) / n
    return found


def attempted(device: Device, n: int, dtype: str) -> dict[str, Any]:
    """What was measured, or why it was not: a size that a solver refuses ends nothing."""
    try:
        return case(device, n, dtype)
    except (MemoryError, RuntimeError) as error:
        return {"n": n, "dtype": dtype, "left_out": str(error)}


def line(found: dict[str, Any]) -> str:
    head = f"eigenvalues n = {found['n']:8d} {found['dtype']}:"
    if "left_out" in found:
        return f"{head} {found['left_out']}"
    seconds = ", ".join(f"{name} {value:.4g} s" for name, value in found["seconds"].items())
    return f"{head} {seconds}"


def faults(cases: list[dict[str, Any]]) -> list[str]:
    return [
        f"n = {found['n']}, {found['dtype']}: {name} {found[name]:.1e}"
        for found in cases
        for name in ("off_trace", "differs")
        if name in found and not found[name] <= TOL[found["dtype"]]
    ]


def main(arguments: list[str] | None = None, device: Device | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--orders", type=int, nargs="*", default=[8000, 16000, 32000])
    options = parser.parse_args(arguments)
    device = device or Device(torch_on_gpu())
    cases: list[dict[str, Any]] = []
    result = {"machine": {**describe(), **device.describe()}, "cases": cases}
    for dtype in TOL:
        attempted(device, min(WARM, *options.orders), dtype)
    for n in options.orders:
        for dtype in ("float32", "float64"):
            cases.append(attempted(device, n, dtype))
            print(line(cases[-1]), flush=True)
            if options.output:
                write(options.output, rounded(result))
    wrong = faults(cases)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
