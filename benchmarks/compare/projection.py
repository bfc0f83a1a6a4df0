"""DSE of long rows with and without a random projection to k columns before it, in turn.

Rows are pieces of photographs. The error of the projection stands beside the sampling error. Times
are of the processor, which other programs on the machine hardly change; with one thread they are
those of a machine that does nothing else.

    export OMP_NUM_THREADS=1 EIGENTROPY_NUM_THREADS=1
    python -m benchmarks.compare.projection --output benchmarks/results/projection.json
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write
from eigentropy.studies.projection_sets import (
    DENSE,
    LI,
    ONE,
    isometric,
    photographs,
    project,
)

KINDS = (DENSE, LI, ONE)
SHARES = (0.125, 1.0)  # of n


def used(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and the seconds of the processor that it took."""
    start = process_time()
    return call(), process_time() - start


def by_halves(rows: Any) -> float:
    """The mean DSE of both halves of the columns."""
    half = rows.shape[1] // 2
    return (float(eg.dse(rows[:, :half])) + float(eg.dse(rows[:, half : 2 * half]))) / 2.0


def compared(Z: Any, rounds: int) -> list[dict[str, Any]]:
    """Medians; a round has one call without a projection, and one of every kind and share."""
    n, d = Z.shape
    at = [(round(share * n), kind) for share in SHARES for kind in KINDS if share * n <= d]
    found: dict[tuple[int, str], list[dict[str, float]]] = {each: [] for each in at}
    for seed in range(rounds):
        whole, plain = used(lambda: eg.dse(Z))
        for k, kind in at:
            rows, projecting = used(partial(project, Z, k, kind, seed))
            value, after = used(partial(eg.dse, rows))
            halves, twice = used(partial(by_halves, rows))
            found[k, kind].append(
                {
                    "plain": plain,
                    "project": projecting,
                    "dse of k columns": after,
                    "dse of halves": twice,
                    "times as fast": plain / (projecting + after),
                    "with halves": plain / (projecting + after + twice),
                    "error": abs(float(value) - float(whole)),
                    "error with halves": abs(2.0 * float(value) - halves - float(whole)),
                }
            )
    return [
        {"kind": kind, "k": k} | {name: median(one[name] for one in of) for name in of[0]}
        for (k, kind), of in found.items()
    ]


def cases(n: int, d: int, rounds: int) -> dict[str, Any]:
    """Every kind and share."""
    Z, _ = photographs(n, d, 0)
    result = eg.dse(isometric(Z))
    return {
        "n": n,
        "d": d,
        "bits": float(result),
        "sampling error": result.sampling_error,
        "cases": compared(Z, rounds),
    }


def main(arguments: list[str] | None = None) -> None:
    """Print the times, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[2000], metavar="N")
    parser.add_argument("--columns", type=int, default=20_000, metavar="D")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    found = [cases(n, options.columns, options.rounds) for n in options.rows]
    result = rounded({"machine": describe(), "sizes": found}, 4)
    print(text(result))
    if options.output:
        write(options.output, result)


if __name__ == "__main__":
    main()
