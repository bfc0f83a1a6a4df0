"""What the page about sigma="auto" says holds for the stored rows: its tables, numbers and claims.

Sentences are free: the numbers in them are looked up in the whole page, wherever they stand.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pytest

from benchmarks.documents import study_tables as tables
from eigentropy._kernels.bandwidth import RULES as BANDWIDTH_RULES
from eigentropy.studies import bandwidth, criteria, sets
from eigentropy.studies.criteria import RULES
from eigentropy.studies.kernels import KERNELS
from eigentropy.studies.study import select

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanations" / "bandwidth.md"
PROSE = tables.BLOCK.sub("", DOCUMENT.read_text())
NUMBERS = set(re.findall(r"-?\d+\.\d+", PROSE))
MEDIANS = ("auto", "0.2 medians", "0.5 medians")
FIXED = ("sqrt-d", "sigma=10")


def found():
    return tables.rule_scores(tables.RESULTS)


@functools.cache
def rows():
    return tables.stored("bandwidth", tables.RESULTS)


def score(name, rule="auto"):
    (values,) = (values for c, values in found().items() if c.name == name)
    return values[rule]


def lead(rule, without=""):
    """Of a rule's mean rank over auto's, with one of the questions left out."""
    questions = criteria.by_question(found())
    leads = [each["auto"] - each[rule] for name, each in questions.items() if name != without]
    return math.fsum(leads) / len(leads)


def test_the_tables_are_those_of_the_stored_rows():
    text = DOCUMENT.read_text()
    assert tables.updated(text) == text
    assert [m["name"] for m in tables.BLOCK.finditer(text)] == ["rules"]


def test_without_both_studies_there_is_no_table(tmp_path):
    assert tables.rules(tmp_path) == ""
    block = "<!-- study: rules -->\nold\n<!-- end of study -->"
    assert tables.updated(block, tmp_path) == block


def test_the_page_names_every_rule_and_question():
    assert all(f"`{rule}`" in PROSE for rule in RULES if not rule.startswith("alpha-decay a="))
    assert all(f"| {question} |" in PROSE for question in criteria.by_question(found()))
    assert len(RULES) == 12
    assert len(sets.SETS) == 13
    assert len(criteria.by_question(found())) == 7
    assert max(bandwidth.TIMES) == 16384


def test_every_number_of_three_decimals_was_measured():
    measured = {f"{value:.3f}" for values in found().values() for value in values.values()}
    little, more = (select(rows(), noise=noise) for noise in (0.01, 0.1))
    for some in (little, more):
        measured |= {f"{criteria.dimension(some, rule):.3f}" for rule in RULES}
    quoted = {number for number in NUMBERS if re.fullmatch(r"-?\d\.\d{3}", number)}
    assert len(quoted) > 20
    assert quoted <= measured


def test_none_of_the_rules_for_one_sigma_is_clearly_better():
    assert not set(criteria.clearly_better(found())) - set(KERNELS)
    assert abs(lead("0.5 medians")) < 0.5
    assert f"{lead('0.5 medians'):.2f}" in NUMBERS
    assert score("error of log2 k", "0.5 medians") < score("error of log2 k")
    for probe in ("kNN", "linear"):
        assert score(f"adjusted, {probe} probe", "0.5 medians") < score(f"adjusted, {probe} probe")


def test_one_kernel_is_better_by_the_yardstick_and_not_by_much():
    assert criteria.clearly_better(found()) == ["local medians"]
    questions = criteria.by_question(found())
    assert sum(each["local medians"] < each["auto"] for each in questions.values()) == 4
    without = {name: lead("local medians", name) for name in questions}
    clusters, dimension = without.pop("clusters"), without.pop("dimension")
    quoted = [lead("local medians"), clusters, dimension, min(without.values()), max(without.values())]
    assert {f"{value:.2f}" for value in quoted} <= NUMBERS
    share = (questions["clusters"]["auto"] - questions["clusters"]["local medians"]) / 7
    assert share / lead("local medians") == pytest.approx(2 / 3, abs=0.04)


def test_of_the_seeds_taken_alone_one_says_so():
    whole = {row.cell.seed for row in select(rows(), estimator="plateau auto")}
    assert whole == {0, 1, 2}
    networks = {c: values for c, values in found().items() if c.study == "models"}
    verdicts = []
    for seed in sorted(whole):
        some = [
            r for r in rows() if r.cell.seed == seed or {"scale", "draw"} & set(r.cell.settings)
        ]
        verdicts.append(criteria.clearly_better(criteria.scores(some) | networks))
    assert verdicts == [[], ["local medians"], []]
    assert {f"{value:.2f}" for value in leads} <= NUMBERS


def test_at_two_questions_no_rule_is_better():
    questions = criteria.by_question(found())
    best = {name for name, each in questions.items() if each["auto"] == min(each.values())}
    assert best == {"networks", "scale"}
    assert list(questions["scale"].values()).count(questions["scale"]["auto"]) == 10
    assert sorted(questions["networks"].values())[1] > questions["networks"]["auto"]
    errors = {rule: score("error of log2 k", rule) for rule in RULES if rule in BANDWIDTH_RULES}
    assert min(errors, key=errors.get) == "knn"  # of what `sigma` takes


QUOTED = [
    *(("error of log2 k", rule) for rule in ("auto", "self-tuning", "knn")),
    *(
        ("range used", rule)
        for rule in (*FIXED, "local medians", "auto", "knn", "alpha-decay a=10")
    ),
    ("noise of halves", "auto"),
    ("ranks of quarters", "knn"),
    *(("adjusted off 1", rule) for rule in ("alpha-decay a=10", "auto")),
    *(("DSMI / H(Y)", rule) for rule in ("0.5 medians", "auto", "alpha-decay a=10")),
    ("adjusted, kNN probe", "auto"),
    *(("adjusted, linear probe", rule) for rule in ("auto", "local medians")),
    *((f"DSMI, {p} probe", rule) for p in ("kNN", "linear") for rule in ("auto", "alpha-decay a=10")),
]


@pytest.mark.parametrize(("name", "rule"), QUOTED)
def test_the_page_has_the_number(name, rule):
    shown = f"{score(name, rule):.3f}"
    assert {shown, shown.removesuffix("0")} & NUMBERS


def test_clusters():
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
    assert (sum(blobs), len(blobs)) == (8, 9)
    high = sorted(off["digits"] + off["circles"])[1:]  # all but one of circles
    assert f"{math.floor(10 * high[0]) / 10:.1f}" in NUMBERS
    assert len(off["circles"]) == 3
    high = sorted(off["digits"] + off["circles"])[1:]  # all but one of circles
    assert high[0] > 2.7


def test_dimension():
    little, more = (select(rows(), noise=noise) for noise in (0.01, 0.1))
    for rule in (*MEDIANS, "local medians", *FIXED):
        assert criteria.dimension(little, rule) == pytest.approx(1.0), rule
    assert f"{criteria.dimension(more, 'auto'):.3f}" in NUMBERS
    assert all(criteria.dimension(more, rule) == pytest.approx(1.0) for rule in FIXED)
    largest = max(r.value for rule in FIXED for r in select(more, estimator=f"DSE {rule}"))
    assert f"{largest:.1f}" in NUMBERS
    others = {rule: criteria.dimension(more, rule) for rule in RULES if rule not in FIXED}
    assert max(others, key=others.get) == "alpha-decay a=10"
    assert f"{others['alpha-decay a=10']:.3f}" in NUMBERS
    assert criteria.dimension(little, "knn") == pytest.approx(-1.0)


def test_range_and_scale():
    used = {rule: score("range used", rule) for rule in RULES}
    assert sorted(used, key=used.get)[-3:] == ["local medians", "sqrt-d", "sigma=10"]
    neighbours = {"knn": used["knn"], **{r: used[r] for r in KERNELS if r != "local medians"}}
    assert max(neighbours, key=neighbours.get) == "knn"
    assert min(neighbours, key=neighbours.get) == "alpha-decay a=10"
    moves = {rule: score("moved by scale", rule) for rule in RULES}
    assert {f"{moves['sqrt-d']:.1f}", f"{moves['sigma=10']:.1f}"} <= NUMBERS
    assert all(moves[rule] < 1e-9 for rule in set(RULES) - set(FIXED))


def test_subsets_and_labels():
    for rule in (*MEDIANS, "local medians"):
        assert score("noise of halves", rule) < 0.03
        assert score("ranks of quarters", rule) > 0.97
    for name in ("decline, DSMI", "decline, adjusted"):
        assert all(value < -0.9 for value in scores(name).values())
    off, share = scores("adjusted off 1"), scores("DSMI / H(Y)")
    for values in (off, share):
        assert sorted(sorted(values, key=values.get)[:2]) == ["alpha-decay", "alpha-decay a=10"]
    assert max(share, key=share.get) == "0.5 medians"


def test_networks():
    for probe, best in (("kNN", {"auto"}), ("linear", {"auto", "local medians"})):
        values = scores(f"adjusted, {probe} probe")
        assert set(sorted(values, key=values.get)[-len(best) :]) == best
    raw = [score(f"DSMI, {probe} probe", rule) for probe in ("kNN", "linear") for rule in FIXED]
    assert f"{max(raw):.3f}" in NUMBERS
    others = max(score("adjusted, linear probe", rule) for rule in RULES)
    assert score("DSMI, linear probe", "alpha-decay a=10") > others


def test_the_study_is_of_the_size_that_it_says():
    assert (len(RULES), len(sets.SETS), len(criteria.by_question(found()))) == (12, 13, 7)
    assert max(bandwidth.TIMES) == 16384
