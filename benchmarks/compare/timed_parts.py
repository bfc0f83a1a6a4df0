"""What programs that time the parts of a call have in common: the limit, and how cases end."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write

PRODUCT = 2000  # rows of the matrices whose product shows the rate
PRODUCTS = 7
WARM_UP = 3


def product_rate(dtype: str) -> float:
    """Operations a second of a product of square matrices."""
    A, B = torch.rand(2, PRODUCT, PRODUCT, dtype=getattr(torch, dtype))
    taken = []
    for _ in range(WARM_UP + PRODUCTS):
        start = time.perf_counter()
        torch.mm(A, B)
        taken.append(time.perf_counter() - start)
    return 2.0 * PRODUCT**3 / statistics.median(taken[WARM_UP:])


def show_and_write(
    cases: Sequence[dict[str, Any]],
    lines: Callable[[dict[str, Any]], Sequence[str]],
    output: Path | None,
) -> None:
    """Print the lines of each case, and write all cases with the machine, if there is a file."""
    for case in cases:
        print(*lines(case), sep="\n")
    found = {"machine": describe(), "torch_threads": torch.get_num_threads(), "cases": cases}
    if output is not None:
        write(output, rounded(json.loads(json.dumps(found))))
