"""The table of what must hold on a GPU: value, limit, verdict.

The limits are what is asked of the CUDA back end. Where a value is missing, the verdict is "?",
with the reason: the step was cut, has failed or was not run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.device_check import results
from benchmarks.device_check.running import Outcome

# Where a command's end is kept, no more of it is.
MOST_CHARACTERS = 12_000
HOLDS, FAILS, UNKNOWN, INFORMATION = "holds", "FAILS", "?", ""

# Orders whose eigenvalues are in the table.
LARGE = 8000
# Memory of an exact entropy, and of an estimate of a million rows.
MATRICES = 3.5
MILLION_BYTES = 10 * 2**30


@dataclass(frozen=True)
class Row:
    """A line of the table. A row without a limit informs."""

    what: str
    value: str
    limit: str = ""
    verdict: str = INFORMATION


def at_most(what: str, value: float | None, limit: float, unit: str = "", why: str = "") -> Row:
    return _row(what, value, limit, unit, why, "<=", lambda v: v <= limit)


def at_least(what: str, value: float | None, limit: float, unit: str = "", why: str = "") -> Row:
    return _row(what, value, limit, unit, why, ">=", lambda v: v >= limit)


def _row(
    what: str,
    value: float | None,
    limit: float,
    unit: str,
    why: str,
    sign: str,
    holds: Callable[[float], bool],
) -> Row:
    text = f"{sign} {limit:.3g}{unit}"
    if value is None:
        return Row(what, why or "not measured", text, UNKNOWN)
    verdict = HOLDS if not math.isnan(value) and holds(value) else FAILS
    return Row(what, f"{value:.3g}{unit}", text, verdict)


@dataclass
class Findings:
    """The results of one call: the files of its steps, and how they ended."""

    files: results.Files
    outcomes: list[Outcome]

    def why(self, step: str) -> str:
        outcome = next((one for one in self.outcomes if one.name == step), None)
        if outcome is None or outcome.passed:
            return "not measured"
        return f"{outcome.status}: {outcome.why}"

    def has_passed(self, step: str, what: str) -> Row:
        outcome = next((one for one in self.outcomes if one.name == step), None)
        if outcome is None:
            return Row(what, "not measured", "passed", UNKNOWN)
        value = " ".join(filter(None, (outcome.status, outcome.why)))
        decided = outcome.status in ("passed", "failed")
        verdict = (HOLDS if outcome.passed else FAILS) if decided else UNKNOWN
        return Row(what, value, "passed", verdict)


def rows_of_call_one(found: Findings) -> Iterator[Row]:
    yield found.has_passed("cpp-tests", "C++ tests on the device")
    yield found.has_passed("python-tests", "Python tests on the device")
    yield from agreement(found)
    yield from speeds(found)
    yield from estimates(found)
    yield from memory(found)
    yield from products(found)
    yield from eigenvalues(found)


def rows_of_call_two(found: Findings) -> Iterator[Row]:
    yield found.has_passed("memcheck", "memcheck: no bad access")
    yield found.has_passed("racecheck", "racecheck: no race")
    yield found.has_passed("torch-tests", "tests of losses on the device")
    yield found.has_passed("monitor-tests", "tests of monitors on the device")
    yield from monitors(found)
    yield from gradients(found)


def agreement(found: Findings) -> Iterator[Row]:
    measured = found.files.get("agreement", {}).get("agreement", [])
    for dtype, limit in (("float64", 1e-10), ("float32", 1e-4)):
        differences = [row["relative_difference"] for row in measured if row["dtype"] == dtype]
        # A NaN is the worst.
        worst = max(differences, key=lambda v: math.inf if math.isnan(v) else v, default=None)
        what = f"agreement with the CPU, {dtype}, {len(differences)} data sets"
        yield at_most(what, worst, limit, why=found.why("agreement"))


def speeds(found: Findings) -> Iterator[Row]:
    why = found.why("entropies")
    for what, name, other, limit in (
        ("DSE, n = 10 000, d = 512, float64, beside torch", "dse float64", "torch", 1.5),
        ("DSMI, 10 classes, 20 partitions, beside torch's loop", "dsmi", "torch loop", 10.0),
    ):
        case = results.case(found.files, "entropies", case=name, n=10000)
        speed = None if case is None else case["speed"].get(other)
        yield at_least(what, speed, limit, "x", why if case is None else "torch is missing")


def estimates(found: Findings) -> Iterator[Row]:
    for n, limit, step in (
        (10000, 0.05, "estimates"),
        (200000, 10.0, "estimates"),
        (1000000, 120.0, "million"),
    ):
        case = results.case(found.files, step, case="stochastic", n=n)
        seconds = None if case is None else case["seconds"]["eigentropy"]
        yield at_most(f"tol = 1e-3, n = {n}, d = 128", seconds, limit, " s", found.why(step))


def memory(found: Findings) -> Iterator[Row]:
    n = 10000
    case = results.case(found.files, "entropies", case="dse float64", n=n)
    peak = None if case is None else case["peak_bytes"]["eigentropy"]
    matrices = None if peak is None else peak / (8.0 * n**2)
    what = f"memory of an exact entropy, n = {n}, float64"
    yield at_most(what, matrices, MATRICES, " matrices", found.why("entropies"))
    case = results.case(found.files, "million", case="stochastic", n=1000000)
    peak = None if case is None else case["peak_bytes"]["eigentropy"]
    gigabytes = None if peak is None else peak / 2**30
    what = "memory of an estimate of a million rows"
    yield at_most(what, gigabytes, MILLION_BYTES / 2**30, " GiB", found.why("million"))


def products(found: Findings) -> Iterator[Row]:
    """The fastest path by its time is what counts, by its share of its own arithmetic's limit."""
    measured = results.benchmarks(found.files, "products")
    why = found.why("products")
    for precision in ("matrix_free<float>", "matrix_free<double>"):
        for d in (128, 784):
            for m in (32, 64):
                paths = [
                    one
                    for one in measured
                    if one["what"].startswith(precision) and (one["d"], one["m"]) == (d, m)
                ]
                best = min(paths, key=lambda one: one["seconds"], default=None)
                what = f"{precision}, d = {d}, m = {m}"
                if best is not None:
                    what += f", by {best['what'].partition('/')[2] or 'threads'}"
                share = None if best is None else 100.0 * best.get("of_limit", math.nan)
                yield at_least(what, share, 40.0, " %", why)


def eigenvalues(found: Findings) -> Iterator[Row]:
    for case in results.cases(found.files, "eigenvalues"):
        value = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in case["seconds"].items())
        yield Row(f"eigenvalues, n = {case['n']}, {case['dtype']}", value)
    for one in results.benchmarks(found.files, "solvers"):
        if one.get("n", 0) >= LARGE:
            yield Row(f"{one['what']}, n = {one['n']}", f"{one['seconds']:.3g} s")


def monitors(found: Findings) -> Iterator[Row]:
    """What a measured step takes, beside the other steps and beside the host.

    The background keeps up where the host has measured before the next step that is measured.
    """
    large = results.case(found.files, "monitor", samples=2048)
    ways = {} if large is None else large["measured_step"]
    share = ways["gpu"] / ways["host"] if "gpu" in ways else None
    what = "monitor of 2048 samples: a step measured on the GPU, of one on the host"
    yield at_most(what, share, 1.0, "", found.why("monitor"))
    for case in results.cases(found.files, "monitor"):
        measured, other = case["measured_step"], case["other_step"]
        if measured["host"] - other["host"] < (case["every"] - 1) * other["host"]:
            share = measured["background"] / other["background"]
            what = f"monitor of {case['samples']} samples in the background, of a step without"
            yield at_most(what, share, 1.2, "x")


def gradients(found: Findings) -> Iterator[Row]:
    measured = results.cases(found.files, "gradients")
    if not measured:
        yield Row("gradients beside autograd", found.why("gradients"), "measured", UNKNOWN)
    for case in measured:
        what = f"gradient, n = {case['n']}, d = {case['d']}, {case['dtype']}, beside autograd"
        yield Row(what, f"{case['speed']['eigentropy']:.3g}x")


def table(rows: list[Row]) -> str:
    """Aligned, and no longer than what is kept of a command's output."""
    verdicts = [row for row in rows if row.verdict]
    others = [row for row in rows if not row.verdict]
    width = min(66, max((len(row.what) for row in rows), default=0))
    counted = ", ".join(
        f"{sum(row.verdict == verdict for row in verdicts)} {name}"
        for verdict, name in ((HOLDS, "hold"), (FAILS, "fail"), (UNKNOWN, "unknown"))
    )
    lines = [_line(row, width) for row in [*others, *verdicts]]
    text = "\n".join([*lines, f"Of what must hold: {counted}."])
    return text if len(text) <= MOST_CHARACTERS else "...\n" + text[4 - MOST_CHARACTERS :]


def _line(row: Row, width: int) -> str:
    what = row.what if len(row.what) <= width else row.what[: width - 3] + "..."
    value = row.value if len(row.value) <= 60 else row.value[:57] + "..."
    return f"{what:{width}s}  {value:24s}  {row.limit:14s} {row.verdict}".rstrip()


def steps_table(outcomes: list[Outcome]) -> str:
    return "\n".join(
        f"{one.seconds:6.1f} s  {one.name:16s} {one.status} {one.why[:80]}".rstrip()
        for one in outcomes
    )


ROWS = {"one": rows_of_call_one, "two": rows_of_call_two}
