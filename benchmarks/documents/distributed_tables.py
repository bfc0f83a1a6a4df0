"""Tables of what a product over ranks takes, and of the plan for large ones by the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.shared.markdown_tables import table
from eigentropy.distributed.costs import Machine, Product, estimate_seconds

Results = dict[str, dict[str, Any]]  # by suite

# Of the plan: rows, columns, vectors, and what is assumed of a GPU among 8 and among 64.
N, D, COLUMNS = 1e7, 512, 32
GPUS = {8: Machine(2e13, 1e11, 5e-5), 64: Machine(2e13, 2e10, 5e-5)}


def measured(results: Results) -> str:
    """Seconds of a core, since ranks may share one."""
    rows = [
        [str(case["ranks"]), f"{case['core_seconds_of_a_rank']:.2f}", f"{case['predicted']:.2f}"]
        for case in results["distributed"]["distributed"]["model"]
    ]
    return table(["ranks of one thread", "seconds of a core, each rank", "by the model"], rows)


def turns(results: Results) -> str:
    """One process with two threads and two ranks, in turn."""
    known = results["distributed"]["distributed"]
    rows = [
        [str(number), *(f"{turn[name]:.2f}" for name in ("one_process", "two_ranks")),
         *(f"{turn[name + '_core_seconds']:.2f}" for name in ("one_process", "two_ranks"))]
        for number, turn in enumerate(known["turns"], start=1)
    ]  # fmt: skip
    header = ["turn", "one process, seconds", "two ranks, seconds",
              "one process, seconds of cores", "two ranks, seconds of cores"]  # fmt: skip
    return table(header, rows)


def plan(results: Results) -> str:
    """By the model alone: nothing of it is measured."""
    del results
    rows = []
    for ranks, gpu in GPUS.items():
        product = Product(N, D, COLUMNS, ranks)
        rows.append([
            str(ranks), f"{product.work / gpu.rate:.1f} s",
            f"{product.received / gpu.bandwidth:.2f} s", f"{product.received / 1e9:.1f} GB",
            f"{product.messages}, {product.messages * gpu.latency:.2f} s",
            f"{product.memory / 1e9:.2f} GB",
            f"{estimate_seconds(N, D, ranks, gpu) / 60:.1f} min",
        ])  # fmt: skip
    header = ["ranks", "arithmetic of a product", "on the wire", "bytes received", "messages",
              "memory for rows and vectors", "an entropy"]  # fmt: skip
    return table(header, rows)


BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[Results], str]]] = {
    "distributed": (("distributed",), measured),
    "distributed turns": (("distributed",), turns),
    "distributed plan": (("distributed",), plan),
}
