"""The comparison with other packages: `make bench`, or

    python -m benchmarks.compare.suite --suite eigenvalues dse --full --budget 7200
    python -m benchmarks.compare.suite --plan

Run it alone on the machine. Each suite that ends writes benchmarks/results/<suite>.json, or
<suite>.full.json with --full; `benchmarks.documents` turns these into the tables and figures of the
documents. What a suite has measured before it is interrupted is in <suite>.unfinished.json.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.compare import plan, stages
from benchmarks.compare.cases import SUITES
from benchmarks.compare.contenders import Case, Suite
from benchmarks.compare.rounds import Settings, run_case
from benchmarks.shared import summary
from benchmarks.shared.machine import BLAS_VARIABLES
from benchmarks.shared.results import RESULTS, write
from eigentropy import _core

# Seconds after which nothing new starts: of the default form, which has 20 minutes, and of --full.
BUDGET, FULL_BUDGET = 1110.0, 14400.0
# What the C++ microbenchmarks add to a suite: its name in the result, and what measures it.
PROGRAMS: dict[str, tuple[str, Callable[[list[int], Settings], Any]]] = {
    "stages": ("solver", stages.solver_stages),
    "reductions": ("runs", stages.reductions),
}
INTERRUPTED = 130


def run_suite(
    name: str,
    sizes: list[int],
    settings: Settings,
    save: Callable[[dict[str, Any]], object] = id,
    suites: Mapping[str, Suite] = SUITES,
) -> dict[str, Any]:
    """Every case, smallest first, until the end. What there is, is saved after each."""
    result: dict[str, Any] = {
        "suite": name,
        "machine": machine(settings),
        "environment": environment(settings),
        "repetitions": settings.repetitions,
        "cases": [],
        "skipped": [],
    }
    start = time.monotonic()
    last: dict[str, dict[str, Any]] = {}
    for case in suites[name].cases(sizes):
        if settings.over():
            result["skipped"].append({**case.parameters, "reason": "no time was left"})
            continue
        try:
            measured = run_case(case, settings, last.get(case.series) if case.series else None)
        except Exception as error:  # the other cases are still wanted
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
            result["skipped"].append({**case.parameters, "reason": reason})
            continue
        last[case.series] = measured
        result["cases"].append(measured)
        report(name, case, measured)
        save(result)
    if name in PROGRAMS:
        part, program = PROGRAMS[name]
        result[part] = program(sizes, settings)
    result["wall_seconds"] = round(time.monotonic() - start, 1)
    return result


def machine(settings: Settings) -> dict[str, Any]:
    """As the children see it: what BLAS chooses depends on the environment."""
    child = settings.start({"task": "machine"}, settings.environment())
    try:
        return child.ask({})
    finally:
        child.close()


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
        print(f"  {name:37} {reason}")
    print(f"  {measured['wall_seconds']:.0f} s")
    sys.stdout.flush()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Side by side with other packages.")
    parser.add_argument("--suite", nargs="+", choices=list(SUITES), default=list(SUITES))
    parser.add_argument("--sizes", nargs="+", type=int, help="n, instead of each suite's own")
    parser.add_argument("--full", action="store_true", help="larger sizes, too: hours")
    parser.add_argument("--repetitions", type=int, default=3, help="rounds of each case")
    parser.add_argument("--budget", type=float, help="seconds after which nothing new starts")
    parser.add_argument("--plan", action="store_true", help="print how long it will take")
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
    settings = Settings(
        repetitions=options.repetitions,
        threads=options.threads,
        as_is=options.as_is,
        peers=None if options.peers is None else set(options.peers),
    )
    sizes = {name: chosen_sizes(suites[name], options) for name in options.suite}
    expected = plan.of_suites(suites, sizes, settings, RESULTS)
    if options.plan:
        print(
            "".join(f"{name:12} {seconds:6.0f} s\n" for name, seconds in expected.items()), end=""
        )
        print(f"{'together':12} {sum(expected.values()):6.0f} s")
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    try:
        failures = run_all(options, sizes, settings, expected, suites)
    except KeyboardInterrupt:
        print("interrupted: the suites that had ended are stored", file=sys.stderr)
        return INTERRUPTED
    print(f"together: {time.monotonic() - start:.0f} s")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return int(bool(failures))


def run_all(
    options: argparse.Namespace,
    sizes: Mapping[str, list[int]],
    settings: Settings,
    expected: Mapping[str, float],
    suites: Mapping[str, Suite],
) -> list[str]:
    """Runs and stores the suites, and says what went wrong."""
    failures = []
    budget = options.budget or (FULL_BUDGET if options.full else BUDGET)
    end = time.monotonic() + budget
    for number, name in enumerate(options.suite):
        # What is left is shared by the suites that are left, as they need it.
        later = sum(expected[other] for other in options.suite[number:])
        left = end - time.monotonic()
        share = left * expected[name] / later if later else left
        limited = replace(settings, deadline=time.monotonic() + share, end=end)
        file = options.output / f"{name}{ending(options)}.json"
        unfinished = file.with_suffix(".unfinished.json")
        try:
            result = run_suite(name, sizes[name], limited, partial(write, unfinished), suites)
        except Exception as error:  # the other suites are still wanted
            traceback.print_exc()
            failures.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if result["cases"] or name in PROGRAMS:
            write(file, result)
        unfinished.unlink(missing_ok=True)
        print(f"{file}: {result['wall_seconds']:.0f} s, {expected[name]:.0f} s were expected")
        failures += [f"{name}: {kept['reason']}: {kept}" for kept in result["skipped"]]
        if any(case["wrong"] for case in result["cases"]):
            failures.append(f"{name}: answers disagree, see WRONG above")
    return failures


def chosen_sizes(suite: Suite, options: argparse.Namespace) -> list[int]:
    return sorted(options.sizes or (suite.full_sizes if options.full else suite.sizes))


def ending(options: argparse.Namespace) -> str:
    """What the name of a result has after its suite."""
    return f"{'.full' if options.full else ''}{'.as-is' if options.as_is else ''}"


if __name__ == "__main__":
    # Contenders run on until they are ended, and a shell may have let its jobs ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
