"""How often 95 % sampling intervals hold what they promise, for n = 200 .. 5000.

Many independent samples of a distribution have a mean S, which is what each one's interval is to
cover, and a standard deviation of S, which is what each one's `sampling_error` estimates.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

import eigentropy as eg
from eigentropy._support.interval import LEVEL, student_quantile
from eigentropy.studies.data import Array, Labels
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.sampling_sets import SETS
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    make_job,
    select,
)

ENTROPIES: dict[str, Callable[..., eg.DiffusionEntropy | eg.KernelEntropy]] = {
    "DSE": eg.dse,
    "kernel entropy": eg.kernel_entropy,
}
INFORMATIONS: dict[str, Callable[..., eg.MutualInformation]] = {
    "DSMI": eg.dsmi,
    "kernel information": eg.kernel_information,
}
MEASURES = (*ENTROPIES, *INFORMATIONS)

# Of a sample, beside the value: sampling_error, and how far the sampling interval reaches.
ERROR, REACH = "error", "reach"
# What others take for it: the reach of the interval of the computation, and the standard deviation
# over halves of the rows.
COMPUTATION, HALVES = "computation", "halves"
NAIVE = (COMPUTATION, HALVES)

# Samples by number of rows.
FULL_ENTROPIES = {200: 200, 500: 200, 1000: 200, 2000: 80, 5000: 20}
FULL_INFORMATIONS = {500: 60, 1000: 20}
QUICK_ENTROPIES = {200: 40, 500: 40}
QUICK_INFORMATIONS = {500: 10}

# What others take is measured with these numbers of rows, samples and halves.
NAIVE_ROWS, NAIVE_SAMPLES, N_HALVES = 500, 100, 20

# The coverage that is promised, in percent, and from how many rows on.
LOW, HIGH, FROM = 92.0, 98.0, 500

# Fewer samples say nothing about a standard deviation.
LEAST_SAMPLES = 8

# Samples of at most SMALL rows are measured first; those of more are measured side by side.
SMALL = 500


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each sample; a run that is cut short has some of every number of rows."""
    entropies = FULL_ENTROPIES if plan.full else QUICK_ENTROPIES
    informations = FULL_INFORMATIONS if plan.full else QUICK_INFORMATIONS
    order: list[tuple[tuple[float, ...], Job]] = []
    for measures, samples in ((ENTROPIES, entropies), (INFORMATIONS, informations)):
        for n, count in samples.items():
            for number, seed in enumerate(plan.seeds(count, count)):
                naive = n == NAIVE_ROWS and number < NAIVE_SAMPLES and measures is ENTROPIES
                names = _names(list(measures), naive)
                place = (0.0, float(n)) if n <= SMALL else (1.0, number / count)
                order += [(place, make_job(name, {"n": n}, names, seed)) for name in SETS]
    return [job for _, job in sorted(order, key=lambda each: each[0])]


def _names(measures: Sequence[str], naive: bool) -> list[str]:
    parts = (ERROR, REACH, *(NAIVE if naive else ()))
    return [_name(name, part) for name in measures for part in ("", *parts)]


def _name(measure: str, part: str) -> str:
    """What the cell of a part is called; the value's has the name of the measure."""
    return f"{measure} {part}".rstrip()


def measure(job: Job) -> Iterator[StudyRow]:
    """Draw the sample of this seed and measure it."""
    Z, labels = SETS[job.data](int(job.settings["n"]), job.seed)
    asked = {cell.estimator: cell for cell in job.cells}
    for name in MEASURES:
        wanted = [part for part in ("", ERROR, REACH, *NAIVE) if _name(name, part) in asked]
        found = _measured(name, Z, labels, job.seed, wanted) if wanted else {}
        for part, (value, seconds) in found.items():
            # So many digits are enough, and the stored table is small.
            yield StudyRow(asked[_name(name, part)], _short(value), math.nan, seconds)


def _short(value: float) -> float:
    return float(f"{value:.7g}")


def _measured(
    name: str, Z: Array, labels: Labels, seed: int, wanted: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """What is wanted of a sample, with the time that it took."""

    def value_of(
        rows: Labels | slice,
    ) -> eg.DiffusionEntropy | eg.KernelEntropy | eg.MutualInformation:
        if name in ENTROPIES:
            return ENTROPIES[name](Z[rows], seed=seed)
        return INFORMATIONS[name](Z[rows], labels[rows], seed=seed)

    start = time.perf_counter()
    result = value_of(slice(None))
    values: dict[str, Callable[[], float]] = {
        "": lambda: float(result),
        ERROR: lambda: result.sampling_error,
        REACH: lambda: reach(float(result), *result.interval(of="sample")),
        COMPUTATION: lambda: reach(float(result), *result.interval()),
        HALVES: lambda: float(np.std([float(value_of(h)) for h in _halves(len(Z), seed)], ddof=1)),
    }
    found = {}
    for part in wanted:
        value = values[part]()
        found[part] = value, time.perf_counter() - start
        start = time.perf_counter()
    return found


def reach(value: float, low: float, high: float) -> float:
    """How far an interval around the value reaches; one side may be cut by what is possible."""
    return max(value - low, high - value)


def _halves(n: int, seed: int) -> Iterator[Labels]:
    rng = np.random.default_rng([seed, 1601])
    for _ in range(N_HALVES):
        yield rng.permutation(n)[: n // 2]


# What the rows say.


@functools.cache
def _exact(hits: int, samples: int) -> tuple[float, float]:
    """The shares at which at least, or at most, `hits` have half of what the level leaves."""
    rest = 0.5 * (1.0 - LEVEL)
    high = 1.0 if hits == samples else _share(lambda p: _at_most(hits, samples, p) > rest)
    low = 0.0 if hits == 0 else _share(lambda p: 1.0 - _at_most(hits - 1, samples, p) < rest)
    return low, high


def _share(larger: Callable[[float], bool]) -> float:
    """By bisection: larger shares are wanted where it says so."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if larger(middle) else (low, middle)
    return 0.5 * (low + high)


def _at_most(hits: int, samples: int, p: float) -> float:
    """The probability of `hits` or fewer."""
    q = 1.0 - p
    return math.fsum(math.comb(samples, k) * p**k * q ** (samples - k) for k in range(hits + 1))


class Coverage(NamedTuple):
    """How many of the samples' intervals cover the mean."""

    hits: int
    samples: int

    @property
    def percent(self) -> float:
        """The share, in percent."""
        return 100.0 * self.hits / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the share (Clopper and Pearson's), in percent."""
        low, high = _exact(self.hits, self.samples)
        return 100.0 * low, 100.0 * high

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.percent:.1f} % ({low:.0f} to {high:.0f})"


class Drawn(NamedTuple):
    """All samples of a distribution with n rows.

    Attributes
    ----------
    deviations : array
        Of the values from their mean, in units of their standard deviation times that. They are
        multiplied by sqrt(R / (R - 1)) for R samples, since each is a part of the mean.
    spread : float
        The standard deviation of the values.
    """

    deviations: Array
    spread: float
    parts: dict[str, Array]

    def covered(self, part: str = REACH, factor: float = 1.0) -> list[bool]:
        """Which samples' mean lies within the factor times a part; only those that have it."""
        return [
            bool(off <= factor * width)
            for off, width in zip(np.abs(self.deviations), self.parts[part], strict=True)
            if math.isfinite(width)
        ]

    @property
    def ratio(self) -> float:
        """Root of the mean square of `sampling_error`, over the standard deviation.

        NaN for fewer than eight samples.
        """
        errors = self.parts[ERROR][np.isfinite(self.parts[ERROR])]
        if len(errors) < LEAST_SAMPLES or not self.spread > 0.0:
            return math.nan
        return math.sqrt(float(np.mean(errors**2))) / self.spread


def samples_of(rows: Sequence[StudyRow], name: str) -> dict[tuple[str, int], Drawn]:
    """By distribution and number of rows: the samples of a measure, where there are two or more."""
    by_part: dict[str, dict[tuple[str, int], dict[int, float]]] = {}
    for part in ("", ERROR, REACH, *NAIVE):
        of = by_part.setdefault(part, {})
        for row in select(rows, estimator=_name(name, part)):
            of.setdefault((row.cell.data, int(row["n"])), {})[row.cell.seed] = row.value
    found = {}
    for key, values in sorted(by_part.pop("").items(), key=lambda each: each[0][1]):
        if len(values) < 2:
            continue
        x = np.array(list(values.values()))
        scale = math.sqrt(len(x) / (len(x) - 1.0))
        parts = {
            part: np.array([of.get(key, {}).get(seed, math.nan) for seed in values])
            for part, of in by_part.items()
        }
        found[key] = Drawn(scale * (x - x.mean()), float(x.std(ddof=1)), parts)
    return found


def _counted(covered: Sequence[bool]) -> Coverage | None:
    return Coverage(sum(covered), len(covered)) if covered else None


def judged(by_rows: dict[int, Coverage]) -> bool | None:
    """Whether the coverage is as promised.

    Yes if it is for all numbers of rows together. No if it is surely not for all together or for
    one of them. Otherwise the samples are too few to tell.
    """
    together = _together(by_rows)
    if any(map(_surely_not, (together, *by_rows.values()))):
        return False
    return True if _promised(together) else None


def _together(by_rows: dict[int, Coverage]) -> Coverage:
    return Coverage(*(sum(each) for each in zip(*by_rows.values(), strict=True)))


def _promised(coverage: Coverage) -> bool:
    return LOW <= coverage.percent <= HIGH


def _surely_not(coverage: Coverage) -> bool:
    """It is not as promised, and cannot be 95 % either."""
    low, high = coverage.interval
    return not (_promised(coverage) or low <= 100.0 * LEVEL <= high)


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Each measure on each distribution; then what others take for a sampling error."""
    found = []
    for name in MEASURES:
        samples = samples_of(rows, name)
        if name in ENTROPIES or samples:
            found += [_promise(name, data, samples) for data in SETS]
    return (
        found
        + [_naive(rows, name) for name in ENTROPIES]
        + [_of_halves(rows, name) for name in ENTROPIES]
    )


def _promise(name: str, data: str, samples: dict[tuple[str, int], Drawn]) -> Finding:
    kind = "entropies" if name in ENTROPIES else "informations"
    claim = Claim(kind, f"{name}, {data}: {LOW:.0f} to {HIGH:.0f} % covered for n >= {FROM}")
    by_rows = {
        n: counted
        for (of, n), each in samples.items()
        if of == data and n >= FROM and (counted := _counted(each.covered()))
    }
    if not by_rows:
        return claim.not_measured()
    each = "; ".join(f"n={n} {coverage}" for n, coverage in by_rows.items())
    together = _together(by_rows)
    shown = f"{together} of {together.samples}; {each}"
    return claim.judged(shown, judged(by_rows))


def _by_distribution(
    rows: Sequence[StudyRow], name: str, part: str, factor: float
) -> dict[str, Coverage]:
    return {
        data: counted
        for (data, n), each in samples_of(rows, name).items()
        if n == NAIVE_ROWS and (counted := _counted(each.covered(part, factor)))
    }


def _naive(rows: Sequence[StudyRow], name: str) -> Finding:
    claim = Claim(
        "computation",
        f"{name}, n={NAIVE_ROWS}: the interval of the computation covers less than 5 %",
    )
    found = _by_distribution(rows, name, COMPUTATION, 1.0)
    return _over_all(claim, found, lambda percent: percent < 5.0)


def _of_halves(rows: Sequence[StudyRow], name: str) -> Finding:
    claim = Claim(
        "halves",
        f"{name}, n={NAIVE_ROWS}: 1.96 times the standard deviation over halves covers {LOW:.0f} "
        f"to {HIGH:.0f} %",
    )
    found = _by_distribution(rows, name, HALVES, student_quantile(LEVEL, math.inf))
    return _over_all(claim, found, lambda percent: LOW <= percent <= HIGH)


def _over_all(claim: Claim, found: dict[str, Coverage], good: Callable[[float], bool]) -> Finding:
    """Judged on every distribution, by what was counted."""
    if not found:
        return claim.not_measured()
    right = sum(good(each.percent) for each in found.values())
    shown = ", ".join(f"{data} {each.percent:.0f} %" for data, each in found.items())
    return claim.judged(f"{right} of {len(found)}: {shown}", right == len(found))


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Coverage, ratio and number of samples, by measure, distribution and number of rows."""
    by_measure = {name: samples_of(rows, name) for name in MEASURES}
    counts = sorted({n for samples in by_measure.values() for _, n in samples})
    lines = [
        [name, data, *(_shown(samples.get((data, n))) for n in counts)]
        for name, samples in by_measure.items()
        for data in SETS
        if any((data, n) in samples for n in counts)
    ]
    return Listing(
        "Coverage of 95 % sampling intervals with its own 95 % interval; root mean square of "
        "sampling_error over the standard deviation of S; number of samples",
        ["measure", "data", *(f"n={n}" for n in counts)],
        lines,
    )


def _shown(samples: Drawn | None) -> str:
    counted = _counted(samples.covered()) if samples else None
    if samples is None or counted is None:
        return "-"
    ratio = f"{samples.ratio:.2f}" if math.isfinite(samples.ratio) else "-"
    return f"{counted}; {ratio}; {counted.samples}"


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Coverage and ratio over n, for both entropies."""
    found = []
    for name in ENTROPIES:
        samples = samples_of(rows, name)
        for what, y in (("coverage", "covered, %"), ("ratio", "sampling_error / true deviation")):
            curves = []
            for data in SETS:
                of = {float(n): each for (own, n), each in samples.items() if own == data}
                points = {
                    n: [100.0 * c for c in each.covered()] if what == "coverage" else [each.ratio]
                    for n, each in of.items()
                    if what == "coverage" or math.isfinite(each.ratio)
                }
                curves.append(Curve(data, points))
            possible = (0.0, 100.0) if what == "coverage" else (0.0, math.inf)
            found.append(Panel(f"{name}: {what}", "n", y, curves, possible=possible))
    return [panel for panel in found if any(curve.points for curve in panel.curves)]


STUDY = Study(
    name="sampling",
    title="whether 95 % sampling intervals cover 95 %: eight distributions, n = 200 .. 5000",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
)
