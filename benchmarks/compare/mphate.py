"""What M-PHATE and the entropies over units cost, and how the kernel compares with m-phate's.

python -m benchmarks.compare.mphate --output benchmarks/results/mphate.json

Seconds are those of the wall clock and those of the processors, which tell what other programs on
the machine took. The kernels of ours and of m-phate, where it is installed, are made in turn.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write
from eigentropy import embed

SHAPE = (30, 256, 500)  # epochs, units, samples


def moving(epochs: int, units: int, samples: int) -> Any:
    """Units that answer alike in groups of eight, and walk at random over the epochs."""
    random = np.random.default_rng(0)
    group = np.arange(units) // 8
    start = random.normal(size=(group.max() + 1, samples))[group]
    start += 0.5 * random.normal(size=(units, samples))
    return start + 0.2 * np.cumsum(random.normal(size=(epochs, units, samples)), axis=0)


def timed(call: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds by the wall clock and of the processors, and the result."""
    wall, processors = perf_counter(), process_time()
    result = call()
    return {
        "seconds": perf_counter() - wall, "processor seconds": process_time() - processors
    }, result  # fmt: skip


def kernels(units: Any, rounds: int) -> dict[str, Any]:
    """Medians of both kernels in turn, and the largest difference of an entry."""
    calls: dict[str, Callable[[], Any]] = {"ours": lambda: embed.multislice_kernel(units)}
    if find_spec("m_phate"):
        from m_phate.kernel import multislice_kernel
        from m_phate.utils import normalize

        calls["m-phate"] = lambda: multislice_kernel(normalize(units), n_pca=None, n_jobs=1)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in calls}
    made = {}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds, made[name] = timed(call)
            found[name].append(seconds)
    result: dict[str, Any] = {
        name: {key: median(one[key] for one in of) for key in of[0]} for name, of in found.items()
    }
    if len(made) == 2:
        theirs = made["m-phate"].tocsr()
        theirs.data[theirs.data < 1e-4] = 0.0  # which its graph leaves out
        result["largest difference"] = float(np.abs((made["ours"] - theirs).data).max(initial=0.0))
    return result


def main(arguments: list[str] | None = None) -> None:
    """Print the costs, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--shape", type=int, nargs=3, default=list(SHAPE))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    units = moving(*options.shape)
    embed.mphate(units[:3, :8])  # what is imported at first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of graphs that are not joined, and of m-phate's libraries
        result = {
            "machine": describe(),
            "shape": options.shape,
            "mphate": timed(lambda: embed.mphate(units))[0],
            "unit_entropies": timed(lambda: embed.unit_entropies(units))[0],
            "kernel": kernels(units, options.rounds),
        }
    result = rounded(result, 4)
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
