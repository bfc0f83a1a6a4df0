"""What random projections to k columns do to distances, entropies and informations.

Projections are compared with the Johnson-Lindenstrauss bound, with closed forms, and with the
sampling error of the measures: a smaller error of the projection does not matter. The
recommendation is chosen on some data and seeds, and decided on others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from eigentropy.studies.data import Array
from eigentropy.studies.projection_parts import (
    CORRECTIONS,
    ERROR,
    HALVES,
    KERNEL_COLUMNS,
    KERNELS,
    LENGTH_COLUMNS,
    LENGTHS,
    MEASURES,
    PARTS,
    beside,
    measure,
)
from eigentropy.studies.projection_sets import CHOOSING, DECIDING, DENSE, KINDS, ONE, SETS, bound
from eigentropy.studies.rows import Cell, Parameter, Parameters, StudyRow, sorted_parameters
from eigentropy.studies.study import (
    Claim,
    Curve,
    Finding,
    Job,
    Listing,
    Panel,
    Study,
    StudyPlan,
    distinct,
    make_job,
    repeated,
    select,
)

# k as a share of n. RECOMMENDED is the smallest where DSE, of dense Gaussian projections and
# corrected by halves, errs by less than its sampling error on the sets of CHOOSING; a finding says
# whether it is.
SHARES = (0.125, 0.25, 0.5, 1.0, 2.0)
RECOMMENDED = 1.0
MEASURED_KINDS = (DENSE, ONE)
# Deciding seeds are this far from those that chose.
APART = 100

EPS = (0.2, 0.3, 0.5)
FULL_ROWS = ("digit pixels", "Gaussian")
SPARSE = "sparse rows"

# Standard errors, and Kolmogorov's distance times sqrt(draws), beyond which one in a thousand is.
FAR, FAR_LAW = 3.3, 1.95

WIDTHS, DEPTHS = (64, 256, 1024), (1, 4)
LAYERS = ("linear", "ReLU")


def jobs(plan: StudyPlan) -> list[Job]:
    """Distances, closed forms, measures, and layers."""
    n, d = (500, 20_000) if plan.full else (300, 2_000)
    near = 5_000 if plan.full else d  # an orthogonal projection of more columns takes long
    seeds = plan.seeds(quick=2, full=3)
    found: list[Job] = []
    for s in seeds:
        found += [
            make_job("unit vector", {"part": "lengths", "k": k}, ("z", "spread", "law"), s)
            for k in LENGTHS
        ]
        found += [
            make_job("Gaussian", {"part": "kernel", "k": k}, beside(KERNELS, ("z",)), s)
            for k in KERNEL_COLUMNS
        ]
        found += _layer_jobs(n, s)
    found += [_measures_job(name, n, d, s) for name in CHOOSING for s in seeds]
    found += [_measures_job(name, n, d, APART + s) for name in DECIDING for s in seeds]
    found += [
        Job(
            tuple(
                Cell(name, _parameters("distances", n=n, d=near, kind=kind, eps=e, k=k), what, s)
                for e in EPS
                if (k := bound(n, e)) <= near
                for what in ("outside", "distortion")
            )
        )
        for name in (*FULL_ROWS, SPARSE)
        for kind in KINDS
        for s in seeds
    ]
    return found


def _parameters(part: str, **more: Parameter) -> Parameters:
    return sorted_parameters({"part": part, **more})


def _measures_job(name: str, n: int, d: int, seed: int) -> Job:
    """Every measure of all columns, with its sampling error, and of k columns."""
    whole = _parameters("measures", n=n, d=d, k=0, kind="none", share=0.0)
    cells = [Cell(name, whole, each, seed) for each in beside(list(MEASURES), (ERROR,))]
    for share in SHARES:
        for kind in MEASURED_KINDS:
            k = round(share * n)
            at = _parameters("measures", n=n, d=d, k=k, kind=kind, share=share)
            tried = CORRECTIONS if kind == DENSE else (HALVES,)
            corrected = [f"{m} {c}" for c in tried for m in CORRECTIONS[c]]
            cells += [Cell(name, at, each, seed) for each in (*MEASURES, *corrected)]
    return Job(tuple(cells))


def _layer_jobs(n: int, seed: int) -> list[Job]:
    of_all: dict[str, Parameter] = {"part": "layers", "n": n}
    names = [*MEASURES, "distortion", "shrinkage"]
    whole = _parameters("layers", n=n, width=0, depth=0, kind="none")
    first = Job(tuple(Cell("digits", whole, e, seed) for e in beside(list(MEASURES), (ERROR,))))
    return [first] + [
        make_job("digits", {"width": w, "depth": depth, "kind": kind, **of_all}, names, seed)
        for kind in LAYERS
        for w in WIDTHS
        for depth in DEPTHS
    ]


# What the rows say.


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """Distances, closed forms, what is chosen, what is decided, corrections, layers."""
    at = {part: select(rows, part=part) for part in PARTS}
    return [
        *(_bound(at["distances"], kind, sets) for kind in KINDS for sets in (FULL_ROWS, (SPARSE,))),
        *_closed_forms(at["lengths"], at["kernel"]),
        *(_chosen(at["measures"], kind) for kind in MEASURED_KINDS),
        *(
            _decided(at["measures"], name, n)
            for n in sorted(distinct(at["measures"], "n")) or [0]
            for name in DECIDING
        ),
        *(_corrected(at["measures"], correction) for correction in CORRECTIONS),
        *_layer_findings(at["layers"]),
    ]


def _bound(rows: Sequence[StudyRow], kind: str, sets: Sequence[str]) -> Finding:
    kinds = "bound" if sets == FULL_ROWS else "sparse"
    where = " and ".join(sets)
    claim = Claim(
        kinds, f"{kind}, {where}: at the bound's k, 1 - 1/n of the pairs are within 1 +- eps"
    )
    of = [r for r in select(rows, kind=kind, estimator="outside") if r.cell.data in sets]
    if not of:
        return claim.not_measured()
    worst = max(of, key=lambda row: row.value * row["n"])
    shown = f"{1.0 - worst.value:.4%} at the least (eps = {worst['eps']:g}, k = {worst['k']})"
    return claim.judged(shown, worst.value * worst["n"] <= 1.0)


def _closed_forms(lengths: Sequence[StudyRow], kernel: Sequence[StudyRow]) -> list[Finding]:
    mean = f"unit vector, d = {LENGTH_COLUMNS}: the mean squared length is k / d"
    plain = "the mean of exp(-u/2) after projecting is (1 + x/k)^(-k/2)"
    return [
        _near(lengths, "z", FAR, mean, "z"),
        _near(lengths, "law", FAR_LAW, "its law is Beta(k/2, (d - k)/2)", "Kolmogorov's"),
        _near(kernel, "plain z", FAR, plain, "z"),
        _near(kernel, "unbiased z", FAR, "the mean of 0F1(k/2; -k u/4) is exp(-x/2)", "z"),
    ]


def _near(rows: Sequence[StudyRow], name: str, far: float, text: str, unit: str) -> Finding:
    claim = Claim("closed form", text)
    values = [abs(row.value) for row in select(rows, estimator=name)]
    if not values:
        return claim.not_measured()
    shown = f"largest {unit} {max(values):.2f} of {len(values)}, allowed {far:g}"
    return claim.judged(shown, max(values) <= far)


def errors(
    rows: Sequence[StudyRow], name: str, kind: str = DENSE, correction: str = ""
) -> dict[tuple[str, int, float], float]:
    """By set, n and k / n: root mean square error of a measure over that of its sampling error."""
    whole = {
        (row.cell.data, row["n"], row.cell.seed): row.value
        for row in select(rows, estimator=name, k=0)
    }
    spread = {
        (row.cell.data, row["n"], row.cell.seed): row.value
        for row in select(rows, estimator=f"{name} {ERROR}", k=0)
    }
    pairs: dict[tuple[str, int, float], list[tuple[float, float]]] = {}
    for row in select(rows, estimator=f"{name} {correction}".strip(), kind=kind):
        key = row.cell.data, row["n"], row.cell.seed
        if row["k"] > 0 and key in whole and key in spread:
            at = row.cell.data, row["n"], row["share"]
            pairs.setdefault(at, []).append((row.value - whole[key], spread[key]))
    return {at: _over(*np.array(of).T) for at, of in pairs.items()}


def _over(error: Array, spread: Array) -> float:
    top, below = math.sqrt(float(np.mean(error**2))), math.sqrt(float(np.mean(spread**2)))
    return top / below if below > 0.0 else (math.inf if top > 0.0 else 0.0)


def _smallest(rows: Sequence[StudyRow]) -> int:
    return min(distinct(rows, "n"), default=0)


def _chosen(rows: Sequence[StudyRow], kind: str) -> Finding:
    """On the sets by which it is chosen: the largest error of DSE, by k / n."""
    text = f"DSE {HALVES}, {kind}, {', '.join(CHOOSING)}: error below the sampling error"
    if kind == DENSE:
        claim = Claim("chosen", f"{text} from k = {RECOMMENDED:g} n on, and not before")
    else:
        claim = Claim("as good", f"{text} at k = {RECOMMENDED:g} n, too")
    of, n = errors(rows, "DSE", kind, HALVES), _smallest(rows)
    found = {
        share: max(of[name, n, share] for name in CHOOSING)
        for share in SHARES
        if all((name, n, share) in of for name in CHOOSING)
    }
    if RECOMMENDED not in found:
        return claim.not_measured()
    good = found[RECOMMENDED] <= 1.0
    if kind == DENSE:
        good = good and all(error > 1.0 for s, error in found.items() if s < RECOMMENDED)
    each = ", ".join(f"{error:.2g} at {share:g} n" for share, error in found.items())
    return claim.judged(f"largest error / sampling error: {each}", good)


def _decided(rows: Sequence[StudyRow], name: str, n: int) -> Finding:
    """Judged by DSE; the other measures stand beside it, corrected by halves where DSE is."""
    text = f"{name}, n = {n}: at k = {RECOMMENDED:g} n DSE {HALVES} is within its sampling error"
    claim = Claim("decided", text)
    found = {}
    for of in MEASURES:
        correction = HALVES if of in CORRECTIONS[HALVES] else ""
        value = errors(rows, of, correction=correction).get((name, n, RECOMMENDED))
        if value is not None:
            found[of] = value
    if "DSE" not in found:
        return claim.not_measured()
    shown = ", ".join(f"{of} {value:.2g}" for of, value in found.items()) + " of it"
    return claim.judged(shown, found["DSE"] <= 1.0)


def _corrected(rows: Sequence[StudyRow], correction: str) -> Finding:
    """Judged on the deciding sets, at half of the columns."""
    claim = Claim("corrected", f"{correction}: k / 2 columns are as good as k without")
    logs = []
    for name in CORRECTIONS[correction]:
        plain, better = errors(rows, name), errors(rows, name, correction=correction)
        for (of, n, share), error in plain.items():
            half = better.get((of, n, share / 2))
            if of in DECIDING and half and error and math.isfinite(half * error):
                logs.append(math.log(half / error))
    if not logs:
        return claim.not_measured()
    ratio = math.exp(math.fsum(logs) / len(logs))
    shown = f"{ratio:.2f} times the error, geometric mean of {len(logs)}"
    return claim.judged(shown, ratio <= 1.0)


def _layer_findings(rows: Sequence[StudyRow]) -> list[Finding]:
    return [
        *(_spread(rows, kind) for kind in LAYERS),
        _shrinks(rows),
        *(_moves(rows, kind, depth) for kind in LAYERS for depth in DEPTHS),
    ]


def _spread(rows: Sequence[StudyRow], kind: str) -> Finding:
    """A linear layer gives squared lengths the variance 2 / width, a ReLU layer 5 / width."""
    most = 2.0 if kind == "linear" else 5.0
    what = "before" if kind == "linear" else "of infinite width"
    text = f"one {kind} layer: root mean square distortion of distances {what} is "
    claim = Claim("layer", f"{text}sqrt({most:g} / width), within a factor of 1.5")
    of = select(rows, kind=kind, depth=1, estimator="distortion")
    if not of:
        return claim.not_measured()
    ratios = {
        width: float(np.mean(values)) / math.sqrt(most / width)
        for width, values in repeated(of, "width").items()
    }
    shown = ", ".join(f"{ratio:.2f} at {width:g}" for width, ratio in ratios.items()) + " of it"
    return claim.judged(shown, all(1 / 1.5 <= ratio <= 1.5 for ratio in ratios.values()))


def _shrinks(rows: Sequence[StudyRow]) -> Finding:
    claim = Claim("shrinks", "a ReLU layer brings rows together, and four more than one")
    of = select(rows, kind="ReLU", width=WIDTHS[-1], estimator="shrinkage")
    after = {depth: float(np.median(values)) for depth, values in repeated(of, "depth").items()}
    if len(after) < len(DEPTHS):
        return claim.not_measured()
    one, four = after.values()
    shown = f"median squared distance {one:.2f} and {four:.2f} of that before"
    return claim.judged(shown, four < one < 1.0)


def _moves(rows: Sequence[StudyRow], kind: str, depth: int) -> Finding:
    width = WIDTHS[-1]
    text = f"{depth} {kind} of width {width}: every measure moves by less than its sampling error"
    claim = Claim("moves", text)
    shown = {}
    for name in MEASURES:
        before = {r.cell.seed: r.value for r in select(rows, width=0, estimator=name)}
        spread = {r.cell.seed: r.value for r in select(rows, width=0, estimator=f"{name} {ERROR}")}
        after = select(rows, width=width, kind=kind, depth=depth, estimator=name)
        pairs = [(r.value - before[r.cell.seed], spread[r.cell.seed]) for r in after]
        if pairs:
            shown[name] = _over(*np.array(pairs).T)
    if not shown:
        return claim.not_measured()
    text = ", ".join(f"{name} {value:.2g}" for name, value in shown.items()) + " of it"
    return claim.judged(text, max(shown.values()) <= 1.0)


def listing(rows: Sequence[StudyRow]) -> Listing:
    """Error over sampling error, by set, kind, measure and k / n."""
    of = select(rows, part="measures")
    lines = []
    for n in sorted(distinct(of, "n")):
        for kind in MEASURED_KINDS:
            for name in MEASURES if kind == DENSE else ("DSE",):
                plain, halves = (errors(of, name, kind, c) for c in ("", HALVES))
                for data in SETS:
                    shown = [_shown(plain, halves, (data, n, share)) for share in SHARES]
                    if any(each != "-" for each in shown):
                        lines.append([name, kind, str(n), data, *shown])
    return Listing(
        "Root mean square error of a measure of projected rows, over its sampling error; in "
        "brackets corrected by halves",
        ["measure", "projection", "n", "data", *(f"k = {share:g} n" for share in SHARES)],
        lines,
    )


def _shown(
    plain: dict[tuple[str, int, float], float],
    halves: dict[tuple[str, int, float], float],
    at: tuple[str, int, float],
) -> str:
    if at not in plain:
        return "-"
    return f"{plain[at]:.2g}" + (f" ({halves[at]:.2g})" if at in halves else "")


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """Distortion over k, of dense and of sparse rows; errors over k / n."""
    near = []
    for name in ("Gaussian", SPARSE):
        of = select(rows, part="distances", data=name, estimator="distortion")
        curves = [Curve(kind, repeated(select(of, kind=kind), "k")) for kind in KINDS]
        title = f"distortion of squared distances, {name}"
        near.append(Panel(title, "k", "root mean square", curves, log_x=True))
    of = select(rows, part="measures")
    n = _smallest(of)
    anything = (-math.inf, math.inf)
    for correction in ("", HALVES):
        found = errors(of, "DSE", correction=correction)
        curves = [Curve(label, _logs(found, label, n)) for label in SETS]
        curves = [curve for curve in curves if curve.points]
        title, y = f"DSE {correction}, {DENSE}, n = {n}", "log10(error / sampling error)"
        near.append(Panel(title, "k / n", y, curves, log_x=True, possible=anything))
    return near


def _logs(
    found: dict[tuple[str, int, float], float], name: str, n: int
) -> dict[float, list[float]]:
    return {
        share: [math.log10(value)]
        for (of, own, share), value in sorted(found.items(), key=lambda each: each[0][2])
        if (of, own) == (name, n) and 0.0 < value < math.inf
    }


STUDY = Study(
    name="projection",
    title="Johnson-Lindenstrauss: what random projections do to distances and entropies",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
)
