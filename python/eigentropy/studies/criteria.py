"""What the rows of the studies `bandwidth` and `models` say about a rule for sigma.

Each criterion is a number by rule, better the higher or the lower it is. Criteria that answer one
question share its weight: ranks are averaged over the criteria of a question, then over questions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from eigentropy.studies.kernels import KERNELS
from eigentropy.studies.questions import CRITERIA, Criterion, mean_of
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import Claim, Finding, Listing

DEFAULT = "auto"
RULES = (
    DEFAULT, "0.2 medians", "0.5 medians", "knn", "max-slope", "sqrt-d", "sigma=10", *KERNELS
)  # fmt: skip

# A rule replaces `auto` if its mean rank is better by this much and it is better at more than half
# of the questions. Decided before the study was run.
CLEARLY = 1.0

# Values are rounded before they are ranked: smaller differences mean nothing to a user.
DECIMALS = 3

Scores = dict[Criterion, dict[str, float]]


def scores(rows: Sequence[StudyRow], study: str = "bandwidth") -> Scores:
    """The value of every criterion of this study for every rule; NaN where rows are missing."""
    of_rule = {rule: [row for row in rows if _rule(row) in (rule, None)] for rule in RULES}
    return {
        c: {rule: c.of(of_rule[rule], rule) for rule in RULES} for c in CRITERIA if c.study == study
    }


def _rule(row: StudyRow) -> str | None:
    """The rule that a number was computed with; None for a probe, which has no rule."""
    setting = row.cell.estimator.partition(" ")[2]
    return setting if setting in RULES else None


def ranks(values: dict[str, float], higher: bool) -> dict[str, float]:
    """Rank 1 is the best rule. Rules of equal rounded values share a mean rank; NaN is last."""
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
        question: {rule: mean_of(each[rule] for each in several) for rule in RULES}
        for question, several in together.items()
    }


def overall(found: Scores) -> dict[str, float]:
    """Mean rank over the questions, best first."""
    questions = by_question(found).values()
    mean = {rule: mean_of(each[rule] for each in questions) for rule in RULES}
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


def findings(rows: Sequence[StudyRow]) -> list[Finding]:
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
    claim = Claim("on the whole", f"on the whole no {what} is clearly better than {DEFAULT}")
    if not all(math.isfinite(values[DEFAULT]) for values in found.values()):
        return claim.not_measured()
    mean, better = overall(found), clearly_better(found)
    first = next(rule for rule in mean if rule in rules and rule != DEFAULT)
    text = f"mean rank {mean[DEFAULT]:.2f} of {len(RULES)}; {first} has {mean[first]:.2f}"
    return claim.judged(text, not set(better) & set(rules))


def _best(criterion: Criterion, values: dict[str, float]) -> Finding:
    kind = f"{criterion.question}, {criterion.name}"
    claim = Claim(kind, f"{kind}: no rule is better than {DEFAULT}")
    if not math.isfinite(values[DEFAULT]):
        return claim.not_measured()
    places = ranks(values, criterion.higher)
    better = [rule for rule in places if places[rule] < places[DEFAULT]]
    text = f"{values[DEFAULT]:.{DECIMALS}f}"
    if better:
        best = min(better, key=places.__getitem__)
        text += f"; {len(better)} better, {best} {values[best]:.{DECIMALS}f}"
    return claim.judged(text, not better)


def listing(rows: Sequence[StudyRow]) -> Listing:
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
