"""What the study of rules for sigma scores, and the data that it scores them on."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import eigentropy as eg
from eigentropy.studies import bandwidth, criteria, data, questions, sets
from eigentropy.studies.criteria import RULES
from eigentropy.studies.questions import Criterion
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.study import StudyPlan, make_job, select
from messages import naming


def row(estimator, value, name="moons", seed=0, **settings):
    return StudyRow(Cell(name, sorted_parameters(settings), estimator, seed), value, 0.0, 0.0)


# The plateau


def test_the_plateau_of_separate_clusters_is_their_number():
    """k blocks of ones that nothing joins: k eigenvalues of 1, at every t."""
    for k in (2, 5, 8):
        entropies = [eg.spectral_entropy([1.0] * k + [0.0] * 90, t=t) for t in bandwidth.TIMES]
        assert bandwidth.plateau(entropies, 600) == pytest.approx(math.log2(k))


def test_the_plateau_is_where_the_entropy_falls_least():
    assert bandwidth.plateau([7.0, 4.0, 2.1, 2.0, 1.0, 0.6], 600) == pytest.approx(2.05)


def test_neither_end_is_a_plateau():
    n = 2**10
    alone, joined = [10.0, 10.0, 10.0], [0.1, 0.0, 0.0]
    assert bandwidth.plateau([*alone, 5.0, 3.0, *joined], n) == pytest.approx(4.0)
    assert bandwidth.plateau(alone, n) == 10.0
    assert bandwidth.plateau(joined, n) == 0.1


# Criteria


def test_the_error_of_the_number_of_clusters():
    rows = [row("plateau auto", 2.0, "moons"), row("plateau auto", 2.0, "uneven blobs")]
    assert questions.clusters(rows, "auto") == pytest.approx(0.5)  # log2(2) and log2(4)


def test_the_rank_with_dimension_is_taken_curve_by_curve():
    up = [row("DSE auto", v, "normal", k=k, noise=0.1) for k, v in ((1, 5), (2, 6), (4, 7))]
    down = [row("DSE auto", -k, "uniform", k=k, noise=0.1) for k in (1, 2, 4)]
    flat = [row("DSE auto", 3.0, "uniform", 1, k=k, noise=0.1) for k in (1, 2, 4)]
    assert questions.dimension(up, "auto") == pytest.approx(1.0)
    assert questions.dimension(up + down, "auto") == pytest.approx(0.0)
    assert questions.dimension(up + flat, "auto") == pytest.approx(0.5)


def test_the_range_is_in_units_of_all_that_there_is():
    rows = [row("DSE auto", v, "gathered classes", n=256, spread=v / 8) for v in (2.0, 4.0, 6.0)]
    assert questions.used_range(rows, "auto") == pytest.approx(0.5)


def test_the_largest_move_counts():
    rows = [row("DSE auto", 2.0 + s, scale=s) for s in (0.0, 1.0, 5.0)]
    assert questions.scale(rows, "auto") == pytest.approx(4.0)
    assert math.isnan(questions.scale(rows[:1], "auto"))  # nothing to compare with


def test_a_rule_that_says_the_same_of_everything_is_not_stable():
    def halves(values):
        return [
            row("DSE auto", v, name, share=0.5, draw=i)
            for name, pair in values.items()
            for i, v in enumerate(pair)
        ]

    assert questions.halves(halves({"a": (1, 1), "b": (1, 1)}), "auto") == math.inf
    # Deviations of sqrt(2)/10 within, sqrt(2) between.
    found = questions.halves(halves({"a": (0.9, 1.1), "b": (2.9, 3.1)}), "auto")
    assert found == pytest.approx(0.1)


def test_quarters_are_compared_with_all_rows():
    names = ["a", "b", "c"]
    whole = [row("DSE auto", i, d, share=1.0, draw=0) for i, d in enumerate(names)]
    same = [row("DSE auto", i**2, d, share=0.25, draw=0) for i, d in enumerate(names)]
    turned = [row("DSE auto", -i, d, share=0.25, draw=1) for i, d in enumerate(names)]
    assert questions.quarters(whole + same, "auto") == pytest.approx(1.0)
    assert questions.quarters(whole + same + turned, "auto") == pytest.approx(0.0)


def test_information_is_a_share_of_that_of_the_labels():
    rows = [row("H(Y)", 2.0, corrupted=0.0), row("DSMI auto", 1.5, corrupted=0.0)]
    rows.append(row("DSMI auto", 9.0, corrupted=0.5))
    assert questions.information(rows, "auto") == pytest.approx(0.75)


def test_more_than_one_is_as_wrong_as_less_and_undefined_is_nothing():
    for value, off in ((1.0, 0.0), (1.25, 0.25), (0.75, 0.25), (math.nan, 1.0)):
        assert questions.adjusted([row("adjusted auto", value, corrupted=0.0)], "auto") == off


def test_a_decline_that_is_not_defined_is_none():
    (decline,) = (c for c in questions.CRITERIA if c.name == "decline, adjusted")
    falls = [row("adjusted auto", 1 - s, corrupted=s) for s in (0.0, 0.5, 1.0)]
    none = [row("adjusted auto", math.nan, "circles", corrupted=s) for s in (0.0, 0.5, 1.0)]
    assert decline.of(falls, "auto") == pytest.approx(-1.0)
    assert decline.of(falls + none, "auto") == pytest.approx(-0.5)


def test_ranks_share_ties_as_shown_and_undefined_comes_last():
    values = {"a": 0.50001, "b": 0.5, "c": math.nan, "d": 0.9}
    assert criteria.ranks(values, higher=True) == {"d": 1, "a": 2.5, "b": 2.5, "c": 4}
    assert criteria.ranks(values, higher=False) == {"a": 1.5, "b": 1.5, "d": 3, "c": 4}


def made_up_scores(best, ahead):
    """`best` is best and `auto` second at `ahead` questions, and the other way round elsewhere."""
    found = {}
    for number in range(7):
        values = dict.fromkeys(RULES, 0.0)
        first, second = (best, "auto") if number < ahead else ("auto", best)
        found[Criterion(f"c{number}", f"q{number}", questions.clusters)] = {
            **values, first: 9.0, second: 8.0
        }  # fmt: skip
    return found


def test_clearly_better_is_by_a_rank_and_at_most_questions():
    assert criteria.clearly_better(made_up_scores("knn", 7)) == ["knn"]
    assert criteria.clearly_better(made_up_scores("knn", 6)) == []  # a lead of 5/7
    # One question by a mile, the others narrowly worse: a better mean rank, but only there.
    found = made_up_scores("knn", 0)
    first = next(iter(found))
    found[first] = {rule: float(RULES[::-1].index(rule)) for rule in RULES} | {"knn": 99.0}
    found[first]["auto"] = -99.0
    assert criteria.overall(found)["knn"] < criteria.overall(found)["auto"]
    assert criteria.clearly_better(found) == []


def test_criteria_of_one_question_share_its_weight():
    found = made_up_scores("knn", 0)
    extra = Criterion("another", "q0", questions.clusters)
    found[extra] = {**dict.fromkeys(RULES, 0.0), "knn": 9.0}
    assert criteria.by_question(found)["q0"]["knn"] == 1.5  # 2 and 1
    assert len(criteria.by_question(found)) == 7


def test_tables_have_every_rule_best_first():
    found = made_up_scores("knn", 7)
    table = criteria.compared(found)
    assert [line[0] for line in table.lines[:2]] == ["knn", "auto"]
    assert {line[0] for line in table.lines} == set(RULES)
    assert table.lines[0][1:] == ["1.0"] * 7 + ["1.00"]
    values = criteria.valued(found)
    assert values.headings[2:] == list(RULES)
    assert [len(line) for line in values.lines] == [2 + len(RULES)] * 7


# Data sets


@pytest.mark.parametrize("name", sets.SETS)
def test_a_data_set_is_what_it_says(name):
    each = sets.SETS[name]
    Z, labels = each.make(120, 0)
    again, other = each.make(120, 0)[0], each.make(120, 1)[0]
    assert Z.shape[0] == 120
    assert np.isfinite(Z).all()
    assert np.array_equal(Z, again)
    assert not np.array_equal(Z, other)
    assert (labels is not None) == each.labelled
    if each.clusters:
        assert len(np.unique(labels)) == each.clusters


def test_small_tables_are_used_whole():
    Z, labels = sets.SETS["iris"].make(600, 0)
    assert Z.shape == (150, 4)
    assert Z.std(axis=0) == pytest.approx(np.ones(4))
    assert sorted(np.bincount(labels)) == [50, 50, 50]


def test_moons_and_circles_are_apart_but_not_linearly():
    """The nearest other row is of the same class, the class's mean is not the nearer one."""
    for name in ("moons", "circles"):
        Z, y = sets.SETS[name].make(400, 0)
        squared = ((Z[:, None] - Z[None]) ** 2).sum(axis=-1) + np.diag(np.full(len(Z), np.inf))
        assert (y[squared.argmin(axis=1)] == y).mean() > 0.98, name
        means = np.array([Z[y == k].mean(axis=0) for k in (0, 1)])
        nearer = ((Z[:, None] - means[None]) ** 2).sum(axis=-1).argmin(axis=1)
        assert (nearer == y).mean() < 0.95, name


@pytest.mark.parametrize("name", sets.SPREADS)
def test_representations_go_from_collapsed_to_spread(name):
    """By the participation ratio of their covariance, or by how much of it is within classes."""
    found = []
    for spread in (0.0, 0.5, 1.0):
        Z = sets.SPREADS[name](300, spread, 0)
        values = np.linalg.eigvalsh(np.cov(Z.T))
        found.append(values.sum() ** 2 / (values**2).sum())
    assert found == sorted(found)
    assert found[0] < 10 < found[2]


# The study


def test_subsets_are_compared_by_shares_of_their_own_logarithm():
    job = make_job("iris", {"n": 600, "share": 0.5, "draw": 3}, ["DSE auto"], 0)
    (found,) = bandwidth.measure(job)
    Z = sets.SETS["iris"].make(600, 0)[0][data.subset(150, 0.5, seed=3)]
    assert found.value == pytest.approx(eg.dse(Z, method="exact").value / math.log2(75))


def test_corrupted_labels_are_measured_and_clean_ones_have_their_entropy():
    names = ["H(Y)", "DSMI knn", "adjusted self-tuning"]
    found = {
        share: {
            r.cell.estimator: r.value
            for r in bandwidth.measure(
                make_job("iris", {"n": 600, "corrupted": share}, names, 0)
            )
        }
        for share in (0.0, 1.0)
    }  # fmt: skip
    assert found[0.0]["H(Y)"] == pytest.approx(math.log2(3))
    for name in names[1:]:
        assert found[0.0][name] > 0.4 > 0.1 > abs(found[1.0][name])


def test_without_torch_one_data_set_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.warns(UserWarning, match=naming("hidden layer", "eigentropy[torch]")):
        jobs = bandwidth.jobs(StudyPlan())
    assert {job.data for job in jobs} >= set(sets.SETS) - {"hidden layer"}
    assert not any(job.data == "hidden layer" for job in jobs)


def test_without_sklearn_it_says_which_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=naming("eigentropy[cluster]")):
        bandwidth.jobs(StudyPlan())


def test_every_criterion_has_cells_for_every_rule():
    cells = [cell for job in bandwidth.jobs(StudyPlan()) for cell in job.cells]
    found = criteria.scores([StudyRow(cell, 1.0, 0.0, 0.0) for cell in cells])
    assert len(found) == 10
    assert not any(math.isnan(value) for values in found.values() for value in values.values())
    assert select([StudyRow(c, 1.0, 0.0, 0.0) for c in cells], estimator="H(Y)")
