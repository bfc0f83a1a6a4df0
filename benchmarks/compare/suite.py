"""The comparison with other packages: `make bench`, or

    python -m benchmarks.compare.suite --suite eigenvalues dse --full --budget 7200

Run it alone on the machine. Each suite writes benchmarks/results/<suite>.json;
`benchmarks.documents` turns these into the tables and figures of the documents.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.compare import stages
from benchmarks.compare.cases import SUITES, Case, Suite
from benchmarks.compare.rounds import Settings, run_case
from benchmarks.shared import summary
from benchmarks.shared.machine import BLAS_VARIABLES
from benchmarks.shared.results import RESULTS, write
from eigentropy import _core


def run_suite(
    name: str,
    sizes: list[int],
    settings: Settings,
    save: Callable[[dict[str, Any]], object] = id,
    suites: Mapping[str, Suite] = SUITES,
) -> dict[str, Any]:
    """Every case, smallest first, until the deadline. What there is, is saved after each."""
    result: dict[str, Any] = {
        "suite": name,
        "machine": machine(settings),
        "environment": environment(settings),
        "repetitions": settings.repetitions,
        "cases": [],
        "skipped": [],
    }
    last: dict[str, dict[str, Any]] = {}
    for case in suites[name].cases(sizes):
        if settings.late():
            result["skipped"].append(case.parameters)
            continue
        measured = run_case(case, settings, last.get(case.series) if case.series else None)
        last[case.series] = measured
        result["cases"].append(measured)
        report(name, case, measured)
        save(result)
    if name == "stages":
        result["solver"] = stages.solver_stages(sizes, settings)
    save(result)
    return result


def machine(settings: Settings) -> dict[str, Any]:
    """As the children see it: what BLAS chooses depends on the environment."""
    return settings.measure({"task": "machine"}, settings.environment())


def environment(settings: Settings) -> dict[str, Any]:
    kept = settings.environment()
    return {
        "as_is": settings.as_is,
        "blas_variables": {name: kept[name] for name in BLAS_VARIABLES if name in kept},
    }


def report(suite: str, case: Case, measured: dict[str, Any]) -> None:
    label = ", ".join(f"{key}={value}" for key, value in case.parameters.items())
    print(f"{suite}: {label}")
    for name in measured["runs"]:
        seconds = summary.median(measured, name)
        extra = summary.median(measured, name, "extra_bytes")
        difference = measured["differences"].get(name)
        note = "" if difference is None else f"  difference {difference:.1e}"
        wrong = "  WRONG" if name in measured["wrong"] else ""
        print(f"  {name:37} {seconds * 1e3:10.2f} ms {extra / 2**20:7.1f} MiB{note}{wrong}")
    for name, reason in {**measured["absent"], **measured["failed"]}.items():
        print(f"  {name:40} {reason}")
    sys.stdout.flush()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Side by side with other packages.")
    parser.add_argument("--suite", nargs="+", choices=list(SUITES), default=list(SUITES))
    parser.add_argument("--sizes", nargs="+", type=int, help="n, instead of each suite's own")
    parser.add_argument("--full", action="store_true", help="the sizes that the documents quote")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--budget", type=float, default=1140.0, help="seconds after which nothing new starts"
    )
    parser.add_argument("--threads", type=int, default=_core.thread_count())
    parser.add_argument("--peers", nargs="*", help="distributions; default: all that are installed")
    parser.add_argument(
        "--as-is-environment",
        dest="as_is",
        action="store_true",
        help=f"keep {' and '.join(BLAS_VARIABLES)}, as a user does who changes nothing; "
        "the results are named <suite>.as-is.json",
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, suites: Mapping[str, Suite] = SUITES) -> int:
    options = parse(arguments)
    start = time.monotonic()
    wrong = False
    options.output.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(options.suite):
        # What is left is shared by the suites that are left.
        suite = suites[name]
        share = suite.share / sum(suites[later].share for later in options.suite[number:])
        left = options.budget - (time.monotonic() - start)
        settings = Settings(
            repetitions=options.repetitions,
            threads=options.threads,
            as_is=options.as_is,
            peers=None if options.peers is None else set(options.peers),
            deadline=time.monotonic() + share * left,
        )
        sizes = options.sizes or list(suite.full_sizes if options.full else suite.sizes)
        file = options.output / f"{name}{'.as-is' if options.as_is else ''}.json"
        result = run_suite(name, sorted(sizes), settings, partial(write, file), suites)
        print(f"{file}: {len(result['skipped'])} cases skipped for lack of time")
        wrong |= any(case["wrong"] for case in result["cases"])
    if wrong:
        print("error: answers disagree, see WRONG above", file=sys.stderr)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
