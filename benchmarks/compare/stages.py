"""Times of the eigenvalue solver and of its three stages, from the C++ microbenchmarks.

`benchmarks.compare.suite` has them in its suites `stages` and `reductions`. With

    make bench-cpp BENCH_ARGS='--benchmark_filter=_of_a_gpu.*/threads:1/'
    python -m benchmarks.compare.stages build/benchmarks/cpp.json --clock cpu_time \\
        --output benchmarks/results/host_of_a_gpu.json

this program stores the host's share of eigenvalues on a GPU, by the clock of the thread that
computes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.compare.rounds import Settings
from benchmarks.shared.results import ROOT, rounded, to_columns, write

PROGRAM = ROOT / "build/release/benchmarks/cpp/eigentropy_benchmarks"
# Google Benchmark's names of the stages. The width of the band is that of eigenvalues.cpp from 1000
# rows on; the tridiagonal matrices have random entries.
STAGES = {
    "dense_to_band": ("dense to band", "<{type}>/n:{n}/width:32/threads:{threads}/real_time"),
    "band_to_tridiagonal": (
        "band to tridiagonal",
        "<{type}>/n:{n}/width:32/threads:{threads}/real_time",
    ),
    "tridiagonal_eigenvalues": (
        "tridiagonal",
        "<{type}, Spectrum::random>/n:{n}/threads:{threads}/real_time",
    ),
}
UNITS = {"ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}
TYPES = {"float64": "double", "float32": "float"}


def names(sizes: list[int], threads: int) -> dict[str, dict[str, Any]]:
    """What stands for each of Google Benchmark's names."""
    return {
        function + axes.format(type=TYPES[dtype], n=n, threads=threads): {
            "n": n,
            "dtype": dtype,
            "stage": stage,
        }
        for function, (stage, axes) in STAGES.items()
        for n in sizes
        for dtype in TYPES
    }


def exactly(names: Iterable[str]) -> str:
    """The option that selects by name; no name has a character that stands for others."""
    return f"--benchmark_filter=^({'|'.join(names)})$"


def solver_stages(sizes: list[int], settings: Settings) -> list[dict[str, Any]] | str:
    """Seconds of each stage for the sizes that the program has, or why there are none."""
    wanted = names(sizes, settings.threads)
    output = microbenchmarks(exactly(wanted), settings)
    return output if isinstance(output, str) else read(output, wanted)


def reductions(sizes: list[int], settings: Settings) -> Any:
    """Milliseconds for all eigenvalues in float64 by each reduction, or why there are none."""
    alternatives = "|".join(map(str, sizes))
    pattern = f"^eigenvalues<double, .*>/n:({alternatives})/threads:{settings.threads}/real_time$"
    output = microbenchmarks(f"--benchmark_filter={pattern}", settings)
    return output if isinstance(output, str) else stored(output)["runs"]


def microbenchmarks(chosen: str, settings: Settings) -> dict[str, Any] | str:
    """Google Benchmark's JSON, or why there is none: the other suites do not depend on it."""
    if not PROGRAM.exists():
        return "not measured: the C++ microbenchmarks are not built"
    command = [str(PROGRAM), chosen]
    command += ["--benchmark_format=json", f"--benchmark_repetitions={settings.repetitions}"]
    command += ["--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.1"]
    try:
        output = subprocess.run(
            command, env=settings.environment(), capture_output=True, text=True, check=True
        ).stdout
    except subprocess.CalledProcessError as error:
        return f"not measured: {(error.stderr.strip().splitlines() or [str(error)])[-1]}"
    if not output:  # it says so on stderr, and that it succeeded
        return "not measured: the C++ microbenchmarks do not have these sizes"
    result: dict[str, Any] = json.loads(output)
    return result


def read(results: dict[str, Any], wanted: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Of Google Benchmark's JSON: the median of the repetitions."""
    found: dict[str, list[float]] = {}
    for run in results["benchmarks"]:
        if run["run_type"] != "iteration" or run["run_name"] not in wanted:
            continue
        if "error_message" in run:
            raise ArithmeticError(f"{run['name']}: {run['error_message']}")
        found.setdefault(run["run_name"], []).append(run["real_time"] / UNITS[run["time_unit"]])
    return [
        {**wanted[name], "seconds": statistics.median(found[name])}
        for name in wanted
        if name in found
    ]


def stored(results: dict[str, Any], clock: str = "real_time") -> dict[str, Any]:
    """Of Google Benchmark's JSON: where it was measured, and the median milliseconds of each."""
    found: dict[str, list[float]] = {}
    for run in results["benchmarks"]:
        if run["run_type"] == "iteration" and "error_message" not in run:
            milliseconds = 1e3 * run[clock] / UNITS[run["time_unit"]]
            found.setdefault(run["name"], []).append(milliseconds)
    runs = [
        {"name": name, "milliseconds": statistics.median(times)} for name, times in found.items()
    ]
    return {"context": results["context"], "runs": to_columns(rounded(runs))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measured", type=Path, help="what --benchmark_out wrote")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--clock", choices=["real_time", "cpu_time"], default="real_time")
    options = parser.parse_args()
    write(options.output, stored(json.loads(options.measured.read_text()), options.clock))


if __name__ == "__main__":
    main()
