"""Where the time of a step of a monitor goes, beside what the arithmetic of the machine allows.

    python -m benchmarks.compare.monitor_parts --output benchmarks/results/monitor_parts.json

The step is that of `make bench`: a probe passes a small network, one of whose layers is watched,
and DSE and DSMI(Z;Y) are measured. Steps that are timed as a whole take turns with steps of which
each call into the core and each product of the network is timed. What is left is the hooks' and
Python's. Beside it stands how long 4/3 n^3 operations, which are those of all eigenvalues of the
probe, take at the rate of a large product in the same precision.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.compare.cases import LAYER
from benchmarks.compare.monitor_step import Outside, monitor
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write

PRODUCT = 2000  # rows of the matrices whose product shows the rate
PRODUCTS = 7
WARM_UP = 3


def measured(n: int, rounds: int) -> dict[str, Any]:
    """Medians of seconds: of a step, of each of its parts, and what the product rate allows."""
    spec = {"n": n, "d": LAYER[0], "classes": LAYER[1]}
    (_, step), (_, outside) = (
        monitor({**spec, "package": name}) for name in ("eigentropy", "eigentropy outside")
    )
    assert isinstance(outside, Outside)
    steps, others = [], []
    parts: dict[str, list[float]] = {}
    for number in range(WARM_UP + rounds):
        start = time.perf_counter()
        step(None)
        middle = time.perf_counter()
        rest = outside(None)
        if number < WARM_UP:
            continue
        steps.append(middle - start)
        others.append(rest.seconds)
        for name, seconds in outside.parts.items():
            parts.setdefault(name, []).append(seconds)
    rate = product_rate()
    return {
        **spec,
        "rounds": rounds,
        "seconds": statistics.median(steps),
        "least_seconds": min(steps),
        "parts": {name: statistics.median(taken) for name, taken in parts.items()},
        "outside": statistics.median(others),
        "least_outside": min(others),
        "float32_product_flops": rate,
        "eigenvalues_at_product_rate": 4.0 / 3.0 * n**3 / rate,
    }


def product_rate() -> float:
    """Operations a second of a product of square matrices in float32."""
    A, B = torch.rand(2, PRODUCT, PRODUCT)
    taken = []
    for _ in range(WARM_UP + PRODUCTS):
        start = time.perf_counter()
        torch.mm(A, B)
        taken.append(time.perf_counter() - start)
    return 2.0 * PRODUCT**3 / statistics.median(taken[WARM_UP:])


def lines(case: dict[str, Any]) -> list[str]:
    """A case for the eye, in milliseconds."""
    rows = {
        "a step": case["seconds"],
        **{f"  {name}": seconds for name, seconds in case["parts"].items()},
        "  hooks and Python": case["outside"],
        "4/3 n^3 at the product rate": case["eigenvalues_at_product_rate"],
    }
    return [f"{1e3 * seconds:9.3f} ms  {name}" for name, seconds in rows.items()]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Where the time of a step of a monitor goes.")
    parser.add_argument("--samples", type=int, nargs="+", default=[1000])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    cases = [measured(n, options.rounds) for n in options.samples]
    for case in cases:
        print(f"n = {case['n']}, d = {case['d']}", *lines(case), sep="\n")
    found = {"machine": describe(), "torch_threads": torch.get_num_threads(), "cases": cases}
    if options.output is not None:
        write(options.output, rounded(json.loads(json.dumps(found))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
