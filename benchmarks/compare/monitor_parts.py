"""Where the time of a step of a monitor goes, beside what the arithmetic of the machine allows.

    python -m benchmarks.compare.monitor_parts --output benchmarks/results/monitor_parts.json

The step is that of `make bench`: a probe passes a small network, one of whose layers is watched,
and DSE and DSMI(Z;Y) are measured. Steps that are timed as a whole take turns with steps of which
each call into the core and the pass of the network are timed. What is left is the hooks' and
Python's. The core finds all entropies in one call: what that is made of is timed in turn with the
steps, too, by calls of its own. Beside the parts that are arithmetic stands how long their
operations would take at the rate of a large product in the same precision.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.compare.cases import LAYER
from benchmarks.compare.monitor_step import INPUTS, NETWORK, Outside, monitor
from benchmarks.compare.timed_parts import product_rate, show_and_write
from eigentropy import _core
from eigentropy._backends.costs import SINGLE_FROM

WHOLE = "brief_entropies"  # the call of the core in a step
PARTITIONS = 3  # the observed groups, and the monitor's two random partitions
WARM_UP = 3


def measured(n: int, rounds: int) -> dict[str, Any]:
    """Medians of seconds: of a step, of each of its parts, and what the product rate allows."""
    spec = {"n": n, "d": LAYER[0], "classes": LAYER[1]}
    (_, step), (_, outside) = (
        monitor({**spec, "package": name}) for name in ("eigentropy", "eigentropy outside")
    )
    assert isinstance(outside, Outside)
    call = what_is_computed(step)
    steps, others = [], []
    parts: dict[str, list[float]] = {}
    for number in range(WARM_UP + rounds):
        start = time.perf_counter()
        step(None)
        middle = time.perf_counter()
        rest = outside(None)
        alone = one_by_one(*call)
        if number < WARM_UP:
            continue
        steps.append(middle - start)
        others.append(rest.seconds)
        for name, seconds in {**outside.parts, **alone}.items():
            parts.setdefault(name, []).append(seconds)
    rates = {dtype: product_rate(dtype) for dtype in ("float32", "float64")}
    return {
        **spec,
        "rounds": rounds,
        "seconds": statistics.median(steps),
        "least_seconds": min(steps),
        "parts": {name: statistics.median(taken) for name, taken in parts.items()},
        "outside": statistics.median(others),
        "least_outside": min(others),
        "product_flops": rates,
        "at_product_rate": at_product_rate(n, *LAYER, rates),
    }


def what_is_computed(step: Callable[[None], object]) -> tuple[Any, ...]:
    """The arguments of the core's call in a step."""
    with mock.patch.object(_core, WHOLE, side_effect=_core.brief_entropies) as call:
        step(None)
    return tuple(call.call_args.args)


def one_by_one(Z: Any, offsets: Any, indices: Any, *options: Any) -> dict[str, float]:
    """Seconds of the parts of the core's call, by calls of their own."""
    _, share_of_median, _, alpha, _, _, _, keeps_distances, _ = options
    taken = {}

    def timed(name: str, *arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        found = getattr(_core, name)(*arguments, **named)
        taken[name] = time.perf_counter() - start
        return found

    if keeps_distances:
        kept = timed("kept_distances", Z)
        sigma, dtype = share_of_median * kept.median * kept.scale, "float32"
    else:
        median, scale = timed("median_distance", Z)
        kept, sigma, dtype = None, share_of_median * median * scale, "float64"
    timed("spectrum", Z, sigma, alpha, dtype, None, kept)
    limit = {"memory_limit": math.inf}
    timed("subset_spectra", Z, offsets, indices, sigma, alpha, "float64", **limit)
    return taken


def at_product_rate(n: int, d: int, classes: int, rates: Mapping[str, float]) -> dict[str, float]:
    """Seconds of the operations of each part that is arithmetic, at these rates.

    Distances are products of rows, for one triangle, and eigenvalues of m rows take 4/3 m^3. All
    rows have eigenvalues in float32 from `SINGLE_FROM` rows on, groups in float64, as if all were
    of one size.
    """
    m, is_single = n / classes, n >= SINGLE_FROM
    of_groups = PARTITIONS * classes * (m**2 * d + 4.0 / 3.0 * m**3)
    return {
        NETWORK: 2.0 * n * d * (INPUTS + classes) / rates["float32"],
        "kept_distances" if is_single else "median_distance": n**2 * d / rates["float32"],
        "spectrum": 4.0 / 3.0 * n**3 / rates["float32" if is_single else "float64"],
        "subset_spectra": of_groups / rates["float64"],
    }


def lines(case: dict[str, Any]) -> list[str]:
    """A case for the eye, in milliseconds."""
    parts = case["parts"]
    rows = {
        "a step": case["seconds"],
        **{f"  {name}": seconds for name, seconds in parts.items() if name in (NETWORK, WHOLE)},
        "  hooks and Python": case["outside"],
        **{f"{name} alone": s for name, s in parts.items() if name not in (NETWORK, WHOLE)},
        **{f"{name} at the product rate": s for name, s in case["at_product_rate"].items()},
        "together at the product rate": sum(case["at_product_rate"].values()),
    }
    shown = [f"{1e3 * seconds:9.3f} ms  {name}" for name, seconds in rows.items()]
    return [f"n = {case['n']}, d = {case['d']}", *shown]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Where the time of a step of a monitor goes.")
    parser.add_argument("--samples", type=int, nargs="+", default=[1000])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    cases = [measured(n, options.rounds) for n in options.samples]
    show_and_write(cases, lines, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
