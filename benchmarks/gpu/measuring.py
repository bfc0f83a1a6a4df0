"""Times of a case's contenders, agreement with the CPU, and what is wrong with either."""

from __future__ import annotations

import statistics
from typing import Any

import eigentropy as eg
from benchmarks.gpu.cases import AGREEMENT, Case
from benchmarks.gpu.devices import Device


def measured(device: Device, case: Case, rounds: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {name: [] for name in case.contenders}
    answers: dict[str, float] = {}
    peaks: dict[str, int | None] = {}
    for _ in range(1 if case.is_long else 1 + rounds):
        for name, call in case.contenders.items():
            if name not in peaks:  # handles, pools, kernels; and the memory
                peaks[name], (seconds, answer) = device.peak_bytes(lambda c=call: device.seconds(c))
                if not case.is_long:
                    continue
            else:
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
        "peak_bytes": peaks,
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


def agreement(n: int) -> list[dict[str, Any]]:
    """Entropies on the device and on the CPU."""
    from benchmarks.accuracy.estimates import data_sets  # needs scikit-learn

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
    head = f"{case['case']:12s} n = {case['n']:8d} d = {case['d']:4d}:"
    if "left_out" in case:
        return f"{head} {case['left_out']}"
    seconds = ", ".join(f"{name} {value:.4g} s" for name, value in case["seconds"].items())
    speed = ", ".join(f"{value:.1f}x {name}" for name, value in case["speed"].items())
    return f"{head} {seconds} {speed}"
