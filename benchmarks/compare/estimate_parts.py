"""Where the time of an estimate goes, beside what the arithmetic of the machine allows.

    python -m benchmarks.compare.estimate_parts --output benchmarks/results/estimate_parts.json

The estimate is that of `eg.dse(Z)` of more rows than all eigenvalues could be found of. The kernel
of all rows is computed once, and is kept as far as memory allows; then it is multiplied by blocks
of vectors. Beside these two parts stands how long their operations would take at the rate of a
large product in float32. The system hands over the memory of the kernel, page by page, while the
kernel is computed: the processor time that this takes is shown by itself.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import eigentropy as eg
from benchmarks.compare.timed_parts import product_rate, show_and_write
from eigentropy import _core

TOL = 1e-3
KERNEL, PRODUCTS = "kernel", "products"


class Parts:
    """What the operators of the core have taken, all together.

    Attributes
    ----------
    seconds : dict of str to float
        Of `KERNEL` and `PRODUCTS`.
    system_seconds : float
        Processor time that the system has taken for `KERNEL`, of all threads.
    columns : list of int
        Of the blocks of vectors.
    """

    def __init__(self) -> None:
        self.seconds = {KERNEL: 0.0, PRODUCTS: 0.0}
        self.system_seconds = 0.0
        self.columns: list[int] = []

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Around what belongs to a part."""
        start, before = time.perf_counter(), _system_seconds()
        yield
        self.seconds[part] += time.perf_counter() - start
        if part == KERNEL:
            self.system_seconds += _system_seconds() - before

    def operator(self) -> type[_core.KernelOperator]:
        """The operator of the core, whose times are counted."""
        parts = self

        class Timed(_core.KernelOperator):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                with parts.timed(KERNEL):
                    super().__init__(*arguments, **options)

            def matmul(self, V: Any, *rest: Any) -> Any:
                parts.columns.append(V.shape[1] if V.ndim == 2 else 1)
                with parts.timed(PRODUCTS):
                    return super().matmul(V, *rest)

        return Timed


def _system_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_stime


def measured(n: int, d: int) -> dict[str, Any]:
    """Seconds of an estimate, of its parts, and what the product rate allows."""
    Z = np.random.default_rng(n).normal(size=(n, d)).astype(np.float32)
    before, parts = product_rate("float32"), Parts()
    with mock.patch.object(_core, "KernelOperator", parts.operator()):
        start = time.perf_counter()
        result = eg.dse(Z, tol=TOL, method="stochastic")
        seconds = time.perf_counter() - start
    rate = max(before, product_rate("float32"))  # other work on the machine slows down one of them
    return {
        "n": n,
        "d": d,
        "tol": TOL,
        "entropy": float(result),
        "standard_error": result.standard_error,
        "seconds": seconds,
        "parts": parts.seconds,
        "system_seconds": parts.system_seconds,
        "columns": parts.columns,
        "product_flops": rate,
        "at_product_rate": at_product_rate(n, d, parts.columns, rate),
    }


def at_product_rate(n: int, d: int, columns: list[int], rate: float) -> dict[str, float]:
    """Seconds of the operations of each part at this rate.

    Distances are products of rows, for one triangle. An entry of the triangle is multiplied by two
    rows of a block: for itself and for the entry opposite.
    """
    return {KERNEL: 1.0 * n**2 * d / rate, PRODUCTS: 2.0 * n**2 * sum(columns) / rate}


def lines(case: dict[str, Any]) -> list[str]:
    """A case for the eye."""
    parts, least = case["parts"], case["at_product_rate"]
    return [
        f"n = {case['n']}, d = {case['d']}: {case['seconds']:.2f} s, "
        f"{sum(least.values()):.2f} s at the product rate",
        f"  kernel {parts[KERNEL]:.2f} s, {least[KERNEL]:.2f} s at the product rate; "
        f"{case['system_seconds']:.2f} s of processor time for its memory",
        f"  products with {case['columns']} columns {parts[PRODUCTS]:.2f} s, "
        f"{least[PRODUCTS]:.2f} s at the product rate",
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Where the time of an estimate goes.")
    parser.add_argument("--samples", type=int, nargs="+", default=[100_000])
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    cases = [measured(n, options.columns) for n in options.samples]
    show_and_write(cases, lines, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
