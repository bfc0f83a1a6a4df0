"""Whether the adjusted information of Z about labels, times H(Y), reads as bits.

A share of the labels Y is redrawn at random, which gives Y'. What Y tells of Y' is known, and Z
tells no more of Y' than Y does. Every number is a share of H(Y').
"""

from __future__ import annotations

import importlib.util
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import eigentropy as eg
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR
from eigentropy._support.warnings import warn
from eigentropy.studies import data, estimators
from eigentropy.studies.calibration_sets import SETS, LabelledSet
from eigentropy.studies.data import Array, Labels
from eigentropy.studies.figures import band
from eigentropy.studies.rows import Cell, StudyRow
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

SHARES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
QUICK_SHARES = (0.0, 0.1, 0.5)
QUICK_SETS = ("blobs d=20", "wine", "digits", "breast cancer")
DIMENSIONS = (20, 100, 2000)
RULE = "narrow"

# Widths in medians. Between these two, blobs must read right at any.
WIDTHS = (0.15, 0.2, 0.25, 0.35, 0.5, 0.7)
LOW, HIGH = 0.2, 0.5

# What is known of the labels: the information of the table of Y (`all`), or of a classifier's
# cross-validated predictions (`classifier`), and Y', less chance; that of Y as it is counted
# (`counted`); and that of the channel from Y to Y' (`channel`).
KNOWN = ("all", "classifier", "counted", "channel")
WIDTH = "sigma in medians"
HOLEVO = tuple(f"Holevo {s}" for s in (RULE, *(f"{w} medians" for w in WIDTHS)))
OTHERS = (f"adjusted {RULE}", "adjusted auto", "KSG", "MINE", "plug-in 10 bins")
MINE: dict[str, Any] = {"epochs": 30, "batch_size": 100, "learning_rate": 2e-3, "hidden": (64,)}

# How far a reading may be off, and should be: on the blobs, and on sets kept out of choosing.
BLOBS_MUST, BLOBS_AIM = 0.05, 0.03
KEPT_MUST, KEPT_AIM = 0.10, 0.05

# Random tables behind the part of an information that is chance.
N_CHANCE = 100


def jobs(plan: StudyPlan) -> list[Job]:
    """One job for each data set, seed and share of redrawn labels."""
    names = [*KNOWN, WIDTH, *HOLEVO, *estimators.available(OTHERS)]
    return [
        make_job(each.name, {"n": 600 if plan.full else 300, "share": share}, names, seed)
        for each in _available(plan.full)
        for seed in plan.seeds(quick=2, full=3)
        for share in (SHARES if plan.full else QUICK_SHARES)
    ]


def _available(full: bool) -> list[LabelledSet]:
    """The data sets whose packages are installed, with a warning about the others."""
    data.sklearn_table("wine")  # or an error that names the extra
    found = []
    for each in SETS.values():
        if not full and each.name not in QUICK_SETS:
            continue
        missing = [name for name in each.packages if importlib.util.find_spec(name) is None]
        if missing:
            warn(f"{each.name} is left out: it needs pip install {' '.join(missing)}")
        else:
            found.append(each)
    return found


def measure(job: Job) -> Iterator[StudyRow]:
    """Redraw the share of the labels and measure what the rows tell of them."""
    Z, labels = SETS[job.data].make(int(job.settings["n"]), job.seed)
    told = data.corrupted(labels, float(job.settings["share"]), seed=job.seed)
    entropy = table_information(told, told)
    cells: dict[str, list[Cell]] = {}
    for cell in job.cells:
        cells.setdefault(_kind(cell.estimator), []).append(cell)
    for cell in cells.get("known", []):
        yield _timed(cell, partial(_known, cell, Z, labels, told, entropy))
    for cell in cells.get("width", []):
        yield _timed(cell, lambda: MEDIAN_FACTOR * eg.bandwidth(Z, RULE) / eg.bandwidth(Z))
    for cell in cells.get("Holevo", []):
        yield _timed(cell, partial(_adjusted, cell, Z, told, eg.kernel_information))
    for cell in cells.get("adjusted", []):
        yield _timed(cell, partial(_adjusted, cell, Z, told, eg.dsmi))
    others = cells.get("bits", [])
    if others:
        for row in estimators.measure(replace(job, cells=tuple(others)), Z, told, **MINE):
            yield replace(row, value=row.value / entropy, error=row.error / entropy)


def _kind(name: str) -> str:
    if name in KNOWN:
        return "known"
    if name == WIDTH:
        return "width"
    word = name.split()[0]
    return word if word in ("Holevo", "adjusted") else "bits"


def _timed(cell: Cell, measured: Callable[[], float]) -> StudyRow:
    start = time.perf_counter()
    with warnings.catch_warnings():  # a saturated sigma is a result here
        warnings.simplefilter("ignore", eg.SaturationWarning)
        value = measured()
    return StudyRow(cell, value, math.nan, time.perf_counter() - start)


def _adjusted(
    cell: Cell, Z: Array, told: Labels, information: Callable[..., eg.MutualInformation]
) -> float:
    sigma = estimators.sigma_of(cell.estimator.partition(" ")[2], None, Z)
    return information(Z, told, sigma=sigma, seed=cell.seed).adjusted()


def _known(cell: Cell, Z: Array, labels: Labels, told: Labels, entropy: float) -> float:
    if cell.estimator == "counted":
        return table_information(labels, told) / entropy
    if cell.estimator == "channel":
        return channel_information(labels, float(cell.settings["share"])) / entropy
    if cell.estimator == "classifier":
        labels = predictions(Z, labels, cell.seed)
    return less_chance(labels, told, cell.seed) / entropy


def table_information(a: Labels, b: Labels) -> float:
    """Shannon information of two columns of labels, in bits, as they are counted."""
    counts = np.zeros((int(a.max()) + 1, int(b.max()) + 1))
    np.add.at(counts, (a, b), 1.0)
    p = counts / len(a)
    expected = np.outer(p.sum(axis=1), p.sum(axis=0))
    some = p > 0
    return float(np.sum(p[some] * np.log2(p[some] / expected[some])))


def less_chance(a: Labels, b: Labels, seed: int) -> float:
    """The information of two columns without its chance part, H(b) where a tells all of b.

    H(b) (I - C) / (H(b) - C), where C is the mean over random orders of the rows. This is what the
    adjusted information of rows reads if each value of a is a point, far from all others.
    """
    rng = np.random.default_rng([seed, 8])
    chance = float(np.mean([table_information(rng.permutation(a), b) for _ in range(N_CHANCE)]))
    entropy = table_information(b, b)
    return entropy * (table_information(a, b) - chance) / (entropy - chance)


def channel_information(labels: Labels, share: float) -> float:
    """Of infinitely many labels with these frequencies, a share of which is redrawn, in bits."""
    p = np.unique(labels, return_counts=True)[1] / len(labels)
    channel = (1.0 - share) * np.eye(len(p)) + share / len(p)
    joint = p[:, None] * channel
    some = joint > 0
    return float(np.sum(joint[some] * np.log2((channel / joint.sum(axis=0))[some])))


def predictions(Z: Array, labels: Labels, seed: int) -> Labels:
    """Of a support vector machine on standardised columns, each row by ten others' folds."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    least = int(np.unique(labels, return_counts=True)[1].min())
    folds = StratifiedKFold(max(2, min(10, least)), shuffle=True, random_state=seed)
    classifier = make_pipeline(StandardScaler(), SVC(C=10.0))
    found: Labels = cross_val_predict(classifier, Z, labels, cv=folds).astype(np.int64)
    return found


# What the rows say.


def errors(
    rows: Sequence[StudyRow], name: str, estimator: str, low: str | None = None, high: str = "all"
) -> dict[float, list[float]]:
    """By share of redrawn labels: how far the readings are off, one a seed.

    Off is what lies outside of the two known values. Without `low` this is what is known of the
    set: all of Y where its rows tell all, from what the classifier finds to all of Y elsewhere. A
    reading that is not defined counts as 0.
    """
    low = low or ("all" if SETS[name].told else "classifier")
    of = {
        wanted: {(row["share"], row.cell.seed): row.value for row in select(rows, estimator=wanted)}
        for wanted in {estimator, low, high}
    }
    off: dict[float, list[float]] = {}
    for key, value in of[estimator].items():
        if key in of[low] and key in of[high]:
            ends = sorted((of[low][key], of[high][key]))
            reading = value if math.isfinite(value) else 0.0
            nearest = min(max(reading, ends[0]), ends[1])
            off.setdefault(key[0], []).append(reading - nearest)
    return dict(sorted(off.items()))


Worst = tuple[float, float, float]  # how far off, half of its interval, at which share


def worst(
    rows: Sequence[StudyRow], name: str, estimator: str, low: str | None = None, high: str = "all"
) -> Worst | None:
    """The share of redrawn labels at which the mean over the seeds is furthest off."""
    found = errors(select(rows, data=name), name, estimator, low, high)
    bands = [(*band(values), share) for share, values in found.items()]
    return max(bands, key=lambda each: abs(each[0])) if bands else None


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
    """The blobs at any width, the rule on sets kept out of choosing it, then all measures."""
    present = [name for name in SETS if select(rows, data=name)]
    kept = [name for name in present if not SETS[name].chosen_on]
    if not kept:
        return [Claim("kept out", "data sets kept out of choosing the rule").not_measured()]
    found = [_blobs(rows, f"blobs d={d}") for d in DIMENSIONS if f"blobs d={d}" in present]
    found += [_kept_out(rows, name) for name in kept]
    if "breast cancer" in kept:
        found.append(_by_classifier(rows))
    found.append(_on_all(rows, f"Holevo {RULE}", kept, KEPT_AIM))
    found += [_on_all(rows, name, present, KEPT_MUST) for name in _read(rows)]
    return found


def _read(rows: Sequence[StudyRow]) -> list[str]:
    measured = distinct(rows, "estimator")
    return [name for name in (*HOLEVO, *OTHERS) if name in measured]


def _blobs(rows: Sequence[StudyRow], name: str) -> Finding:
    widths = [n for n in HOLEVO[1:] if LOW <= float(n.split()[1]) <= HIGH]
    off = {n: found for n in widths if (found := worst(rows, name, n))}
    claim = Claim(
        "blobs", f"{name}: Holevo is within {BLOBS_MUST} of the truth at {LOW} to {HIGH} medians"
    )
    if not off:
        return claim.not_measured()
    at = max(off, key=lambda n: abs(off[n][0]))
    aim = f"; aim {BLOBS_AIM}: {'yes' if abs(off[at][0]) <= BLOBS_AIM else 'no'}"
    text = _shown(off[at]) + f", {at.removeprefix('Holevo ')}" + aim
    return claim.judged(text, abs(off[at][0]) <= BLOBS_MUST)


def _kept_out(rows: Sequence[StudyRow], name: str) -> Finding:
    truth = "the truth" if SETS[name].told else "what a classifier and all of Y tell"
    claim = Claim("kept out", f"{name}, kept out: Holevo {RULE} is within {KEPT_MUST} of {truth}")
    return _judged(claim, worst(rows, name, f"Holevo {RULE}"), KEPT_MUST)


def _by_classifier(rows: Sequence[StudyRow]) -> Finding:
    claim = Claim(
        "classifier",
        f"breast cancer: Holevo {RULE} is within {KEPT_MUST} of what a classifier tells",
    )
    off = worst(rows, "breast cancer", f"Holevo {RULE}", "classifier", "classifier")
    return _judged(claim, off, KEPT_MUST)


def _judged(claim: Claim, off: Worst | None, limit: float) -> Finding:
    return claim.judged(_shown(off), abs(off[0]) <= limit) if off else claim.not_measured()


def _on_all(
    rows: Sequence[StudyRow], estimator: str, names: Sequence[str], limit: float
) -> Finding:
    kept = all(not SETS[name].chosen_on for name in names)
    which = "every set kept out" if kept else "every set"
    claim = Claim("all sets", f"{estimator} is within {limit} on {which}")
    off = {name: found for name in names if (found := worst(rows, name, estimator))}
    if not off:
        return claim.not_measured()
    at = max(off, key=lambda name: abs(off[name][0]))
    good = sum(abs(each[0]) <= limit for each in off.values())
    text = f"{good} of {len(off)}; {at} {_shown(off[at])}"
    return claim.judged(text, good == len(off))


def _shown(off: Worst) -> str:
    return f"{off[0]:+.3f} +- {off[1]:.3f} at {100 * off[2]:g} %"


def listing(rows: Sequence[StudyRow]) -> Listing:
    """How far each measure is off on each data set, at the worst share of redrawn labels."""
    names = _read(rows)
    present = [name for name in SETS if select(rows, data=name)]
    lines = []
    for name in present:
        widths = [row.value for row in select(rows, data=name, estimator=WIDTH)]
        off = [worst(rows, name, estimator) for estimator in names]
        if SETS[name].told:
            off += [worst(rows, name, f"Holevo {RULE}", k, k) for k in ("counted", "channel")]
        else:
            off += [None, None]  # Z does not tell what Y tells
        lines.append(
            [
                name + ("" if SETS[name].chosen_on else " (kept out)"),
                f"{np.mean(widths):.2f}" if widths else "-",
                *(f"{each[0]:+.3f}" if each else "-" for each in off),
            ]
        )
    others = [f"Holevo {RULE}, {known}" for known in ("counted", "channel")]
    return Listing(
        "How far off at the worst share of redrawn labels, in shares of H(Y'), mean over seeds",
        ["data", WIDTH, *names, *others],
        lines,
    )


_DRAWN = ("blobs d=20", "blobs d=2000", "wine", "digits", "breast cancer", "mixtures")
_CALLED = {"all": "known: all of Y", "classifier": "known: a classifier"}
_CURVES = ("all", "classifier", f"Holevo {RULE}", "Holevo 0.5 medians", *OTHERS[1:])


def panels(rows: Sequence[StudyRow]) -> list[Panel]:
    """One plot for each of six data sets."""
    return [
        Panel(
            name,
            "share of redrawn labels",
            "share of H(Y')",
            [
                Curve(
                    _CALLED.get(estimator, estimator),
                    repeated(select(some, estimator=estimator), "share"),
                )
                for estimator in _CURVES
                if estimator != "classifier" or not SETS[name].told
            ],
            possible=(0.0, 1.0),
        )
        for name in _DRAWN
        if (some := select(rows, data=name))
    ]


STUDY = Study(
    name="calibration",
    title="whether adjusted informations read as bits: redrawn labels, widths, KSG, MINE, bins",
    jobs=jobs,
    measure=measure,
    findings=findings,
    panels=panels,
    listing=listing,
    parallel=True,
)
