"""The CUDA back end beside torch on the same GPU, and beside the CPU.

    python -m benchmarks.gpu.beside_torch --output benchmarks/results/gpu.json

Also prints what the costs in _backends/costs.py should be by this GPU.

Contenders take turns, A B A B; times are between CUDA events, medians over the rounds. torch uses
full precision for products. Fails where the answers differ. What cannot run on a device, because it
has too little memory, is named and left out. The file is complete after each case, so that a run
may be cut.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.cases import Case, entropy_cases, estimate_case, information_case, one
from benchmarks.gpu.costs import costs_line, measured_costs
from benchmarks.gpu.devices import Device, torch_on_gpu
from benchmarks.gpu.measuring import agreement, attempted, faults, line
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write


def settings(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--estimates", type=int, nargs="*", default=[10000, 200000, 1000000])
    parser.add_argument("--entropies", type=int, nargs="*", default=[2000, 5000, 10000])
    parser.add_argument("--informations", type=int, nargs="*", default=[10000])
    parser.add_argument("--agreement", type=int, default=1000, help="n of the data sets; 0: not")
    parser.add_argument("--costs", type=int, default=8000, help="n for GPU_COSTS; 0: not")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, device: Device | None = None) -> None:
    options = settings(arguments)
    device = device or Device(torch_on_gpu())
    makers: list[Callable[[], Iterator[Case]]] = [
        *[partial(one, estimate_case, device, n) for n in options.estimates],
        *[partial(entropy_cases, device, n, 512) for n in options.entropies],
        *[partial(one, information_case, device, n) for n in options.informations],
    ]
    rows: list[dict[str, Any]] = []
    cases: list[dict[str, Any]] = []
    results: dict[str, Any] = {
        "machine": {**describe(), **device.describe()},
        "agreement": rows,
        "cases": cases,
    }

    def keep() -> None:
        results["faults"] = faults(cases, rows)
        if options.output:
            write(options.output, rounded(results))

    keep()
    for maker in makers:
        for case in maker():
            cases.append(attempted(device, case, options.rounds))
            print(line(cases[-1]), flush=True)
            keep()
    if options.agreement:
        rows += agreement(options.agreement)
        keep()
    if options.costs:
        few = min(1000, options.costs)
        results["costs"] = measured_costs(device, options.costs, few, options.rounds)
        print(costs_line(results["costs"]), flush=True)
        keep()
    if results["faults"]:
        raise SystemExit("\n".join(results["faults"]))


if __name__ == "__main__":
    main()
