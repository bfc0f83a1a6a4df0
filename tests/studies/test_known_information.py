"""The samples whose information is known, and what the study measures and says of them."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy import studies
from eigentropy.studies import estimators, known_tasks
from eigentropy.studies import known_information as study
from eigentropy.studies.known_tasks import BENCHMARK, CHOOSING, LADDER, ROWS, tasks
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.study import StudyPlan, select
from messages import naming


def cell(name, task="1v1-normal-0.75", seed=0, **settings):
    return Cell(task, sorted_parameters({"n": study.N, "number": "value", **settings}), name, seed)


def row(name, value, task="a", seed=0, bits=1.0, group=BENCHMARK, **settings):
    return StudyRow(cell(name, task, seed, bits=bits, group=group, **settings), value, 0.0, 0.0)


# The samples


def test_the_benchmark_has_its_forty_tasks_and_others_are_apart():
    groups = {task.group for task in tasks().values()}
    assert sum(task.group == BENCHMARK for task in tasks().values()) == 40
    assert sum(task.group == CHOOSING for task in tasks().values()) >= 12
    assert groups == {BENCHMARK, CHOOSING} | {g for g in groups if g.startswith(LADDER)}
    assert len(groups) == 5


@pytest.mark.parametrize("name", tasks())
def test_a_task_is_finite_rows_without_a_constant_column(name):
    task = tasks()[name]
    assert len(task.X) == len(task.Y) == ROWS
    assert task.bits > 0
    for Z in (task.X, task.Y):
        assert np.isfinite(Z).all()
        assert Z.std(axis=0).min() > 0
        assert len(np.unique(Z[:, 0])) > 0.9 * ROWS  # what is dropped makes few ties


@pytest.mark.parametrize("name", [n for n in tasks() if n.startswith("1v1-normal")])
def test_normal_pairs_have_their_correlation_and_its_information(name):
    task, r = tasks()[name], float(name.rpartition("-")[2])
    assert task.bits == pytest.approx(-0.5 * math.log2(1 - r * r))
    assert np.corrcoef(task.X[:, 0], task.Y[:, 0])[0, 1] == pytest.approx(r, abs=0.1)


@pytest.mark.parametrize("name", [n for n in tasks() if n.startswith("1v1-additive")])
def test_uniform_noise_has_its_information(name):
    task, e = tasks()[name], float(name.rpartition("-")[2])
    nats = e - math.log(2 * e) if e <= 0.5 else 0.25 / e
    assert task.bits == pytest.approx(nats / math.log(2))
    assert np.abs(task.Y - task.X).max() == pytest.approx(e, rel=0.02)


def test_what_maps_each_side_by_itself_keeps_the_information():
    for name, task in tasks().items():
        for way in ("normal_cdf-", "half_cube-", "spiral-", "wiggly-", "asinh-"):
            base = tasks().get(name.removeprefix(way))
            if base:
                assert task.bits == pytest.approx(base.bits), name


def test_ladders_rise():
    for group in {t.group for t in tasks().values() if t.group.startswith(LADDER)}:
        known = [task.bits for task in tasks().values() if task.group == group]
        assert len(known) == 5
        assert known == sorted(known)


def test_seeds_and_draws_have_rows_of_their_own():
    """Two halves make up the whole, and four draws each half."""
    whole = tasks()["1v1-normal-0.75"].X
    halves = [study.rows_of(cell("KSG k=3", seed=s))[0] for s in range(study.PARTS)]
    assert (np.concatenate(halves) == whole).all()
    draws = [
        study.rows_of(cell("KSG k=3", n=study.N_TEST, draw=i, pairs=study.TRUE))[0]
        for i in range(study.DRAWS)
    ]
    assert (np.concatenate(draws) == halves[0]).all()


def test_permuted_pairs_have_the_same_rows_of_y_in_another_order():
    true, permuted = (
        study.rows_of(cell("KSG k=3", n=study.N_TEST, draw=1, pairs=pairs))
        for pairs in (study.TRUE, study.PERMUTED)
    )
    assert (true[0] == permuted[0]).all()
    assert not (true[1] == permuted[1]).all()
    assert (np.sort(true[1], axis=0) == np.sort(permuted[1], axis=0)).all()


# What is measured


def measured(*cells):
    return [r.value for r in study.measure(study.Job(tuple(cells)))]


def test_the_kernel_s_width_is_a_share_of_each_side_s_own_median():
    wanted = cell("kernel 0.5 medians")
    X, Y = study.rows_of(wanted)
    scaled = [Z / estimators.sigma_of("0.5 medians", Z=Z) for Z in (X, Y)]
    found = eg.kernel_information(
        *scaled, kind="vectors", sigma=1.0, sigma_y=1.0, method="exact", seed=0
    )
    assert measured(wanted) == [pytest.approx(found.value)]


def test_every_estimator_is_near_nothing_for_permuted_pairs_and_not_for_true_ones():
    for name in ("kernel 0.5 medians", "DSMI 0.35 medians", "KSG k=10", "bins 5"):
        at = {"n": study.N_TEST, "number": "p", "draw": 0}
        true, permuted = measured(
            *(cell(name, **at, pairs=pairs) for pairs in (study.TRUE, study.PERMUTED))
        )
        assert true == pytest.approx(1 / 21), name
        assert permuted > 0.05, name


@given(st.integers(0, 1000), st.integers(2, 30))
def test_a_permutation_s_p_counts_itself_and_what_is_as_large(seed, n):
    Y = np.arange(float(n))[:, None]
    assert study.permutation_p(lambda permuted: 0.0, Y, seed) == 1.0
    of_order = lambda y: float(-np.abs(np.diff(y[:, 0])).sum())  # noqa: E731
    p = study.permutation_p(of_order, Y, seed)
    assert 1 / 21 <= p <= 1.0
    assert p == study.permutation_p(of_order, Y, seed)
    if n >= 12:
        assert p == pytest.approx(1 / 21)


# What is said


def test_the_setting_is_chosen_on_tasks_that_are_not_judged():
    def rows(group, right):
        return [
            row(name, bits if name == right else -bits, f"{group} {i}", bits=bits, group=group)
            for name in ("KSG k=3", "KSG k=10")
            for i, bits in enumerate((0.1, 0.5, 2.0))
        ]

    chosen, judged = rows(CHOOSING, "KSG k=10"), rows(BENCHMARK, "KSG k=3")
    assert study.chosen(chosen + judged, "KSG") == "KSG k=10"
    (ranks,) = (
        f for f in study.findings(chosen + judged) if f.kind == "ranks" and "KSG" in f.claim
    )
    assert ranks.claim.startswith("KSG k=10")
    assert ranks.holds is False


def test_values_are_means_over_the_seeds_and_distances_are_not():
    rows = [row("MINE", 0.9, seed=0), row("MINE", 1.3, seed=1), row("MINE", 2.0, "b", bits=2.0)]
    assert study.by_task(rows, "MINE", BENCHMARK) == ([1.0, 2.0], [pytest.approx(1.1), 2.0])
    assert study.off(rows, "MINE") == pytest.approx(0.4 / 3)


def test_shares_of_rejected_draws_are_by_task():
    def rows(task, values):
        return [
            row("MINE", p, task, number="p", pairs="true", draw=i) for i, p in enumerate(values)
        ]

    found = study.rejected(rows("a", [0.01, 0.05]) + rows("b", [0.06, 0.04]), "MINE", "true")
    assert found[0] == pytest.approx(0.75)
    assert found[1] > 0
    assert math.isnan(study.rejected([], "MINE", "true")[0])


def test_a_p_value_that_rejects_too_often_is_found():
    rows = [
        row("KSG k=1", 0.01 if i < 5 else 0.5, str(task), number="p", pairs=study.PERMUTED, draw=i)
        for task in range(20)
        for i in range(8)
    ]
    (found,) = (f for f in study.findings(rows) if f.kind == "false alarms" and f.holds is not None)
    assert found.holds is False


def test_more_repetitions_than_rows_are_refused():
    with pytest.raises(ValueError, match=naming("repetitions", 3, ROWS)):
        study.jobs(StudyPlan(repetitions=3))
    with pytest.raises(ValueError, match=naming("seed", 1)):
        study.jobs(StudyPlan(seed=1, repetitions=2))
    assert len(study.jobs(StudyPlan(seed=1))) == len(tasks())


def test_without_sklearn_it_says_which_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=naming("eigentropy[cluster]")):
        study.jobs(StudyPlan())


def test_the_samples_are_part_of_the_package():
    assert known_tasks.FILE.parent.samefile(studies.__path__[0])
    assert known_tasks.FILE.stat().st_size < 1_500_000


def test_the_setting_of_a_test_is_chosen_by_what_it_finds_elsewhere():
    def rows(group, name, p):
        at = {"number": "p", "pairs": study.TRUE, "draw": 0}
        return [row(name, p, f"{group} {i}", group=group, **at) for i in range(3)]

    chosen = rows(CHOOSING, "KSG k=3", 0.2) + rows(CHOOSING, "KSG k=10", 0.01)
    judged = rows(BENCHMARK, "KSG k=3", 0.01) + rows(BENCHMARK, "KSG k=10", 0.2)
    assert study.chosen_to_detect(chosen + judged, "KSG") == "KSG k=10"
    (found,) = (
        f for f in study.findings(chosen + judged) if f.kind == "detects" and "KSG" in f.claim
    )
    assert found.claim.startswith("KSG k=10")
    assert found.holds is False


def test_p_values_of_independent_pairs_are_of_the_benchmark_s_tasks_only():
    rows = [StudyRow(c, 0.0, 0.0, 0.0) for job in study.jobs(StudyPlan()) for c in job.cells]
    assert {r["group"] for r in select(rows, number="p", pairs=study.PERMUTED)} == {BENCHMARK}
    assert {r["group"] for r in select(rows, number="p")} == {BENCHMARK, CHOOSING}
    assert {r["group"] for r in select(rows, number="value")} > {BENCHMARK, CHOOSING}


# One column and several, heavy tails and a compact range.
KINDS = (
    "1v1-normal-0.75",
    "student-identity-1-1-1",
    "swissroll_x-normal_cdf-1v1-normal-0.75",
    "multinormal-dense-50-50-0.5",
)


@pytest.mark.parametrize("number", ["value", "p"])
def test_every_estimator_measures_every_kind_of_task(number, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(study, "MINE_OPTIONS", {"epochs": 2, "batch_size": 20})
    monkeypatch.setattr(study, "N_NULL", 3)
    names = [names[0] for names in study.CANDIDATES.values()]
    for task in KINDS:
        at = {"n": 50, "number": number, "draw": 0, "pairs": study.TRUE}
        for value in measured(*(cell(name, task, **at) for name in names)):
            assert math.isfinite(value)
            assert number == "value" or 0.0 <= value <= 1.0
