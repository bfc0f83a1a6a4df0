"""DSE and DSMI side by side with the authors' package `dse-dsmi`: time, peak memory, answers.

Each measurement is a process of its own, ours and theirs in turn (A B A B), so that peak memory is
that of one call and neither warms the other's caches. Run it alone on the machine:

    python benchmarks/compare_dse_dsmi.py --output benchmarks/results/compare_dse_dsmi.json
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

CASES = {
    "dse-n1000-d64": {"task": "dse", "n": 1000, "d": 64},
    "dse-n2000-d512": {"task": "dse", "n": 2000, "d": 512},
    "dse-n5000-d512": {"task": "dse", "n": 5000, "d": 512},
    "dsmi-n2000-d512-10-classes": {"task": "dsmi", "n": 2000, "d": 512},
    "dsmi-n5000-d512-10-classes": {"task": "dsmi", "n": 5000, "d": 512},
}


def measure(who: str, task: str, n: int, d: int) -> dict[str, float]:
    """One call in this process: seconds, peak memory above what the imports took, the answer."""
    rng = np.random.default_rng(0)
    Z, labels = rng.normal(size=(n, d)), rng.integers(0, 10, n)
    sigma = float(np.sqrt(d))
    with warnings.catch_warnings():  # the peer's import changes the process's filters
        if who == "peer":
            import dse_dsmi as package
        else:
            from eigentropy.compat import dse_dsmi as package
    before = peak_bytes()
    start = time.perf_counter()
    if task == "dse":
        answer = package.diffusion_spectral_entropy(Z, gaussian_kernel_sigma=sigma)
    else:
        answer, _ = package.diffusion_spectral_mutual_information(
            Z, labels, gaussian_kernel_sigma=sigma, num_repetitions=5
        )
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "peak_bytes": peak_bytes(),
        "extra_bytes": peak_bytes() - before,
        "answer": float(answer),
    }


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run_child(who: str, case: dict[str, object]) -> dict[str, float]:
    from machine import clean_environment

    command = [sys.executable, __file__, "--child", json.dumps({"who": who, **case})]
    output = subprocess.run(
        command, env=clean_environment(), capture_output=True, text=True, check=True
    ).stdout
    return json.loads(output)


def compare(case: dict[str, object], repetitions: int) -> dict[str, object]:
    """Ours and theirs in turn; medians, and the median of the ratios pair by pair."""
    ours, peer = [], []
    for _ in range(repetitions):
        ours.append(run_child("ours", case))
        peer.append(run_child("peer", case))
    answers = [run["answer"] for run in ours + peer]
    return {
        **case,
        "seconds_ours": [run["seconds"] for run in ours],
        "seconds_peer": [run["seconds"] for run in peer],
        "speedup": statistics.median(
            theirs["seconds"] / mine["seconds"] for mine, theirs in zip(ours, peer, strict=True)
        ),
        "peak_bytes_ours": statistics.median(run["peak_bytes"] for run in ours),
        "peak_bytes_peer": statistics.median(run["peak_bytes"] for run in peer),
        "extra_bytes_ours": statistics.median(run["extra_bytes"] for run in ours),
        "extra_bytes_peer": statistics.median(run["extra_bytes"] for run in peer),
        "largest_difference": max(answers) - min(answers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(**json.loads(arguments.child))))
        return

    from machine import describe

    results = {"machine": describe(), "cases": {}}
    for name in arguments.cases:
        result = compare(CASES[name], arguments.repetitions)
        results["cases"][name] = result
        share = result["peak_bytes_ours"] / result["peak_bytes_peer"]
        print(
            f"{name:30} {result['speedup']:6.1f}x faster, {100 * share:3.0f} % of the peak memory, "
            f"answers within {result['largest_difference']:.1e}"
        )
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
