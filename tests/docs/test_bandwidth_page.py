"""What the stored rows say of the rules for sigma, and the page that has their tables."""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path

import pytest

from benchmarks.documents import study_tables as tables
from eigentropy._kernels.bandwidth import RULES as BANDWIDTH_RULES
from eigentropy.studies import bandwidth, criteria, questions, sets
from eigentropy.studies.criteria import RULES
from eigentropy.studies.kernels import KERNELS
from eigentropy.studies.study import select

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanations" / "bandwidth.md"
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


def scores(name):
    return {rule: score(name, rule) for rule in RULES}


def lead(rule, without=""):
    """Of a rule's mean rank over auto's, with one of the questions left out."""
    questions = criteria.by_question(found())
    leads = [each["auto"] - each[rule] for name, each in questions.items() if name != without]
    return math.fsum(leads) / len(leads)


def test_the_tables_are_those_of_the_stored_rows():
    text = DOCUMENT.read_text()
    assert tables.updated(text) == text
    assert [m["name"] for m in tables.BLOCK.finditer(text)] == ["rules"]


def test_every_number_of_three_decimals_in_the_text_was_measured():
    text = tables.BLOCK.sub("", DOCUMENT.read_text())
    quoted = set(re.findall(r"(?<![\d.])-?\d\.\d{3}(?!\d)", text))
    measured = {f"{value:.3f}" for values in found().values() for value in values.values()}
    for noise in (0.01, 0.1):
        some = select(rows(), noise=noise)
        measured |= {f"{questions.dimension(some, rule):.3f}" for rule in RULES}
    assert len(quoted) > 20
    assert quoted <= measured


def test_without_both_studies_there_is_no_table(tmp_path):
    assert tables.rules(tmp_path) == ""
    block = "<!-- study: rules -->\nold\n<!-- end of study -->"
    assert tables.updated(block, tmp_path) == block


def test_every_rule_and_question_is_in_the_document():
    text = DOCUMENT.read_text()
    assert all(f"`{rule}`" in text for rule in RULES if not rule.startswith("alpha-decay a="))
    assert all(f"| {question} |" in text for question in criteria.by_question(found()))


def test_none_of_the_rules_for_one_sigma_is_clearly_better():
    assert not set(criteria.clearly_better(found())) - set(KERNELS)
    assert 0.0 < lead("0.5 medians") < 0.5
    assert score("error of log2 k", "0.5 medians") < score("error of log2 k")
    for probe in ("kNN", "linear"):
        assert score(f"adjusted, {probe} probe", "0.5 medians") < score(f"adjusted, {probe} probe")


def test_one_kernel_is_better_by_the_yardstick_and_not_by_much():
    assert criteria.clearly_better(found()) == ["local medians"]
    questions = criteria.by_question(found())
    assert sum(each["local medians"] < each["auto"] for each in questions.values()) == 4
    assert 1.0 < lead("local medians") < 1.1
    assert lead("local medians", without="clusters") < 0.5
    assert lead("local medians", without="dimension") < 1.0
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


def test_at_two_questions_no_rule_is_better():
    questions = criteria.by_question(found())
    best = {name for name, each in questions.items() if each["auto"] == min(each.values())}
    assert best == {"networks", "scale"}
    assert list(questions["scale"].values()).count(questions["scale"]["auto"]) == 10
    assert sorted(questions["networks"].values())[1] > questions["networks"]["auto"]
    errors = {rule: score("error of log2 k", rule) for rule in RULES if rule in BANDWIDTH_RULES}
    assert min(errors, key=errors.get) == "knn"  # of what `sigma` takes


def test_auto_is_among_the_worst_at_clusters_but_not_of_blobs():
    assert criteria.ranks(scores("error of log2 k"), higher=False)["auto"] >= 9
    off = {
        name: [
            r.value - math.log2(sets.SETS[name].clusters)
            for r in select(rows(), estimator="plateau auto", data=name)
        ]
        for name in ("blobs d=20", "blobs d=2000", "uneven blobs", "digits", "circles")
    }
    blobs = [abs(v) <= 0.2 for name, values in off.items() if "blobs" in name for v in values]
    assert (sum(blobs), len(blobs)) == (8, 9)
    assert len(off["circles"]) == 3
    high = sorted(off["digits"] + off["circles"])[1:]  # all but one of circles
    assert high[0] > 2.7


def test_with_little_noise_medians_rank_the_dimension_and_with_more_only_fixed_widths_do():
    little, more = (select(rows(), noise=noise) for noise in (0.01, 0.1))
    for rule in (*MEDIANS, "local medians", *FIXED):
        assert questions.dimension(little, rule) == pytest.approx(1.0), rule
    assert questions.dimension(little, "knn") == pytest.approx(-1.0)
    assert questions.dimension(more, "auto") < 0.5
    assert all(questions.dimension(more, rule) == pytest.approx(1.0) for rule in FIXED)
    # Fixed widths see nothing but the variance.
    assert max(r.value for rule in FIXED for r in select(more, estimator=f"DSE {rule}")) < 1.7
    others = {rule: questions.dimension(more, rule) for rule in RULES if rule not in FIXED}
    assert max(others, key=others.get) == "alpha-decay a=10"


def test_fixed_widths_use_most_of_the_range_and_move_with_the_scale():
    used, moves = scores("range used"), scores("moved by scale")
    assert sorted(used, key=used.get)[-3:] == ["local medians", "sqrt-d", "sigma=10"]
    neighbours = {"knn": used["knn"], **{r: used[r] for r in KERNELS if r != "local medians"}}
    assert max(neighbours, key=neighbours.get) == "knn"
    assert min(neighbours, key=neighbours.get) == "alpha-decay a=10"
    assert all(moves[rule] > 6.0 for rule in FIXED)
    assert all(moves[rule] < 1e-9 for rule in set(RULES) - set(FIXED))


def test_medians_are_stable_and_every_rule_sees_corrupted_labels():
    for rule in (*MEDIANS, "local medians"):
        assert score("noise of halves", rule) < 0.03
        assert score("ranks of quarters", rule) > 0.97
    for name in ("decline, DSMI", "decline, adjusted"):
        assert all(value < -0.9 for value in scores(name).values())
    off, share = scores("adjusted off 1"), scores("DSMI / H(Y)")
    for values in (off, share):
        assert sorted(sorted(values, key=values.get)[:2]) == ["alpha-decay", "alpha-decay a=10"]
    assert max(share, key=share.get) == "0.5 medians"


def test_auto_ranks_networks_best_by_adjusted_and_not_by_raw_information():
    for probe, best in (("kNN", {"auto"}), ("linear", {"auto", "local medians"})):
        values = scores(f"adjusted, {probe} probe")
        assert set(sorted(values, key=values.get)[-len(best) :]) == best
        assert abs(score(f"DSMI, {probe} probe")) < 0.1
        assert all(score(f"DSMI, {probe} probe", rule) < 0.3 for rule in FIXED)
    others = max(scores("adjusted, linear probe").values())
    assert score("DSMI, linear probe", "alpha-decay a=10") > others


def test_the_study_is_of_the_size_that_it_says():
    assert (len(RULES), len(sets.SETS), len(criteria.by_question(found()))) == (12, 13, 7)
    assert max(bandwidth.TIMES) == 16384
