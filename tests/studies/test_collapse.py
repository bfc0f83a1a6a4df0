"""The study of collapse: training, what goes wrong in it, looks at it, and the verdict."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.studies import STUDIES, StudyPlan, collapse, detectors, faults
from eigentropy.studies.collapse import CollapseSizes
from eigentropy.studies.detectors import AGGREGATE, ALARM, BESIDE, RANKME, Threshold
from eigentropy.studies.faults import (
    AT_ONCE,
    CLASS,
    CLUSTER,
    COMPLETE,
    DIMENSIONAL,
    GRADUAL,
    HEALTHY,
    SIMCLR,
    VICREG,
    Schedule,
)
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters

# Thresholds


@given(st.lists(st.floats(0.1, 100.0), min_size=4, max_size=30), st.integers(1, 3))
def test_a_threshold_is_passed_at_the_first_look_below_it(values, reference):
    half = Threshold(RANKME, 0.5)
    level = 0.5 * sum(values[:reference]) / reference
    found = half.first(values, reference, columns=32)
    if math.isnan(found):
        assert all(value >= level for value in values[reference:])
    else:
        look = reference + int(found)
        assert values[look] < level
        assert all(value >= level for value in values[reference:look])


def test_shares_of_the_columns_need_no_reference_and_no_rank_is_below_all():
    quarter = Threshold(RANKME, 0.25, of_columns=True)
    assert quarter.name == "RankMe < 0.25 d"
    assert quarter.first([1.0, 9.0, 8.5, 8.0, 7.9], 1, columns=32) == 3.0
    assert quarter.first([1.0, 9.0, math.nan], 1, columns=32) == 1.0
    assert BESIDE in {threshold.name for threshold in detectors.THRESHOLDS}
    assert len(set(detectors.DETECTORS)) == len(detectors.DETECTORS)


def test_faults_rise_along_a_line_or_are_there_at_once():
    schedule = Schedule(rise=4)
    assert [schedule.strength(COMPLETE, GRADUAL, step) for step in range(6)] == [
        0.25, 0.5, 0.75, 1.0, 1.0, 1.0,
    ]  # fmt: skip
    assert schedule.strength(CLASS, AT_ONCE, 0) == 1.0
    assert schedule.strength(HEALTHY, "", 100) == 0.0


# Verdicts


def row(name, value, seed, method=VICREG, fault=COMPLETE, onset=AT_ONCE):
    settings = {"method": method, "fault": fault, "onset": onset}
    cell = Cell("digits", sorted_parameters(settings), name, seed)
    return StudyRow(cell, value, math.nan, 0.0)


def verdict(rows, kind, words):
    (found,) = (
        f for f in collapse.findings(rows) if f.kind == kind and all(w in f.claim for w in words)
    )
    return found


@pytest.mark.parametrize(("first", "holds"), [(7, False), (8, True), (10, True)])
def test_a_collapse_is_to_be_found_first_in_eight_runs_of_ten(first, holds):
    rows = [row(ALARM, 10.0 if seed < first else 30.0, seed) for seed in range(10)]
    rows += [row(BESIDE, math.nan if seed % 2 else 20.0, seed) for seed in range(10)]
    # What RankMe never finds, the alarm finds before.
    first += sum(seed % 2 for seed in range(first, 10))
    found = verdict(rows, "first", [VICREG, COMPLETE])
    assert f"in {first} of 10 runs" in found.measured
    assert found.holds is (first >= 8)


def test_what_no_one_finds_is_not_found_first():
    rows = [row(name, math.nan, seed) for name in (ALARM, BESIDE) for seed in range(10)]
    found = verdict(rows, "first", [VICREG, COMPLETE])
    assert found.holds is False
    assert "in 0 of 10 runs; 0/10 against 0/10" in found.measured


def test_a_class_is_compared_with_the_alarm_that_sees_no_classes():
    rows = [row(ALARM, 12.0, seed, fault=CLASS) for seed in range(10)]
    rows += [row(BESIDE, 2.0, seed, fault=CLASS) for seed in range(10)]
    rows += [row(AGGREGATE, math.nan, seed, fault=CLASS) for seed in range(10)]
    found = verdict(rows, "class", [VICREG])
    assert found.holds
    assert "10/10 after 12 against 0/10" in found.measured


def test_all_collapses_are_counted_once_a_run():
    rows = [
        row(name, value, seed, fault=fault)
        for fault in (COMPLETE, CLUSTER, CLASS)
        for seed in range(5)
        for name, value in ((ALARM, 4.0), (BESIDE, 2.0 if fault == CLUSTER else math.nan))
    ]
    found = verdict(rows, "all", [AT_ONCE])
    assert not found.holds
    assert "in 10 of 15 runs" in found.measured
    assert verdict([r for r in rows if r["fault"] != CLUSTER], "all", [AT_ONCE]).holds


@pytest.mark.parametrize(("false", "holds"), [(0, True), (1, True), (2, False)])
def test_one_false_alarm_in_twenty_runs_is_allowed(false, holds):
    rows = [
        row(ALARM, 8.0 if seed < false else math.nan, seed, SIMCLR, HEALTHY, "")
        for seed in range(20)
    ]
    found = verdict(rows, "false alarms", [SIMCLR])
    assert (found.measured, found.holds) == (f"{false} of 20 runs", holds)
    assert verdict(rows, "false alarms", [VICREG]).holds is None


def test_medians_count_runs_that_are_not_found_as_late():
    assert collapse._said({0: 2.0, 1: math.inf, 2: 6.0}) == "2/3 after 6"
    assert collapse._said({0: 2.0, 1: math.inf, 2: math.inf}) == "1/3"


def test_full_has_gradual_faults_and_further_runs_in_health():
    pytest.importorskip("torch", reason="the study trains networks")
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    quick, full = (collapse.jobs(StudyPlan(full=f)) for f in (False, True))
    assert len(quick) == 20
    assert len(full) == 40

    def onsets(jobs):
        return {cell.settings["onset"] for job in jobs for cell in job.cells}

    assert (onsets(quick), onsets(full)) == ({"", AT_ONCE}, {"", AT_ONCE, GRADUAL})
    assert {(job.settings["method"], job.seed) for job in full} == {
        (method, seed) for method in faults.METHODS for seed in range(20)
    }
    cells = [cell for job in full for cell in job.cells]
    assert len(set(cells)) == len(cells)
    in_simclr = {c.settings["fault"] for c in cells if c.settings["method"] == SIMCLR}
    assert in_simclr == {HEALTHY, COMPLETE, CLUSTER, CLASS}


# Training. Everything below needs PyTorch and scikit-learn.

TINY = CollapseSizes(
    Schedule(warm_up=6, reference=8, after=8, batch=32),
    digits=190, points=170, viewed=12, views=3,
)  # fmt: skip


@pytest.fixture
def torch():
    found = pytest.importorskip("torch", reason="the study trains networks")
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    before = found.get_num_threads()
    found.set_num_threads(1)
    yield found
    found.set_num_threads(before)


@pytest.fixture
def learning(torch):
    from eigentropy.studies.vision import self_supervised

    return self_supervised


def directions(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


@pytest.mark.parametrize("left_out", [0, 3])
@pytest.mark.parametrize("negatives", [0.0, 0.4, 1.0])
def test_simclr_is_its_formula(torch, learning, rng, negatives, left_out):
    a, b = (directions(rng.normal(size=(8, 5))) for _ in range(2))
    kept = np.arange(8) >= left_out
    rows, of_both = np.concatenate([a, b]), np.concatenate([kept, kept])
    expected = 0.0
    for i in range(16):
        expected -= rows[i] @ rows[(i + 8) % 16] / learning.TEMPERATURE / 16
        others = [j for j in range(16) if j != i and of_both[j]]
        if of_both[i]:
            sums = sum(math.exp(rows[i] @ rows[j] / learning.TEMPERATURE) for j in others)
            expected += negatives * math.log(sums) / 16
    found = learning.simclr(*map(torch.from_numpy, (a, b, kept)), negatives)
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_simclr_with_all_rows_is_that_of_the_other_studies(torch, learning):
    """Cross-entropy of telling the other view among all rows."""
    a, b = (torch.nn.functional.normalize(torch.randn(9, 4)) for _ in range(2))
    rows = torch.cat([a, b])
    similarities = (rows @ rows.T / learning.TEMPERATURE).fill_diagonal_(-math.inf)
    expected = torch.nn.functional.cross_entropy(similarities, torch.arange(18).roll(9))
    found = learning.simclr(a, b, torch.ones(9, dtype=torch.bool), 1.0)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("variance", "covariance"), [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0)])
def test_vicreg_is_its_formula(torch, learning, rng, variance, covariance):
    d = learning.WIDTH
    a, b = rng.normal(size=(2, 40, d)) * np.linspace(0.2, 2.0, d)
    kept = np.arange(40) % 4 > 0
    weights = learning.WEIGHTS
    expected = weights[0] * ((a - b) ** 2).mean()
    for view in (a[kept], b[kept]):
        C = np.cov(view.T)
        short = np.maximum(0.0, 1.0 - np.sqrt(np.diag(C) + 1e-4))
        expected += variance * weights[1] * short.mean() / 2
        expected += covariance * weights[2] * ((C**2).sum() - (np.diag(C) ** 2).sum()) / d
    found = learning.vicreg(*map(torch.from_numpy, (a, b, kept)), variance, covariance)
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_views_are_drawn_by_the_generator_and_look_like_the_pictures(torch, learning):
    X = torch.rand(500, 64)
    first, again, other = (
        learning.views(X, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # Moved by a pixel, nine places are possible; where the picture stays it is what it was.
    near = (first - X).abs() < 0.3
    assert 0.3 < near.float().mean() < 0.8
    views = learning.views_of_each(X[:5], 4, seed=0)
    assert views.shape == (5, 4, 64)
    assert not torch.equal(views[:, 0], views[:, 1])


def trained(learning, method, steps=4, seed=5):
    from eigentropy.studies.models import halves

    X, _, y, _ = halves(120)
    training = learning.Training(method, learning.tensor(X), y, TINY.schedule, seed)
    for _ in range(steps):
        training.step()
    return training


@pytest.mark.parametrize("method", faults.METHODS)
def test_a_copy_goes_on_as_the_original_and_the_original_is_not_touched(torch, learning, method):
    before = torch.get_rng_state()
    training = trained(learning, method)
    one, other = training.fork(HEALTHY), training.fork(COMPLETE)
    for _ in range(3):
        one.step(0.0)
        other.step(1.0)
        training.step()
    X = training.X
    found, same, faulty = (learning.embedded(run.network, X) for run in (training, one, other))
    np.testing.assert_array_equal(found, same)
    assert not np.array_equal(found, faulty)
    assert torch.equal(torch.get_rng_state(), before)
    if method == SIMCLR:
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)


def spreads(Z, y):
    return np.array([Z[y == label].std(axis=0).mean() for label in range(10)])


@pytest.mark.parametrize("method", faults.METHODS)
def test_faults_do_what_they_are_called(torch, learning, method):
    training = trained(learning, method, steps=150)
    runs = {fault: training.fork(fault) for fault in (HEALTHY, *collapse.faults_of(method))}
    for run in runs.values():
        for _ in range(150):
            run.step(1.0)
    y = training.y.numpy()
    Z = {
        fault: learning.embedded(run.network, training.X).astype(float)
        for fault, run in runs.items()
    }
    whole = {fault: rows.std(axis=0).mean() for fault, rows in Z.items()}
    assert whole[COMPLETE] < 0.5 * whole[HEALTHY]
    inside = {fault: spreads(rows, y) / whole[fault] for fault, rows in Z.items()}
    change = inside[CLASS] / inside[HEALTHY]
    assert change.argmin() == learning.COLLAPSING
    assert change[learning.COLLAPSING] < 0.8
    centres = runs[CLUSTER].points.at.numpy()
    away = {
        fault: np.linalg.norm(Z[fault] - centres, axis=1).mean() for fault in (HEALTHY, CLUSTER)
    }
    assert away[CLUSTER] < 0.7 * away[HEALTHY]
    if method == VICREG:
        shares = [
            np.linalg.svd(Z[f] - Z[f].mean(axis=0), compute_uv=False)
            for f in (HEALTHY, DIMENSIONAL)
        ]
        ranks = [(s**2).sum() ** 2 / (s**4).sum() for s in shares]
        assert ranks[1] < 0.7 * ranks[0]


# Looks


def test_looks_at_a_copy_go_on_from_those_before(torch, learning):
    from eigentropy.baselines import spectral
    from eigentropy.studies.models import halves
    from eigentropy.studies.vision.collapse_watch import CollapseWatch

    training = trained(learning, VICREG)
    _, X, _, y = halves(190)
    views = learning.views_of_each(learning.tensor(X[170:]), 3, seed=0)
    watch = CollapseWatch(training.network, learning.tensor(X[:170]), y[:170], views, TINY.schedule)
    for _ in range(3):
        watch.look()
    copy = watch.copy(training.fork(COMPLETE).network)
    copy.look()
    watch.look()
    assert watch.curves == copy.curves
    assert {len(curve) for curve in copy.curves.values()} == {4}
    Z = learning.embedded(training.network, learning.tensor(X[:170]))
    assert copy.curves[RANKME][-1] == float(spectral.rankme(Z))
    assert set(copy.first_looks()) == set(detectors.DETECTORS)
    assert all(map(math.isnan, (copy.first_looks()[name] for name in (ALARM, AGGREGATE))))


def small(**plan):
    """The study at a tiny size, and its cells."""
    study = STUDIES["collapse"]
    measure = partial(study.measure, sizes=TINY)
    jobs = [job for job in study.jobs(StudyPlan(**plan)) if job.seed == 0][:2]
    return replace(study, measure=measure, jobs=lambda plan: jobs)


def test_the_study_runs_judges_draws_and_goes_on(torch, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from eigentropy.cli import commands

    monkeypatch.setitem(STUDIES, "collapse", small(repetitions=1))

    def invoke():
        arguments = ["study", "collapse", "-o", str(tmp_path), "--processes", "1", "--json"]
        result = CliRunner().invoke(commands.app, arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    document = invoke()
    assert document["rows"] > 100
    assert (tmp_path / "collapse.png").read_bytes().startswith(b"\x89PNG")
    found = {(f["claim"], f["holds"]) for f in document["findings"]}
    assert any("VICReg, healthy" in claim and holds for claim, holds in found)
    before = (tmp_path / "collapse.csv").read_text()
    assert invoke()["rows"] == document["rows"]
    (tmp_path / "collapse.csv").unlink()
    invoke()

    def values(text):
        return [line.rsplit(",", 1)[0] for line in text.splitlines()]  # without the seconds

    assert values((tmp_path / "collapse.csv").read_text()) == values(before)
