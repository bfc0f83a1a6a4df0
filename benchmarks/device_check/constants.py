"""What the constants that only a GPU can settle should be, by the results of a check.

    python -m benchmarks.device_check.constants results.json [results.json...]

prints the line for `_backends/costs.py`, that for `SolverTuning` in csrc/cuda/eigen, that for the
products in csrc/cuda/tuning.hpp, and which way to multiply and to solve was fastest at which size.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.device_check import results

NAMES = ("entry", "eigenvalues", "start", "soon")


def proposed(files: results.Files) -> dict[str, Any]:
    """By name; what has not been measured is not in it."""
    ways = {
        "products": fastest(results.benchmarks(files, "products"), "matrix_free"),
        "solvers": fastest(results.benchmarks(files, "solvers"), "eigenvalues"),
        "costs": files.get("costs", {}).get("costs"),
        "solver_tuning": solver_tuning(files),
        "product_tuning": product_tuning(files),
    }
    return {name: value for name, value in ways.items() if value}


def fastest(measured: Iterable[dict[str, Any]], family: str) -> list[dict[str, Any]]:
    """The fastest way at each size: benchmarks of a family differ by what follows the precision."""
    groups: dict[tuple[Any, ...], dict[str, float]] = {}
    for one in measured:
        if one["what"].startswith(family):
            name, _, rest = one["what"].partition("<")
            precision, _, path = rest.partition(">")
            key = (precision, one.get("n"), one.get("d"), one.get("m"))
            way = path.lstrip("/") or name
            groups.setdefault(key, {})[way] = one["seconds"]
    return [
        {
            **{
                k: v
                for k, v in zip(("precision", "n", "d", "m"), key, strict=True)
                if v is not None
            },
            "fastest": min(ways, key=lambda way: ways[way]),
            "seconds": ways,
        }
        for key, ways in groups.items()
    ]


Seconds = dict[int, list[dict[str, float]]]


def by_order(measured: Iterable[dict[str, Any]], family: str) -> Seconds:
    """For each order the seconds of all ways, once for each precision."""
    found: Seconds = {}
    for one in fastest(measured, family):
        found.setdefault(one["n"], []).append(one["seconds"])
    return dict(sorted(found.items()))


def wins(seconds: list[dict[str, float]], ways: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one of the ways is faster than all the others that were measured, in each precision.

    A way that was not measured where others were does not win.
    """
    inf = float("inf")
    return all(
        min(one.get(way, inf) for way in ways) < min(one.get(way, inf) for way in others)
        for one in seconds
    )


def from_order(found: Seconds, ways: Sequence[str], others: Sequence[str]) -> int | str:
    """The order from which on the ways win."""
    first: int | str = "never"
    for n in reversed(found):
        if not wins(found[n], ways, others):
            break
        first = n
    return first


def up_to_order(found: Seconds, way: str, others: Sequence[str]) -> int:
    """The largest order at which the way wins, or 0."""
    return max((n for n in found if wins(found[n], [way], others)), default=0)


def solver_tuning(files: results.Files) -> dict[str, int | str]:
    """By the names of csrc/cuda/eigen/eigenvalues.hpp, for the orders that were measured."""
    tuning: dict[str, int | str] = {}
    alone = by_order(results.benchmarks(files, "solvers"), "eigenvalues_by")
    if alone:
        two_stages = ("two_stages_32", "two_stages_64")
        tuning["one_stage_from"] = from_order(alone, ["one_stage"], ["values"])
        tuning["two_stages_from"] = from_order(alone, two_stages, ["one_stage", "values"])
        tuning["wide_from"] = from_order(alone, two_stages[1:], two_stages[:1])
    together = by_order(results.benchmarks(files, "microbenchmarks"), "together_by")
    if together:
        others = ["one_by_one", "two_stages"]
        tuning["largest_batched"] = up_to_order(together, "batched", others)
        others = ["one_by_one", "batched"]
        tuning["largest_together"] = up_to_order(together, "two_stages", others)
    return tuning


def product_tuning(files: results.Files) -> dict[str, int]:
    """By the names of csrc/cuda/tuning.hpp: 1 where a way took less time, all sizes together."""
    measured = results.benchmarks(files, "products")
    found = [
        one["seconds"] for one in fastest(measured, "matrix_free") if one["precision"] == "float"
    ]
    turns, at_once = "warpgroups", "warpgroups_at_once"
    comparisons = {
        "tensor_cores_pay": (["registers"], ["threads"]),
        "warpgroups_pay": ([turns, at_once], ["registers"]),
        "warpgroups_take_turns": ([turns], [at_once]),
    }
    tuning = {}
    for name, (ways, others) in comparisons.items():
        theirs, of_others = total(found, ways), total(found, others)
        if theirs is not None and of_others is not None:
            tuning[name] = int(theirs < of_others)
    return tuning


def total(found: list[dict[str, float]], ways: Sequence[str]) -> float | None:
    """Seconds of the fastest of the ways that were measured at every size."""
    sums = [sum(one[way] for one in found) for way in ways if all(way in one for one in found)]
    return min(sums) if found and sums else None


def text(found: dict[str, Any]) -> str:
    """A few lines; empty where nothing was measured."""
    lines = []
    if "costs" in found:
        values = ", ".join(f"{name}={found['costs'][name]:.3g}" for name in NAMES)
        lines.append(f"_backends/costs.py: GPU_COSTS = Costs({values}, kept=1.0)")
    if "solver_tuning" in found:
        values = ", ".join(f"{name} = {value}" for name, value in found["solver_tuning"].items())
        lines.append(f"csrc/cuda/eigen/eigenvalues.hpp: {values}")
    if "product_tuning" in found:
        values = ", ".join(f"{name} = {value}" for name, value in found["product_tuning"].items())
        lines.append(f"csrc/cuda/tuning.hpp: {values}")
    for family in ("products", "solvers"):
        for one in found.get(family, []):
            size = ", ".join(f"{k} = {one[k]}" for k in ("n", "d", "m") if k in one)
            ways = ", ".join(f"{way} {seconds:.3g} s" for way, seconds in one["seconds"].items())
            lines.append(f"{family}, {one['precision']}, {size}: {one['fastest']} ({ways})")
    return "".join(f"{line}\n" for line in lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="what the two calls have left")
    files: results.Files = {}
    for path in parser.parse_args(arguments).results:
        files |= results.stored(path)
    print(text(proposed(files)), end="")


if __name__ == "__main__":
    main()
