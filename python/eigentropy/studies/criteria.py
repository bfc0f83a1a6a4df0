"""What the rows of the studies `bandwidth` and `models` say about a rule for sigma.

Each criterion is a number by rule, better the higher or the lower it is. Criteria that answer one
question share its weight: ranks are averaged over the criteria of a question, then over questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from eigentropy.studies import models
from eigentropy.studies.estimators import spearman
from eigentropy.studies.kernels import KERNELS
from eigentropy.studies.rows import Row
from eigentropy.studies.sets import SETS, SPREADS
from eigentropy.studies.study import Finding, Listing, distinct, means, select

DEFAULT = "auto"
RULES = (
    DEFAULT, "0.2 medians", "0.5 medians", "knn", "max-slope", "sqrt-d", "sigma=10", *KERNELS
)  # fmt: skip

# A rule would take the place of `auto` if its mean rank is better by so much, and it is better at
# more than half of the questions. Decided before the study was run.
CLEARLY = 1.0

# Differences of less are rounding, or nothing that a user would see: ranks are of rounded values.
DECIMALS = 3

Scores = dict["Criterion", dict[str, float]]


@dataclass(frozen=True)
class Criterion:
    """A number for each rule, from the rows of one of the studies."""

    name: str
    question: str
    of: Callable[[Sequence[Row], str], float]
    higher: bool = True  # is better
    study: str = "bandwidth"


def clusters(rows: Sequence[Row], rule: str) -> float:
    """Error of the height of the plateau of S(t), in bits: mean over the data sets."""
    some = select(rows, estimator=f"plateau {rule}")
    return _mean(abs(row.value - math.log2(SETS[row.cell.data].clusters or 1)) for row in some)


def dimension(rows: Sequence[Row], rule: str) -> float:
    """Spearman correlation of DSE and intrinsic dimension: mean over laws, noises and seeds."""
    some = _with(select(rows, estimator=f"DSE {rule}"), "k")
    curves = [
        means(select(some, data=law, noise=noise, seed=seed), "k")
        for law in distinct(some, "data")
        for noise in distinct(some, "noise")
        for seed in distinct(some, "seed")
    ]
    return _mean(_defined(spearman(list(c), list(c.values()))) for c in curves if c)


def used_range(rows: Sequence[Row], rule: str) -> float:
    """(max S - min S) / log2(n) from collapsed to spread: mean over the two ways and the seeds."""
    some = _with(select(rows, estimator=f"DSE {rule}"), "spread")
    shares = []
    for name in SPREADS:
        for seed in distinct(some, "seed"):
            found = select(some, data=name, seed=seed)
            values = [row.value / math.log2(row["n"]) for row in found]
            shares += [max(values) - min(values)] if values else []
    return _mean(shares)


def scale(rows: Sequence[Row], rule: str) -> float:
    """The largest abs(S(cZ) - S(Z)) in bits, of all c from 0.01 to 100: mean over the data sets."""
    some = _with(select(rows, estimator=f"DSE {rule}"), "scale")
    moves = []
    for name in distinct(some, "data"):
        curve = means(select(some, data=name), "scale")
        moves.append(max(abs(value - curve.get(1.0, math.nan)) for value in curve.values()))
    return _mean(moves)


def halves(rows: Sequence[Row], rule: str) -> float:
    """Spread of S / log2(n) over random halves, in units of the spread between the data sets.

    A coefficient of variation would be best for a rule that says log2(n) to everything.
    """
    some = select(rows, estimator=f"DSE {rule}", share=0.5)
    drawn = [[r.value for r in select(some, data=name)] for name in distinct(some, "data")]
    if not drawn or min(map(len, drawn)) < 2:
        return math.nan
    within = math.sqrt(_mean(float(np.var(values, ddof=1)) for values in drawn))
    between = float(np.std([float(np.mean(values)) for values in drawn], ddof=1))
    return within / between if between > 0 else math.inf


def quarters(rows: Sequence[Row], rule: str) -> float:
    """Spearman correlation, over the data sets, of S / log2(n) of all rows and of a quarter."""
    some = select(rows, estimator=f"DSE {rule}")
    whole = {row.cell.data: row.value for row in select(some, share=1.0)}
    found = []
    for draw in distinct(select(some, share=0.25), "draw"):
        part = {row.cell.data: row.value for row in select(some, share=0.25, draw=draw)}
        both = [name for name in whole if name in part]
        found.append(_defined(spearman([whole[d] for d in both], [part[d] for d in both])))
    return _mean(found)


def information(rows: Sequence[Row], rule: str) -> float:
    """DSMI / H(Y) of clean labels: mean over data sets and seeds."""
    entropy = {(row.cell.data, row.cell.seed): row.value for row in select(rows, estimator="H(Y)")}
    some = select(rows, estimator=f"DSMI {rule}", corrupted=0.0)
    return _mean(row.value / entropy[row.cell.data, row.cell.seed] for row in some)


def adjusted(rows: Sequence[Row], rule: str) -> float:
    """abs(adjusted - 1) of clean labels, which the rows nearly tell: mean over data sets and seeds.

    1 where it is not defined: nothing was seen. More than 1 is as wrong as less.
    """
    some = select(rows, estimator=f"adjusted {rule}", corrupted=0.0)
    return _mean(abs(_defined(row.value) - 1.0) for row in some)


def _decline(kind: str) -> Callable[[Sequence[Row], str], float]:
    """Spearman correlation with the share of corrupted labels: mean over data sets and seeds.

    0 where it is not defined, as where `adjusted` is not, at all shares but one or two.
    """

    def falls(rows: Sequence[Row], rule: str) -> float:
        some = _with(select(rows, estimator=f"{kind} {rule}"), "corrupted")
        known = [row for row in some if math.isfinite(row.value)]
        curves = [
            means(select(known, data=name, seed=seed), "corrupted")
            for name in distinct(some, "data")
            for seed in distinct(some, "seed")
        ]
        return _mean(_defined(spearman(list(c), list(c.values()))) for c in curves)

    return falls


def _ranking(kind: str, probe: str) -> Callable[[Sequence[Row], str], float]:
    """Spearman correlation with the accuracy of a probe; of DSE, which has no side, its size."""

    def ranks(rows: Sequence[Row], rule: str) -> float:
        found = spearman(*models.paired(rows, f"{kind} {rule}", probe))
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


def scores(rows: Sequence[Row], study: str = "bandwidth") -> Scores:
    """The value of every criterion of this study for every rule; NaN where rows are missing."""
    of_rule = {rule: [row for row in rows if _rule(row) in (rule, None)] for rule in RULES}
    return {
        c: {rule: c.of(of_rule[rule], rule) for rule in RULES} for c in CRITERIA if c.study == study
    }


def _rule(row: Row) -> str | None:
    """The rule behind a number; None where there is none, as behind a probe."""
    setting = row.cell.estimator.partition(" ")[2]
    return setting if setting in RULES else None


def ranks(values: dict[str, float], higher: bool) -> dict[str, float]:
    """1 for the best rule; equal ones, as rounded, share their mean rank; NaN comes last."""
    worst = -math.inf if higher else math.inf
    known = [worst if math.isnan(v) else round(v, DECIMALS) for v in values.values()]
    worse = [-v if higher else v for v in known]
    return {
        rule: 0.5 + sum(w < own for w in worse) + 0.5 * sum(w == own for w in worse)
        for rule, own in zip(values, worse, strict=True)
    }


def by_question(found: Scores) -> dict[str, dict[str, float]]:
    """Mean rank of every rule at every question."""
    together: dict[str, list[dict[str, float]]] = {}
    for criterion, values in found.items():
        together.setdefault(criterion.question, []).append(ranks(values, criterion.higher))
    return {
        question: {rule: _mean(each[rule] for each in several) for rule in RULES}
        for question, several in together.items()
    }


def overall(found: Scores) -> dict[str, float]:
    """Mean rank over the questions, best first."""
    questions = by_question(found).values()
    mean = {rule: _mean(each[rule] for each in questions) for rule in RULES}
    return dict(sorted(mean.items(), key=lambda item: item[1]))


def clearly_better(found: Scores) -> list[str]:
    """Rules whose mean rank is better by CLEARLY, and better at more than half of the questions."""
    questions, mean = by_question(found), overall(found)
    return [
        rule
        for rule in mean
        if mean[DEFAULT] - mean[rule] >= CLEARLY
        and 2 * sum(each[rule] < each[DEFAULT] for each in questions.values()) > len(questions)
    ]


def findings(rows: Sequence[Row]) -> list[Finding]:
    """Whether another rule is better than `auto`, criterion by criterion and on the whole."""
    return judged(scores(rows))


def judged(found: Scores) -> list[Finding]:
    """The findings, of one study or of both."""
    return [
        *(_best(criterion, values) for criterion, values in found.items()),
        _on_the_whole(found, "rule for one sigma", [r for r in RULES if r not in KERNELS]),
        _on_the_whole(found, "kernel with a width for each row", KERNELS),
    ]


def _on_the_whole(found: Scores, what: str, rules: Sequence[str]) -> Finding:
    claim = f"on the whole no {what} is clearly better than {DEFAULT}"
    if not all(math.isfinite(values[DEFAULT]) for values in found.values()):
        return Finding(claim, "not measured", None)
    mean, better = overall(found), clearly_better(found)
    first = next(rule for rule in mean if rule in rules and rule != DEFAULT)
    text = f"mean rank {mean[DEFAULT]:.2f} of {len(RULES)}; {first} has {mean[first]:.2f}"
    return Finding(claim, text, not set(better) & set(rules))


def _best(criterion: Criterion, values: dict[str, float]) -> Finding:
    claim = f"{criterion.question}, {criterion.name}: no rule is better than {DEFAULT}"
    if not math.isfinite(values[DEFAULT]):
        return Finding(claim, "not measured", None)
    places = ranks(values, criterion.higher)
    better = [rule for rule in places if places[rule] < places[DEFAULT]]
    text = f"{values[DEFAULT]:.{DECIMALS}f}"
    if better:
        best = min(better, key=places.__getitem__)
        text += f"; {len(better)} better, {best} {values[best]:.{DECIMALS}f}"
    return Finding(claim, text, not better)


def listing(rows: Sequence[Row]) -> Listing:
    """Every rule's mean rank at each question, and over all of them."""
    return compared(scores(rows))


def compared(found: Scores) -> Listing:
    """The table of rules and questions, best rule first."""
    questions = by_question(found)
    lines = [
        [rule, *(f"{each[rule]:.1f}" for each in questions.values()), f"{mean:.2f}"]
        for rule, mean in overall(found).items()
    ]
    return Listing(
        f"Mean ranks of {len(RULES)} rules (1 is the best) at each question, and over all",
        ["sigma", *questions, "all"],
        lines,
    )


def valued(found: Scores) -> Listing:
    """The table of criteria and rules: the numbers that are ranked."""
    lines = [
        [c.question, f"{c.name} {'(+)' if c.higher else '(-)'}", *_shown(values)]
        for c, values in found.items()
    ]
    return Listing(
        "The numbers behind the ranks: + the higher, - the lower the better",
        ["question", "criterion", *RULES],
        lines,
    )


def _shown(values: dict[str, float]) -> list[str]:
    return [f"{values[rule]:.{DECIMALS}f}" for rule in RULES]


def _with(rows: Sequence[Row], parameter: str) -> list[Row]:
    return [row for row in rows if parameter in row.cell.settings]


def _defined(value: float) -> float:
    """0 for a correlation or a share that is not defined: nothing was seen."""
    return value if math.isfinite(value) else 0.0


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan
