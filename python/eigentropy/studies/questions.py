"""The numbers by which rules for sigma are judged, from rows of `bandwidth` and `models`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from eigentropy.studies import models, ranking
from eigentropy.studies.estimators import spearman
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.sets import SETS, SPREADS
from eigentropy.studies.study import distinct, means, select


@dataclass(frozen=True)
class Criterion:
    """A number for each rule, from the rows of one of the studies."""

    name: str
    question: str
    of: Callable[[Sequence[StudyRow], str], float]
    higher: bool = True  # is better
    study: str = "bandwidth"


def clusters(rows: Sequence[StudyRow], rule: str) -> float:
    """Error of the height of the plateau of S(t), in bits: mean over the data sets."""
    some = select(rows, estimator=f"plateau {rule}")
    return mean_of(abs(row.value - math.log2(SETS[row.cell.data].clusters or 1)) for row in some)


def dimension(rows: Sequence[StudyRow], rule: str) -> float:
    """Spearman correlation of DSE and intrinsic dimension: mean over laws, noises and seeds."""
    some = _with(select(rows, estimator=f"DSE {rule}"), "k")
    curves = [
        means(select(some, data=law, noise=noise, seed=seed), "k")
        for law in distinct(some, "data")
        for noise in distinct(some, "noise")
        for seed in distinct(some, "seed")
    ]
    return mean_of(_defined(spearman(list(c), list(c.values()))) for c in curves if c)


def used_range(rows: Sequence[StudyRow], rule: str) -> float:
    """(max S - min S) / log2(n) from collapsed to spread: mean over the two ways and the seeds."""
    some = _with(select(rows, estimator=f"DSE {rule}"), "spread")
    shares = []
    for name in SPREADS:
        for seed in distinct(some, "seed"):
            found = select(some, data=name, seed=seed)
            values = [row.value / math.log2(row["n"]) for row in found]
            shares += [max(values) - min(values)] if values else []
    return mean_of(shares)


def scale(rows: Sequence[StudyRow], rule: str) -> float:
    """The largest abs(S(cZ) - S(Z)) in bits, of all c from 0.01 to 100: mean over the data sets."""
    some = _with(select(rows, estimator=f"DSE {rule}"), "scale")
    moves = []
    for name in distinct(some, "data"):
        curve = means(select(some, data=name), "scale")
        moves.append(max(abs(value - curve.get(1.0, math.nan)) for value in curve.values()))
    return mean_of(moves)


def halves(rows: Sequence[StudyRow], rule: str) -> float:
    """Spread of S / log2(n) over random halves, in units of the spread between the data sets.

    A coefficient of variation would favour a rule whose S is log2(n) for all data.
    """
    some = select(rows, estimator=f"DSE {rule}", share=0.5)
    drawn = [[r.value for r in select(some, data=name)] for name in distinct(some, "data")]
    if not drawn or min(map(len, drawn)) < 2:
        return math.nan
    within = math.sqrt(mean_of(float(np.var(values, ddof=1)) for values in drawn))
    between = float(np.std([float(np.mean(values)) for values in drawn], ddof=1))
    return within / between if between > 0 else math.inf


def quarters(rows: Sequence[StudyRow], rule: str) -> float:
    """Spearman correlation, over the data sets, of S / log2(n) of all rows and of a quarter."""
    some = select(rows, estimator=f"DSE {rule}")
    whole = {row.cell.data: row.value for row in select(some, share=1.0)}
    found = []
    for draw in distinct(select(some, share=0.25), "draw"):
        part = {row.cell.data: row.value for row in select(some, share=0.25, draw=draw)}
        both = [name for name in whole if name in part]
        found.append(_defined(spearman([whole[d] for d in both], [part[d] for d in both])))
    return mean_of(found)


def information(rows: Sequence[StudyRow], rule: str) -> float:
    """DSMI / H(Y) of clean labels: mean over data sets and seeds."""
    entropy = {(row.cell.data, row.cell.seed): row.value for row in select(rows, estimator="H(Y)")}
    some = select(rows, estimator=f"DSMI {rule}", corrupted=0.0)
    return mean_of(row.value / entropy[row.cell.data, row.cell.seed] for row in some)


def adjusted(rows: Sequence[StudyRow], rule: str) -> float:
    """abs(adjusted - 1) of clean labels, which the rows nearly determine: mean over data and seeds.

    It counts as 1 where `adjusted` is not defined. A value above 1 is as wrong as one below.
    """
    some = select(rows, estimator=f"adjusted {rule}", corrupted=0.0)
    return mean_of(abs(_defined(row.value) - 1.0) for row in some)


def _decline(kind: str) -> Callable[[Sequence[StudyRow], str], float]:
    """Spearman correlation with the share of corrupted labels: mean over data sets and seeds.

    0 where it is not defined, as where `adjusted` is not, at all shares but one or two.
    """

    def falls(rows: Sequence[StudyRow], rule: str) -> float:
        some = _with(select(rows, estimator=f"{kind} {rule}"), "corrupted")
        known = [row for row in some if math.isfinite(row.value)]
        curves = [
            means(select(known, data=name, seed=seed), "corrupted")
            for name in distinct(some, "data")
            for seed in distinct(some, "seed")
        ]
        return mean_of(_defined(spearman(list(c), list(c.values()))) for c in curves)

    return falls


def _ranking(kind: str, probe: str) -> Callable[[Sequence[StudyRow], str], float]:
    """Spearman correlation with a probe's accuracy; of DSE its absolute value."""

    def ranks(rows: Sequence[StudyRow], rule: str) -> float:
        found = spearman(*ranking.paired(rows, f"{kind} {rule}", probe))
        return abs(found) if kind == "DSE" else found

    return ranks


CRITERIA = (
    Criterion("error of log2 k", "clusters", clusters, higher=False),
    Criterion("rank with dimension", "dimension", dimension),
    Criterion("range used", "range", used_range),
    Criterion("moved by scale", "scale", scale, higher=False),
    Criterion("noise of halves", "subsets", halves, higher=False),
    Criterion("ranks of quarters", "subsets", quarters),
    Criterion("DSMI / H(Y)", "labels", information),
    Criterion("adjusted off 1", "labels", adjusted, higher=False),
    Criterion("decline, DSMI", "labels", _decline("DSMI"), higher=False),
    Criterion("decline, adjusted", "labels", _decline("adjusted"), higher=False),
    *(
        Criterion(f"{kind}, {probe}", "networks", _ranking(kind, probe), study="models")
        for kind in ("DSE", "DSMI", "adjusted")
        for probe in models.PROBES
    ),
)


def _with(rows: Sequence[StudyRow], parameter: str) -> list[StudyRow]:
    return [row for row in rows if parameter in row.cell.settings]


def _defined(value: float) -> float:
    """0 for a correlation or a share that is not defined: nothing was seen."""
    return value if math.isfinite(value) else 0.0


def mean_of(values: Iterable[float]) -> float:
    """The mean of the values; NaN if there are none."""
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan
