"""docs/bandwidth.md says what the stored rows say, in its tables and in its sentences."""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path

import pytest

from benchmarks.documents import study_tables as tables
from eigentropy.bandwidth import RULES as BANDWIDTH_RULES
from eigentropy.studies import bandwidth, criteria, sets
from eigentropy.studies.criteria import RULES
from eigentropy.studies.kernels import KERNELS
from eigentropy.studies.rows import read
from eigentropy.studies.study import select

DOCUMENT = Path(__file__).parent.parent / "docs" / "bandwidth.md"
TEXT = " ".join(DOCUMENT.read_text().split())
MEDIANS = ("auto", "0.2 medians", "0.5 medians")
FIXED = ("sqrt-d", "sigma=10")


@functools.cache
def found():
    return tables.rule_scores()


@functools.cache
def rows():
    return read("bandwidth", tables.RESULTS / "bandwidth.csv")


def score(name, rule="auto"):
    (values,) = (values for c, values in found().items() if c.name == name)
    return values[rule]


def shown(name, rule="auto"):
    return f"{score(name, rule):.3f}"


def lead(rule, without=""):
    """Of a rule's mean rank over auto's, with one of the questions left out."""
    questions = criteria.by_question(found())
    leads = [each["auto"] - each[rule] for name, each in questions.items() if name != without]
    return math.fsum(leads) / len(leads)


def test_the_tables_are_those_of_the_stored_rows():
    assert tables.updated(DOCUMENT.read_text()) == DOCUMENT.read_text()
    assert [m["name"] for m in tables.BLOCK.finditer(DOCUMENT.read_text())] == ["rules"]
    assert "mean rank" in tables.rules()


def test_without_both_studies_there_is_no_table(tmp_path):
    assert tables.rules(tmp_path) == ""
    block = "<!-- study: rules -->\nold\n<!-- end of study -->"
    assert tables.updated(block, tmp_path) == block


def test_every_rule_and_question_is_explained():
    rules = DOCUMENT.read_text().split("## The rules")[1].split("## The questions")[0]
    assert all(f"`{rule}`" in rules for rule in RULES if not rule.startswith("alpha-decay a="))
    assert "a = 40 as in PHATE (Moon et al., 2019), and 10 and 2" in rules
    questions = DOCUMENT.read_text().split("## The questions")[1].split("## What was")[0]
    assert all(f"| {question} |" in questions for question in criteria.by_question(found()))
    assert len(RULES) == 12
    assert len(sets.SETS) == 13
    assert len(criteria.by_question(found())) == 7
    assert max(bandwidth.TIMES) == 16384


def test_none_of_the_rules_for_one_sigma_is_clearly_better():
    assert not set(criteria.clearly_better(found())) - set(KERNELS)
    assert abs(lead("0.5 medians")) < 0.5
    assert f"has the better mean rank by {lead('0.5 medians'):.2f}" in TEXT
    assert score("error of log2 k", "0.5 medians") < score("error of log2 k")
    for probe in ("kNN", "linear"):
        assert score(f"adjusted, {probe} probe", "0.5 medians") < score(f"adjusted, {probe} probe")


def test_one_kernel_is_better_by_the_yardstick_and_not_by_much():
    assert criteria.clearly_better(found()) == ["local medians"]
    questions = criteria.by_question(found())
    better = sum(each["local medians"] < each["auto"] for each in questions.values())
    assert f"ahead of `auto` by {lead('local medians'):.2f}" in TEXT
    assert f"better at {better} of 7 questions" in TEXT
    without = {name: lead("local medians", name) for name in questions}
    clusters, dimension = without.pop("clusters"), without.pop("dimension")
    assert f"it leads by {clusters:.2f}, without that of dimension by {dimension:.2f}" in TEXT
    assert f"other by {min(without.values()):.2f} to {max(without.values()):.2f}." in TEXT
    share = (questions["clusters"]["auto"] - questions["clusters"]["local medians"]) / 7
    assert share / lead("local medians") == pytest.approx(2 / 3, abs=0.04)


def test_of_the_seeds_taken_alone_one_says_so():
    whole = {row.cell.seed for row in select(rows(), estimator="plateau auto")}
    assert whole == {0, 1, 2}
    leads, verdicts = [], []
    for seed in sorted(whole):
        some = [
            r for r in rows() if r.cell.seed == seed or {"scale", "draw"} & set(r.cell.settings)
        ]
        networks = {c: values for c, values in found().items() if c.study == "models"}
        alone = criteria.scores(some) | networks
        mean = criteria.overall(alone)
        leads.append(mean["auto"] - mean["local medians"])
        verdicts.append(criteria.clearly_better(alone))
    assert verdicts == [[], ["local medians"], []]
    assert "it leads by {:.2f}, {:.2f} and {:.2f}".format(*leads) in TEXT


def test_at_two_questions_no_rule_is_better():
    questions = criteria.by_question(found())
    best = {name for name, each in questions.items() if each["auto"] == min(each.values())}
    assert best == {"networks", "scale"}
    assert list(questions["scale"].values()).count(questions["scale"]["auto"]) == 10
    assert sorted(questions["networks"].values())[1] > questions["networks"]["auto"]
    errors = {rule: score("error of log2 k", rule) for rule in RULES if rule in BANDWIDTH_RULES}
    assert min(errors, key=errors.get) == "knn"  # of what `sigma` takes


NUMBERS = {
    "Clusters": [("error of log2 k", r) for r in ("auto", "self-tuning", "knn")],
    "Range": [
        ("range used", r) for r in (*FIXED, "local medians", "auto", "knn", "alpha-decay a=10")
    ],
    "Subsets": [("noise of halves", "auto"), ("ranks of quarters", "knn")],
    "Labels": [
        *(("adjusted off 1", r) for r in ("alpha-decay a=10", "auto")),
        *(("DSMI / H(Y)", r) for r in ("0.5 medians", "auto", "alpha-decay a=10")),
    ],
    "Networks": [
        ("adjusted, kNN probe", "auto"),
        ("adjusted, linear probe", "auto"),
        ("adjusted, linear probe", "local medians"),
        *((f"DSMI, {p} probe", r) for p in ("kNN", "linear") for r in ("auto", "alpha-decay a=10")),
    ],
}


def paragraph(question):
    return re.search(rf"- \*\*{question}\.\*\* (.*?)(?= - \*\*| \(what-follows\))", TEXT).group(1)


@pytest.mark.parametrize("question", NUMBERS)
def test_numbers_in_a_sentence_are_those_of_the_rows(question):
    text = paragraph(question)
    for name, rule in NUMBERS[question]:
        assert shown(name, rule) in text, (name, rule)


def test_what_is_said_of_clusters():
    ranks = criteria.ranks({r: score("error of log2 k", r) for r in RULES}, higher=False)
    assert ranks["auto"] >= 9
    off = {
        name: [
            r.value - math.log2(sets.SETS[name].clusters)
            for r in select(rows(), estimator="plateau auto", data=name)
        ]
        for name in ("blobs d=20", "blobs d=2000", "uneven blobs", "digits", "circles")
    }
    blobs = [abs(v) <= 0.2 for name, values in off.items() if "blobs" in name for v in values]
    assert f"{sum(blobs)} of {len(blobs)} sets of blobs to 0.2 bits" in paragraph("Clusters")
    high = sorted(off["digits"] + off["circles"])[1:]  # all but one of circles
    assert f"{math.floor(10 * high[0]) / 10:.1f} bits or more too high" in paragraph("Clusters")
    assert len(off["circles"]) == 3


def test_what_is_said_of_dimension():
    text = paragraph("Dimension")
    little, more = (select(rows(), noise=noise) for noise in (0.01, 0.1))
    for rule in (*MEDIANS, "local medians", *FIXED):
        assert criteria.dimension(little, rule) == pytest.approx(1.0), rule
    assert f"it does not ({criteria.dimension(more, 'auto'):.3f})" in text
    assert all(criteria.dimension(more, rule) == pytest.approx(1.0) for rule in FIXED)
    largest = max(r.value for rule in FIXED for r in select(more, estimator=f"DSE {rule}"))
    assert f"S being {largest:.1f} bits at most" in text
    assert f"is `alpha-decay a=10`, {criteria.dimension(more, 'alpha-decay a=10'):.3f}" in text
    others = {rule: criteria.dimension(more, rule) for rule in RULES if rule not in FIXED}
    assert max(others, key=others.get) == "alpha-decay a=10"
    assert criteria.dimension(little, "knn") == pytest.approx(-1.0)


def test_what_is_said_of_range_and_scale():
    used = {rule: score("range used", rule) for rule in RULES}
    assert sorted(used, key=used.get)[-3:] == ["local medians", "sqrt-d", "sigma=10"]
    neighbours = {"knn": used["knn"], **{r: used[r] for r in KERNELS if r != "local medians"}}
    assert max(neighbours, key=neighbours.get) == "knn"
    assert min(neighbours, key=neighbours.get) == "alpha-decay a=10"
    moves = {rule: score("moved by scale", rule) for rule in RULES}
    assert f"move by {moves['sqrt-d']:.1f} and {moves['sigma=10']:.1f} bits" in paragraph("Scale")
    assert all(moves[rule] < 1e-9 for rule in set(RULES) - set(FIXED))


def test_what_is_said_of_subsets_and_labels():
    for rule in (*MEDIANS, "local medians"):
        assert score("noise of halves", rule) < 0.03
        assert score("ranks of quarters", rule) > 0.97
    for name in ("decline, DSMI", "decline, adjusted"):
        assert all(score(name, rule) < -0.9 for rule in RULES)
    off = {rule: score("adjusted off 1", rule) for rule in RULES}
    share = {rule: score("DSMI / H(Y)", rule) for rule in RULES}
    for values in (off, share):
        lowest = sorted(values, key=values.get)[:2]
        assert sorted(lowest) == ["alpha-decay", "alpha-decay a=10"]
    assert max(share, key=share.get) == "0.5 medians"


def test_what_is_said_of_networks():
    for probe, best in (("kNN", {"auto"}), ("linear", {"auto", "local medians"})):
        values = {rule: score(f"adjusted, {probe} probe", rule) for rule in RULES}
        assert set(sorted(values, key=values.get)[-len(best) :]) == best
    raw = [score(f"DSMI, {probe} probe", rule) for probe in ("kNN", "linear") for rule in FIXED]
    assert f"DSMI reaches {max(raw):.3f} at most" in paragraph("Networks")
    others = max(score("adjusted, linear probe", rule) for rule in RULES)
    assert score("DSMI, linear probe", "alpha-decay a=10") > others
