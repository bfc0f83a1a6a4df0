"""The CUDA back end beside torch on the same GPU, and beside the CPU.

    python -m benchmarks.gpu.beside_torch --output benchmarks/results/gpu.json

Also prints what the costs in _backends/costs.py should be by this GPU.

Contenders take turns, A B A B; times are between CUDA events, medians over the rounds. torch uses
full precision for products. Fails where the answers differ. What cannot run on a device, because it
has too little memory, is named and left out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.accuracy.estimates import data_sets
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write

TOL = 1e-3
ALPHA = 0.5
NULLS, CLASSES = 20, 10
LONG = 500000
# Largest relative differences from the CPU.
AGREEMENT = {"float64": 1e-10, "float32": 1e-4}


@dataclass
class Device:
    """The GPU by torch, or a device without torch (emulated), where nothing is compared."""

    torch: Any = None

    def rows(self, n: int, d: int, dtype: str = "float32", seed: int = 0) -> Any:
        Z = np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)
        return Z if self.torch is None else self.torch.as_tensor(Z, device="cuda")

    def seconds(self, call: Callable[[], Any]) -> tuple[float, Any]:
        if self.torch is None:
            start = time.perf_counter()
            answer = call()
            return time.perf_counter() - start, answer
        cuda = self.torch.cuda
        begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        begin.record()
        answer = call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3, answer


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
        return self.settings["n"] >= LONG


def measured(device: Device, case: Case, rounds: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {name: [] for name in case.contenders}
    answers: dict[str, float] = {}
    if not case.is_long:
        for call in case.contenders.values():  # handles, pools, kernels
            call()
    for _ in range(1 if case.is_long else rounds):
        for name, call in case.contenders.items():
            seconds, answer = device.seconds(call)
            times[name].append(seconds)
            answers[name] = float(answer)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours, *others = medians
    return {
        "case": case.name,
        **case.settings,
        "seconds": medians,
        "all_seconds": times,
        "speed": {other: medians[other] / medians[ours] for other in others},
        "answers": answers,
        "differs": {other: abs(answers[ours] / answers[other] - 1.0) for other in others},
        "tol": case.tol,
    }


def attempted(device: Device, case: Case, rounds: int) -> dict[str, Any]:
    """What was measured, or why the case is left out."""
    try:
        return measured(device, case, rounds)
    except MemoryError as error:
        return {"case": case.name, **case.settings, "left_out": str(error)}


def torch_operator(torch: Any, Z: Any, sigma: float) -> Any:
    G = torch.exp(torch.cdist(Z, Z).square_() / (-2.0 * sigma**2))
    weights = G.sum(dim=1).rsqrt()  # alpha = 1/2
    K = G.mul_(weights[:, None]).mul_(weights[None, :])
    roots = K.sum(dim=1).rsqrt()
    return K.mul_(roots[:, None]).mul_(roots[None, :])


def torch_entropy(torch: Any, Z: Any, sigma: float) -> float:
    values = torch.linalg.eigvalsh(torch_operator(torch, Z, sigma)).clamp_(0.0, 1.0)
    values = values / values.sum()
    return float(-torch.xlogy(values, values).sum() / np.log(2.0))


def torch_information(torch: Any, Z: Any, labels: np.ndarray, sigma: float) -> float:
    """Plain information less its null: the conditional entropies of all partitions, one by one."""
    rng = np.random.default_rng(0)
    conditional = []
    for partition in range(1 + NULLS):
        codes = labels if partition == 0 else rng.permutation(labels)
        groups = [torch.as_tensor(np.flatnonzero(codes == c), device=Z.device) for c in set(labels)]
        entropies = [len(g) / len(Z) * torch_entropy(torch, Z[g], sigma) for g in groups]
        conditional.append(sum(entropies))
    return float(np.mean(conditional[1:]) - conditional[0])


def entropy_cases(device: Device, n: int, d: int) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        Z = device.rows(n, d, dtype)
        sigma = eg.DiffusionOperator(Z, sigma="auto", device="cuda").sigma

        def ours(Z: Any = Z, sigma: float = sigma, dtype: str = dtype) -> float:
            return float(eg.dse(Z, sigma=sigma, method="exact", dtype=dtype, device="cuda"))

        def theirs(Z: Any = Z, sigma: float = sigma) -> float:
            return torch_entropy(device.torch, Z, sigma)

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
        return torch_information(device.torch, Z, labels, sigma)

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


def agreement(n: int) -> list[dict[str, Any]]:
    """Entropies on the device and on the CPU."""
    rows = []
    for data in data_sets(n):
        for dtype in AGREEMENT:
            settings = {"sigma": data.sigma, "dtype": dtype, "method": "exact"}
            there, here = (
                float(eg.dse(data.Z, device=name, **settings)) for name in ("cuda", "cpu")
            )
            row = {"data": data.name, "dtype": dtype, "cuda": there, "cpu": here}
            rows.append({**row, "relative_difference": abs(there / here - 1.0)})
    return rows


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


def faults(cases: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[str]:
    """Answers that differ by more than they may."""
    found = [
        f"{case['case']}, n = {case['n']}: differs from {other} by {difference:.1e}"
        for case in cases
        for other, difference in case.get("differs", {}).items()
        if not difference <= case["tol"]
    ]
    return found + [
        f"{row['data']}, {row['dtype']}: differs from the CPU by {row['relative_difference']:.1e}"
        for row in rows
        if not row["relative_difference"] <= AGREEMENT[row["dtype"]]
    ]


def line(case: dict[str, Any]) -> str:
    if "left_out" in case:
        return f"{case['case']:12s} n = {case['n']:8d} d = {case['d']:4d}: {case['left_out']}"
    seconds = ", ".join(f"{name} {value:.4g} s" for name, value in case["seconds"].items())
    speed = ", ".join(f"{value:.1f}x {name}" for name, value in case["speed"].items())
    return f"{case['case']:12s} n = {case['n']:8d} d = {case['d']:4d}: {seconds} {speed}"


def main(arguments: list[str] | None = None, device: Device | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--entropies", type=int, nargs="*", default=[2000, 5000, 10000])
    parser.add_argument("--informations", type=int, nargs="*", default=[10000])
    parser.add_argument("--estimates", type=int, nargs="*", default=[10000, 200000, 1000000])
    parser.add_argument("--agreement", type=int, default=1000, help="n of the data sets")
    parser.add_argument("--costs", type=int, default=8000, help="n for GPU_COSTS; 0: not")
    options = parser.parse_args(arguments)
    device = device or Device(torch_on_gpu())
    makers: list[Callable[[], Iterator[Case]]] = [
        *[partial(entropy_cases, device, n, 512) for n in options.entropies],
        *[partial(one, information_case, device, n) for n in options.informations],
        *[partial(one, estimate_case, device, n) for n in options.estimates],
    ]
    rows = agreement(options.agreement)
    cases: list[dict[str, Any]] = []
    results = {
        "machine": {**describe(), **described(device)},
        "agreement": rows,
        "cases": cases,
    }
    if options.costs:
        few = min(1000, options.costs)
        results["costs"] = measured_costs(device, options.costs, few, options.rounds)
        print(costs_line(results["costs"]), flush=True)
    for maker in makers:
        for case in maker():
            cases.append(attempted(device, case, options.rounds))
            print(line(cases[-1]), flush=True)
            if options.output:  # what there is, in case that time runs out
                write(options.output, rounded(results))
    wrong = faults(cases, rows)
    if options.output:
        write(options.output, rounded({**results, "faults": wrong}))
    if wrong:
        raise SystemExit("\n".join(wrong))


def torch_on_gpu() -> Any:
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch


def described(device: Device) -> dict[str, Any]:
    if device.torch is None:
        return {"gpu": None}
    cuda = device.torch.cuda
    return {
        "gpu": cuda.get_device_name(),
        "cuda": device.torch.version.cuda,
        "driver": cuda.driver_version() if hasattr(cuda, "driver_version") else None,
    }


if __name__ == "__main__":
    main()
