"""Markdown tables of results, printed or put into documents.

    python -m benchmarks.documents.tables
    python -m benchmarks.documents.tables --update README.md docs/*/*.md

Of everything in benchmarks/results. A document says where: between `<!-- benchmark: dse -->` and
`<!-- end of benchmark -->`. A block whose results are missing is left as it is.
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.documents import (
    distributed_tables,
    error_tables,
    estimator_tables,
    imagenet_tables,
    runs,
)
from benchmarks.shared.markdown_tables import table, time, times
from benchmarks.shared.results import RESULTS, to_rows
from benchmarks.shared.summary import (
    OURS,
    best_of,
    best_peer,
    fastest,
    median,
    share_of_product,
    speedup,
)

Results = dict[str, dict[str, Any]]  # by suite

BLOCK = re.compile(
    r"(<!-- benchmark: (?P<name>[\w. -]+) -->\n)(?P<table>.*?)(<!-- end of benchmark -->)",
    re.DOTALL,
)
LIBRARIES = {
    "numpy": "NumPy",
    "scipy": "SciPy",
    "torch": "PyTorch",
    "openblas": "OpenBLAS",
    "mkl": "MKL",
}
# eigentropy.compat.dse_dsmi, which computes the very numbers of dse-dsmi.
COMPAT = f"{OURS} compat"
PEERS = ("dse-dsmi", "dse-dsmi float32")
MEGABYTE = 2.0**20
DIFFERENCE = "relative_difference"


def seconds_of(case: dict[str, Any], name: str | None) -> str:
    return "" if name is None or name not in case["runs"] else time(median(case, name))


def times_of(case: dict[str, Any], peer: str | None, ours: str = OURS) -> str:
    if peer is None or ours not in case["runs"] or peer not in case["runs"]:
        return ""
    return times(speedup(case, peer, ours))


def matrices(case: dict[str, Any], name: str) -> str:
    """Memory of a call in units of one n x n matrix of float64."""
    if name not in case["runs"]:
        return ""
    return f"{median(case, name, 'extra_bytes') / (8.0 * case['n'] ** 2):.2f}"


def difference(case: dict[str, Any], name: str = OURS) -> str:
    """Largest of the answers' differences; `name` for one contender's."""
    found = case["differences"].get(name, math.nan)
    return "" if math.isnan(found) else f"{found:.0e}"


def error(case: dict[str, Any]) -> str:
    """Of ours to NumPy's; to the best peer's where NumPy is too slow to take part."""
    return difference(case, OURS if "numpy" in case["differences"] else best_peer(case) or OURS)


def eigenvalues(results: Results) -> str:
    result = results["eigenvalues"]
    header = ["n", "precision", "eigentropy", "of the product's rate", "best peer", "over it"]
    rows = []
    for case in result["cases"]:
        if case.get("task") == "product":
            continue
        peer, share = best_peer(case), share_of_product(result, case)
        rows.append(
            [
                str(case["n"]),
                case["dtype"],
                seconds_of(case, OURS),
                "" if share is None else f"{100 * share:.0f} %",
                "" if peer is None else f"{peer}, {seconds_of(case, peer)}",
                times_of(case, peer),
                *[times_of(case, best_of(case, library)) for library in LIBRARIES],
                error(case),
            ]
        )
    return table([*header, *[f"over {name}" for name in LIBRARIES.values()], "error"], rows)


def entropies(suite: str) -> Callable[[Results], str]:
    def render(results: Results) -> str:
        ours, single, peer = COMPAT, f"{OURS} float32", "dse-dsmi"
        header = ["n", "d", "compat", "in float32", "dse-dsmi", "over it", "in float32"]
        header += ["memory", "in float32", "dse-dsmi", "answers differ by", "in float32"]
        rows = [
            [
                str(case["n"]),
                str(case["d"]),
                *[seconds_of(case, name) for name in (ours, single, peer)],
                times_of(case, peer, ours),
                times_of(case, peer, single),
                *[matrices(case, name) for name in (ours, single, peer)],
                difference(case, peer),
                difference(case, single),
            ]
            for case in results[suite]["cases"]
        ]
        return table(header, rows)

    return render


def stochastic(results: Results) -> str:
    """Differences are relative."""
    peer = "dse-dsmi"
    ways = {"stochastic": f"{OURS} stochastic", "auto": f"{OURS} auto", "exact": f"{OURS} float32"}
    header = ["n", "d", *ways, peer, *[f"{peer} over {way}" for way in ways]]
    header += [*[f"MiB, {way}" for way in (*ways, peer)]]
    header += [f"{way} differs by" for way in ("stochastic", "auto")]
    rows = [
        [
            str(case["n"]),
            str(case["d"]),
            *[seconds_of(case, name) for name in (*ways.values(), peer)],
            *[times_of(case, peer, name) for name in ways.values()],
            *[megabytes(case, name) for name in (*ways.values(), peer)],
            *[difference(case, ways[way]) for way in ("stochastic", "auto")],
        ]
        for case in results["stochastic"]["cases"]
    ]
    return table(header, rows)


def vendi(results: Results) -> str:
    """Differences are relative, to all eigenvalues in float64."""
    peers = ("vendi-score", "vendi-score float32")
    names = (OURS, f"{OURS} exact", *peers)
    header = ["n", "d", *names, *[f"times as fast as {peer}" for peer in peers]]
    header += [*[f"MiB, {name}" for name in (OURS, peers[0])], f"{OURS} differs by"]
    rows = [
        [
            str(case["n"]),
            str(case["d"]),
            *[seconds_of(case, name) for name in names],
            *[times_of(case, peer, OURS) for peer in peers],
            *[megabytes(case, name) for name in (OURS, peers[0])],
            difference(case, OURS),
        ]
        for case in results["vendi"]["cases"]
    ]
    return table(header, rows)


def megabytes(case: dict[str, Any], name: str) -> str:
    """What a call takes beyond its input."""
    return f"{median(case, name, 'extra_bytes') / MEGABYTE:.0f}" if name in case["runs"] else ""


def dsmi(results: Results) -> str:
    auto, peer = f"{OURS} auto", "dse-dsmi"
    header = ["n", "classes", "compat", "auto", "dse-dsmi", "over it", "auto"]
    header += ["memory", "auto", "dse-dsmi", "answers differ by", "auto"]
    rows = [
        [
            str(case["n"]),
            str(case["classes"]),
            *[seconds_of(case, name) for name in (COMPAT, auto, peer)],
            times_of(case, peer, COMPAT),
            times_of(case, peer, auto),
            *[matrices(case, name) for name in (COMPAT, auto, peer)],
            difference(case, peer),
            difference(case, auto),
        ]
        for case in results["dsmi"]["cases"]
    ]
    return table(header, rows)


def stages(results: Results) -> str:
    """What is a difference of two measured times is marked by the sign ~."""
    header, rows = ["n", "stage", "eigentropy", "dse-dsmi"], []
    for case in results["stages"]["cases"]:
        runs, n = case["runs"], str(case["n"])

        def taken(name: str, case: dict[str, Any] = case) -> float:
            return median(case, name) if name in case["runs"] else math.nan

        kernel, both = taken("eigentropy kernel"), taken("eigentropy kernel and normalisation")
        peer_kernel = taken("dse-dsmi distances") + taken("dse-dsmi kernel")
        rows.append([n, "distances and kernel", _known(kernel), _known(peer_kernel)])
        ours = f"~ {time(max(0.0, both - kernel))}" if both >= 0 else ""
        rows.append([n, "normalisation", ours, _known(taken("dse-dsmi normalisation"))])
        eigenvalues = ("eigentropy eigenvalues", "dse-dsmi eigenvalues")
        rows.append([n, "eigenvalues", *[_known(taken(name)) for name in eigenvalues if runs]])
        solver = results["stages"].get("solver", [])
        for part in solver if isinstance(solver, list) else []:
            if part["n"] == case["n"] and part["dtype"] == "float64":
                rows.append([n, f"of these, {part['stage']}", time(part["seconds"]), ""])
    return table(header, rows)


REDUCTIONS = {"one_stage": "one-stage", "two_stage": "two-stage", "lapack": "LAPACK"}


def reductions(results: Results) -> str:
    """Milliseconds for all eigenvalues on all threads, by how the matrix is reduced."""
    result = results["reductions"]
    if isinstance(result["runs"], str):
        return ""
    threads = result.get("machine", {}).get("threads", 2)
    name = re.compile(rf"eigenvalues<double, Reduction::(\w+)>/n:(\d+)/threads:{threads}/real_time")
    found: dict[int, dict[str, str]] = {}
    for run in to_rows(result["runs"]):
        if match := name.fullmatch(run["name"]):
            found.setdefault(int(match[2]), {})[match[1]] = f"{run['milliseconds']:.3g}"
    kinds = dict.fromkeys([*REDUCTIONS, *(kind for at in found.values() for kind in at)])
    rows = [[str(n), *[at.get(kind, "") for kind in kinds]] for n, at in sorted(found.items())]
    return table(["n", *[REDUCTIONS.get(kind, kind) for kind in kinds]], rows)


HOST_OF_A_GPU = {
    "chase/width:32": "chase, b = 32",
    "chase/width:64": "chase, b = 64",
    "bisection": "bisection",
    "sterf": "QR iteration (`sterf`)",
}


def host_of_a_gpu(results: Results) -> str:
    """Seconds of one core for what is left when a GPU has reduced a matrix."""
    name = re.compile(r"(\w+)_of_a_gpu<(\w+)>/n:(\d+)(/width:\d+)?/threads:1/.*")
    found: dict[tuple[int, str], dict[str, str]] = {}
    for run in to_rows(results["host_of_a_gpu"]["runs"]):
        if match := name.fullmatch(run["name"]):
            dtype = {"double": "float64", "float": "float32"}[match[2]]
            stage = match[1] + (match[4] or "")
            found.setdefault((int(match[3]), dtype), {})[stage] = f"{run['milliseconds'] / 1e3:.3g}"
    rows = [
        [str(n), dtype, *[at.get(stage, "") for stage in HOST_OF_A_GPU]]
        for (n, dtype), at in sorted(found.items())
    ]
    return table(["n", "dtype", *HOST_OF_A_GPU.values()], rows)


def _known(seconds: float) -> str:
    return "" if math.isnan(seconds) else time(seconds)


# The libraries that solve many matrices.
BATCHES = ("numpy", "torch", "mkl")


def batch(results: Results) -> str:
    header = ["matrices", "n", "precision", "eigentropy", "best peer", "over it"]
    rows = []
    for case in results["batch"]["cases"]:
        peer = best_peer(case)
        rows.append(
            [
                str(case["count"]),
                str(case["n"]),
                case.get("dtype", "float64"),
                seconds_of(case, OURS),
                "" if peer is None else f"{peer}, {seconds_of(case, peer)}",
                times_of(case, peer),
                *[times_of(case, best_of(case, library)) for library in BATCHES],
                difference(case),
            ]
        )
    return table([*header, *[f"over {LIBRARIES[name]}" for name in BATCHES], "error"], rows)


def memory(results: Results) -> str:
    header = ["of", "n", "by", "n x n matrices", "MiB", "peak of the process, MiB"]
    rows = [
        [
            case["of"],
            str(case["n"]),
            name,
            matrices(case, name),
            f"{median(case, name, 'extra_bytes') / MEGABYTE:.0f}",
            f"{median(case, name, 'peak_bytes') / MEGABYTE:.0f}",
        ]
        for case in results["memory"]["cases"]
        for name in case["runs"]
    ]
    return table(header, rows)


def variants(results: Results) -> str:
    """Root mean squares of relative errors at t = 1."""
    by_data = results["stochastic_variants"]["variants"]["data"]
    rows = [
        [label, *[scientific(of[label]["t=1"]["rms_relative_error"]) for of in by_data.values()]]
        for label in next(iter(by_data.values()))
    ]
    return table(["", *by_data], rows)


def growth(what: str, column: str) -> Callable[[Results], str]:
    """What an estimate without a matrix takes over n, d or tol."""

    def render(results: Results) -> str:
        large = results["large"]
        cases = [*large[what], *([large["largest"]] if what == "sizes" else [])]
        header = [column, "time", "passes", "columns", "MB", "half-width of the interval"]
        rows = [
            [
                f"{case[column]:g}",
                time(case["seconds"]),
                str(case["passes"]),
                str(case["columns"]),
                f"{case['peak_bytes'] / 1e6:.0f}",
                scientific(case["half_width"] / case["bits"]),
            ]
            for case in cases
        ]
        return table(header, rows)

    return render


def known(results: Results) -> str:
    """Relative differences from answers that are known without eigenvalues."""
    rows = [
        [row["name"], t, f"{at['bits']:.4f}", _truth(at), scientific(at[DIFFERENCE])]
        for row in results["large"]["known"]
        for t, at in row["t"].items()
    ]
    return table(["", "t", "bits", "truth", "differs by"], rows)


def _truth(at: dict[str, Any]) -> str:
    return f"{at['truth']:.4f}" if "truth" in at else f"at most {at['upper_bound']:.4f}"


def ways(results: Results) -> str:
    """Measured times of the three ways to an entropy, and what "auto" chooses."""
    names = ("exact", "explicit", "matrix-free")
    rows = [
        [
            str(row["n"]),
            str(row["d"]),
            *[time(row["seconds"][name]) for name in names],
            row["chosen"],
            times(row["chosen_over_fastest"]),
        ]
        for row in results["approaches"]["rows"]
    ]
    return table(["n", "d", *names, "chosen", "time over the fastest"], rows)


WAYS = {
    "exact": "all eigenvalues, float32",
    "explicit": "an estimate that keeps the kernel",
    "matrix-free": "an estimate without a matrix",
}

# Of the sizes of approaches.json and large.json; docs/how_to/many_rows.md shows these.
MANY_ROWS = {"approaches": (1000, 5000, 7000, 10_000), "large": (20_000, 40_000, 100_000)}


def many_rows(results: Results) -> str:
    """What the method that "auto" chooses takes for one entropy."""
    chosen = [
        (row["n"], row["d"], row["chosen"], row["seconds"][row["chosen"]], "approaches")
        for row in results["approaches"]["rows"]
        if row["d"] == 512 and row["n"] in MANY_ROWS["approaches"]
    ]
    large = results["large"]
    estimates = [
        (case["n"], case["d"], "matrix-free", case["seconds"], "large")
        for case in [*large["sizes"], large["largest"]]
        if case["n"] in MANY_ROWS["large"]
    ]
    rows = [
        [str(n), str(d), WAYS[way], time(seconds), f"`benchmarks/results/{suite}.json`"]
        for n, d, way, seconds, suite in chosen + estimates
    ]
    return table(["n", "d", "what is computed", "time", "measured in"], rows)


def million_rows(results: Results) -> str:
    """Measured and predicted times of an estimate that keeps no kernel."""
    found = results["million_rows"]
    cases = [(row, row["threads"], "measured") for row in found["sizes"]]
    cases += [(row, row["cores"], "predicted") for row in found["predicted"]]
    rows = [
        [
            str(row["n"]),
            str(cores),
            str(row["products"]),
            time(row["seconds"]),
            f"{row['peak_bytes'] / 1e6:.0f}",
            how,
        ]
        for row, cores, how in cases
    ]
    return table(["n", "cores", "products", "time", "MB", ""], rows)


def many_tokens(results: Results) -> str:
    """Both entropies of the tokens of a layer in one go."""
    rows = [
        [
            str(row["layer"]),
            f"{row['tokens']} of {row['prompts']}",
            str(row["d"]),
            *[
                f"{one['bits']:.3f} ± {(one['high'] - one['low']) / 2.0:.3f} "
                f"(± {one['sampling_error']:.3f})"
                for one in (row["dse"], row["kernel_entropy"])
            ],
            time(row["seconds"]),
            time(row["cpu_seconds"]),
            f"{row['peak_bytes'] / 1e9:.1f} GB",
        ]
        for row in results["many_tokens"]["rows"]
    ]
    header = "layer,tokens of prompts,d,DSE,kernel entropy,time,CPU time,memory"
    return table(header.split(","), rows)


def tokens_of_a_reservoir(results: Results) -> str:
    """What a reservoir predicts for more tokens, beside their entropies."""
    rows = [
        [
            str(one["layer"]),
            one["measure"].replace("_", " ").replace("dse", "DSE"),
            f"{one['of_reservoir']:.3f}",
            f"{one['predicted']:.3f}",
            f"{one['low']:.3f} to {one['high']:.3f}",
            f"{one['bits']:.3f}",
            "yes" if one["inside"] else "no",
        ]
        for one in results["many_tokens"]["predictions"]
    ]
    header = "layer,measure,of the reservoir,predicted,95 % interval,of all tokens,inside"
    return table(header.split(","), rows)


def cost_of_a_reservoir(results: Results) -> str:
    """What a reservoir of tokens adds to the forward passes that it watches."""
    found = results["token_reservoir"]
    seconds, memory, model = found["time"], found["memory"], found["model"]
    row = [
        str(memory["tokens"]),
        str(model["layers"]),
        str(model["d"]),
        str(seconds["stored"]),
        f"{memory['added_bytes'] / 1e6:.0f} MB",
        time(seconds["seconds_without"]),
        f"{100 * seconds['share']:.1f} %",
    ]
    header = "tokens,layers,d,kept in each layer,added memory,forward passes,added time"
    return table(header.split(","), [row])


def npeet(results: Results) -> str:
    """eigentropy.compat.npeet beside NPEET, and the largest difference of their values."""
    rows = [
        [
            f"`{case['function']}`",
            str(case["n"]),
            *[time(case["median_processor_seconds"][name]) for name in (OURS, "NPEET")],
            times(case["times_as_fast"]),
            f"{case['difference']:.0e}",
        ]
        for case in results["npeet"]["cases"]
    ]
    return table(["function", "n", "eigentropy", "NPEET", "times as fast", "differs by"], rows)


def report_page(results: Results) -> str:
    """Size of a page, and when a browser has drawn it."""
    known = results["report_page"]
    drawn = known["rendered_milliseconds"]
    row = [
        f"{known['epochs']} x {known['layers']}",
        f"{known['bytes'] / 1e6:.2f} MB",
        time(drawn["median"] / 1e3),
        time(drawn["most"] / 1e3),
    ]
    header = ["epochs x layers", "page", "drawn after", f"slowest of {drawn['rounds']}"]
    return table(header, [row])


def units_cost(results: Results) -> str:
    """What recording units adds to a measurement, to the disk and to the page."""
    known = results["units_cost"]
    spent = known["seconds"]
    row = [
        f"{known['layers']} x {known['width']}",
        str(known["samples"]),
        time(spent["without"]),
        time(spent["with"]),
        f"{known['bytes_a_step'] / 1e6:.2f} MB",
        f"{known['page_bytes'] / 1e3:.0f} kB",
    ]
    header = [
        "layers x units", "samples", "without units", "with units", "file", "on the page",
    ]  # fmt: skip
    return table(header, [row])


def projection(results: Results) -> str:
    """DSE of all columns, and of k columns with the projection to them."""
    of, errors = ("k columns", "halves"), ("error", "error with halves")
    header = ["n", "projection", "k", "DSE", "project", "DSE of k columns", "of both halves"]
    header += ["times as fast", "with halves", "error / sampling error", "with halves"]
    rows = [
        [
            str(size["n"]),
            case["kind"],
            str(case["k"]),
            *[time(case[name]) for name in ("plain", "project", *[f"dse of {k}" for k in of])],
            *[times(case[name]) for name in ("times as fast", "with halves")],
            *[f"{case[name] / size['sampling error']:.2g}" for name in errors],
        ]
        for size in results["projection"]["sizes"]
        for case in size["cases"]
    ]
    return table(header, rows)


def scientific(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


# The suites of users' calls; those of eg.dse do not say so.
CALLS = ("dse", "calls", "monitor")


def speed(results: Results) -> str:
    """What users call, with its defaults; empty where it was not measured."""
    header = ["", "n", "d", "classes", "time", "dse-dsmi", "times as fast"]
    header += ["memory", "of dse-dsmi", "differs by"]
    rows = [
        [
            f"`{case.get('call', 'eg.dse(Z)')}`",
            str(case["n"]),
            str(case["d"]),
            str(case.get("classes", "")),
            *_beside(case, fastest(case, PEERS)),
        ]
        for suite in CALLS
        for case in results[suite]["cases"]
        if OURS in case["runs"]
    ]
    return table(header, rows) if rows else ""


def monitor_step(results: Results) -> str:
    """A step of one layer, and what of it is neither in the core nor in the network."""
    rows = [
        [
            str(case["n"]),
            str(case["d"]),
            *[seconds_of(case, name) for name in (OURS, f"{OURS} outside", "dse-dsmi")],
            times_of(case, "dse-dsmi"),
        ]
        for case in results["monitor"]["cases"]
    ]
    header = ["samples", "d", "a step", "of it hooks and Python", "with dse-dsmi", "times as fast"]
    return table(header, rows)


# What is in a step of a monitor, by the functions that are timed. The core finds all entropies in
# one call, and the three parts of that are timed by calls of their own.
STEP = {
    "the network": ("network",),
    "all entropies, from the rows": ("brief_entropies",),
    "of it the median distance": ("kept_distances", "median_distance"),
    "of it all eigenvalues of the rows": ("spectrum",),
    "of it all eigenvalues of the groups": ("subset_spectra",),
}


def _of_step(parts: Mapping[str, float]) -> dict[str, float]:
    known = {what: [parts[name] for name in STEP[what] if name in parts] for what in STEP}
    return {what: sum(seconds) for what, seconds in known.items() if seconds}


def monitor_parts(results: Results) -> str:
    """Where the time of a step goes, and how long its arithmetic takes at the product rate."""
    rows = []
    for case in results["monitor_parts"]["cases"]:
        seconds = _of_step(case["parts"])
        seconds["hooks and Python"] = case["outside"]
        seconds["the step as a whole"] = case["seconds"]
        least = _of_step(case["at_product_rate"])
        least["the step as a whole"] = sum(least.values())
        rows += [
            [str(case["n"]), what, time(taken), time(least[what]) if what in least else ""]
            for what, taken in seconds.items()
        ]
    return table(["samples", "part", "time", "at the product rate"], rows)


def estimate_parts(results: Results) -> str:
    """Where the time of an estimate goes, and how long its arithmetic takes at the product rate."""
    rows = []
    for case in results["estimate_parts"]["cases"]:
        parts, least, seconds = case["parts"], case["at_product_rate"], case["seconds"]
        columns = sum(case["columns"])
        shown = [
            ("the kernel of all rows", parts["kernel"], least["kernel"]),
            (f"products with {columns} vectors", parts["products"], least["products"]),
            ("everything else", seconds - sum(parts.values()), None),
            ("the estimate as a whole", seconds, sum(least.values())),
            ("processor time of the system for the kernel's memory", case["system_seconds"], None),
        ]
        rows += [
            [str(case["n"]), what, time(taken), "" if limit is None else time(limit)]
            for what, taken, limit in shown
        ]
    return table(["rows", "part", "time", "at the product rate"], rows)


def kept_kernel(results: Results) -> str:
    """An estimate with the kernel kept in float32, and in 16 bits."""
    rows = []
    for case in results["kept_kernel"]["cases"]:
        taken = {way: statistics.median(seconds) for way, seconds in case["seconds"].items()}
        rows.append(
            [
                str(case["n"]),
                str(case["d"]),
                f"{case['tol']:g}",
                time(taken["float32"]),
                time(taken["16 bits"]),
                f"{case['times_as_fast']:.1f}x",
            ]
        )
    return table(["n", "d", "tol", "in float32", "in 16 bits", "times as fast"], rows)


def largest(results: Results) -> str:
    """An estimate of more rows than all eigenvalues could be found of."""
    rows = [
        [str(case["n"]), str(case["d"]), f"{case['tol']:g}", seconds_of(case, OURS)]
        for case in results["largest"]["cases"]
    ]
    return table(["n", "d", "tol", "`eg.dse(Z)`"], rows)


def _beside(case: dict[str, Any], peer: str | None) -> list[str]:
    def memory(name: str | None) -> str:
        return f"{megabytes(case, name)} MiB" if name else ""

    return [
        seconds_of(case, OURS),
        seconds_of(case, peer),
        times_of(case, peer),
        memory(OURS),
        memory(peer),
        difference(case),
    ]


def figure(_: Results) -> str:
    return (
        "![Time for all eigenvalues and for an entropy over n, eigentropy and other libraries]"
        "(../figures/performance.svg)\n"
    )


def monitor(results: Results) -> str:
    """What a monitor adds to an epoch, by a pass of its own and in the loop's evaluation."""
    cases: dict[tuple[str, int, int], dict[str, Any]] = {}
    for case in results["monitor_cost"]["cases"]:
        cases.setdefault((case["network"], case["batch"], case["layers"]), {})[case["way"]] = case
    rows = [
        [
            *map(str, key),
            time(ways["probe"]["median_seconds"]["without"]),
            *(text for way in ("probe", "evaluation") for text in added(ways[way])),
        ]
        for key, ways in cases.items()
    ]
    header = ["network", "batch", "layers", "an epoch", "probe adds", "5 % at", "evaluation adds"]
    return table([*header, "5 % at"], rows)


def added(case: dict[str, Any]) -> list[str]:
    """The share of an epoch, and how rarely to measure for 5 %."""
    return [f"{100 * case['share']:.1f} %", f"every={case['every']}"]


def gradients(results: Results) -> str:
    """Differences to autograd's gradient in float64, beside its largest entry."""
    return _gradients(results["torch_gradient"]["cases"])


def kernel_gradients(results: Results) -> str:
    """The same of the kernel entropy of some orders."""
    cases = results["kernel_gradient"]["cases"]
    orders = dict.fromkeys(case["measure"] for case in cases)
    tables = (_gradients([c for c in cases if c["measure"] == order], [order]) for order in orders)
    first, *others = (found.splitlines() for found in tables)
    return "\n".join([*first, *(line for lines in others for line in lines[2:])])


def _gradients(cases: list[Any], leading: Sequence[str] = ()) -> str:
    header = ["n", "d", "precision", "how", "time", "over autograd", "differs by", "cosine"]
    rows = [
        [
            *leading,
            str(case["n"]),
            str(case["d"]),
            case["dtype"],
            name,
            time(seconds),
            times(case["speed"][name]),
            f"{case['errors'][name]['difference']:.0e}",
            f"{case['errors'][name]['cosine']:.4f}",
        ]
        for case in cases
        for name, seconds in case["median_seconds"].items()
    ]
    return table([*(["entropy"] if leading else []), *header], rows)


def sequence_gradients(results: Results) -> str:
    """Seconds of a batch, wall and processor; ratios are to the best of the peers in each."""
    header = ["tokens", "measure", "length", "how", "time", "over the best peer"]
    header += ["processor time", "over the best peer"]
    rows = [
        [
            case["tokens"],
            case["measure"],
            str(case["length"]),
            way,
            time(seconds),
            times(case["speed"][way]),
            time(case["least_processor_seconds"][way]),
            times(case["processor_ratio"][way]),
        ]
        for case in results["sequence_gradient"]["cases"]
        for way, seconds in case["median_seconds"].items()
    ]
    return table(header, rows)


# Of the rows of float32_accuracy.json; docs/explanations/mathematics.md shows these.
FLOAT32_ROWS = {
    "gaussian d=2": ("auto", 10.0),
    "gaussian d=20": ("auto", 10.0),
    "gaussian d=512": ("auto",),
    "three blobs d=20": ("auto", "knn"),
    "swiss roll": (1.0, 10.0),
    "digits": (10.0, 20.0),
    "50 points, repeated": ("auto",),
    "50 points, nearly repeated": ("auto",),
    "three points, repeated": (1.0,),
    "student t, heavy tails": ("auto",),
    "far blobs": (5.0,),
}


def float32(results: Results) -> str:
    """Relative errors of S(1) in float32 and their bounds, and what "auto" chooses."""
    rows = to_rows(results["float32_accuracy"]["rows"])
    found = {(row["data"], row["sigma"], row["n"]): row["t"]["1"] for row in rows}

    def width(sigma: float | str) -> str:
        return f"{sigma:g}" if isinstance(sigma, float) else f"`{sigma}`"

    def shown(data: str, sigma: float | str, n: int) -> list[str]:
        at = found.get((data, sigma, n))
        if at is None:
            return ["", "", ""]
        return [f"{at['relative_error']:.0e}", f"{at['relative_bound']:.0e}", at["auto"]]

    lines = [
        [data, width(sigma), *shown(data, sigma, 1000), *shown(data, sigma, 3000)]
        for data, sigmas in FLOAT32_ROWS.items()
        for sigma in sigmas
    ]
    columns = ["data", "sigma", "n = 1000: error", "bound", "auto", "n = 3000: error"]
    return table([*columns, "bound", "auto"], lines)


def float32_margins(results: Results) -> str:
    """How far the bound is above the error at t = 1 where "auto" chooses float32."""
    cases = [row["t"]["1"] for row in to_rows(results["float32_accuracy"]["rows"])]
    passed = [at for at in cases if at["auto"] == "float32"]
    ratios = [at["relative_bound"] / at["relative_error"] for at in passed if at["relative_error"]]
    errors = [at["relative_error"] for at in passed]
    low, _, high = statistics.quantiles(ratios, n=4)
    rows = [
        ['cases, of which "auto" chooses float32', f"{len(cases)}, {len(passed)}"],
        ["bound over error in the middle half of these", f"{low:.0f} to {high:.0f}"],
        ["their median error", f"{statistics.median(errors):.0e}"],
        ["their largest error", f"{max(errors):.0e}"],
        ["errors below 1e-6", f"{sum(error < 1e-6 for error in errors)}"],
    ]
    return table(["t = 1, all n", ""], rows)


def settings_of_others(results: Results) -> str:
    """One line a setting, one column a data set."""
    rows = results["settings_of_others"]["rows"]
    lines = [
        [row["project"], row["setting"], *(f"{value:.3g}" for value in row["values"].values())]
        for row in rows
    ]
    return table(["project", "setting", *rows[0]["values"]], lines)


def tensor_pairs(results: Results) -> str:
    """One line a data set: how many pairs of tiles are not products of rows."""

    def share(row: dict[str, Any], when: str, way: str) -> str:
        return f"{row[when][way] / sum(row[when].values()):.1%}"

    lines = [
        [
            row["data"],
            f"{row['n']}",
            share(row, "before", "differences"),
            share(row, "after", "differences"),
            share(row, "after", "nothing"),
        ]
        for row in to_rows(results["tensor_pairs"]["rows"])
    ]
    return table(["data", "n", "differences before", "differences", "left out"], lines)


# What a block needs, and who writes it.
BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[Results], str]]] = {
    "float32": (("float32_accuracy",), float32),
    "float32 margins": (("float32_accuracy",), float32_margins),
    "eigenvalues": (("eigenvalues",), eigenvalues),
    "dse": (("dse",), entropies("dse")),
    "dimensions": (("dimensions",), entropies("dimensions")),
    "stochastic": (("stochastic",), stochastic),
    "vendi": (("vendi",), vendi),
    "variants": (("stochastic_variants",), variants),
    "growth with n": (("large",), growth("sizes", "n")),
    "growth with d": (("large",), growth("dimensions", "d")),
    "growth with tol": (("large",), growth("tolerances", "tol")),
    "known": (("large",), known),
    "ways": (("approaches",), ways),
    "many rows": (("approaches", "large"), many_rows),
    "million rows": (("million_rows",), million_rows),
    "many tokens": (("many_tokens",), many_tokens),
    "tokens of a reservoir": (("many_tokens",), tokens_of_a_reservoir),
    "cost of a reservoir": (("token_reservoir",), cost_of_a_reservoir),
    "dsmi": (("dsmi",), dsmi),
    "stages": (("stages",), stages),
    "reductions": (("reductions",), reductions),
    "host of a gpu": (("host_of_a_gpu",), host_of_a_gpu),
    "batch": (("batch",), batch),
    "memory": (("memory",), memory),
    "monitor": (("monitor_cost",), monitor),
    "gradients": (("torch_gradient",), gradients),
    "kernel gradients": (("kernel_gradient",), kernel_gradients),
    "sequence gradients": (("sequence_gradient",), sequence_gradients),
    "figure": (("eigenvalues", "dse"), figure),  # drawn by plot.py
    "npeet": (("npeet",), npeet),
    "report page": (("report_page",), report_page),
    "units": (("units_cost",), units_cost),
    "projection": (("projection",), projection),
    "settings of others": (("settings_of_others",), settings_of_others),
    "speed": (("dse", "calls", "monitor"), speed),
    "monitor step": (("monitor",), monitor_step),
    "monitor parts": (("monitor_parts",), monitor_parts),
    "estimate parts": (("estimate_parts",), estimate_parts),
    "kept kernel": (("kept_kernel",), kept_kernel),
    "largest": (("largest",), largest),
    "tensor pairs": (("tensor_pairs",), tensor_pairs),
    **estimator_tables.BLOCKS,
    **imagenet_tables.BLOCKS,
    **distributed_tables.BLOCKS,
    **error_tables.BLOCKS,
}


def load(folder: Path, as_is: bool = False) -> Results:
    suites = {suite for needed, _ in BLOCKS.values() for suite in needed}
    found = {suite: runs.load(folder, suite, ".as-is" if as_is else "") for suite in suites}
    return {suite: result for suite, result in found.items() if result is not None}


def render(name: str, results: Results) -> str | None:
    """The table of a block, and where it was measured; None if its results are not there."""
    suites, function = BLOCKS[name]
    if any(suite not in results for suite in suites):
        return None
    rendered = function(results)
    if not rendered.startswith(("|", "![")):
        return rendered or None
    whole = rendered if rendered.endswith("\n") else f"{rendered}\n"
    return whole + runs.below({suite: results[suite] for suite in suites})


def updated(document: str, results: Results) -> str:
    """The document with each block's table as the results have it."""

    def replace(match: re.Match[str]) -> str:
        rendered = render(match["name"], results)
        return match[1] + (match["table"] if rendered is None else rendered) + match[4]

    return BLOCK.sub(replace, document)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables of benchmark results.")
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="folder")
    parser.add_argument("--as-is-environment", dest="as_is", action="store_true")
    parser.add_argument("--update", nargs="+", type=Path, metavar="DOCUMENT")
    arguments = parser.parse_args()
    results = load(arguments.results, arguments.as_is)
    for document in arguments.update or []:
        document.write_text(updated(document.read_text(), results))
    if not arguments.update:
        for name in BLOCKS:
            rendered = render(name, results)
            if rendered is not None:
                print(f"\n## {name}\n\n{rendered}")


if __name__ == "__main__":
    main()
