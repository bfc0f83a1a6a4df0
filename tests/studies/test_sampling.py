"""What the study of sampling errors draws, counts and calls as promised."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._support.interval import student_quantile
from eigentropy.studies import sampling
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.sampling import Coverage, Drawn
from eigentropy.studies.sampling_sets import PROTOTYPE_NOISE, RARE_SHARES, SETS
from eigentropy.studies.study import StudyPlan, make_job

# The samples


@pytest.fixture(params=SETS)
def draw(request):
    if request.param == "digits":
        pytest.importorskip("sklearn")
    return SETS[request.param]


def test_a_sample_is_a_function_of_its_size_and_seed(draw):
    (Z, labels), (again, _), (other, _) = draw(120, 0), draw(120, 0), draw(120, 1)
    assert Z.shape == other.shape
    assert len(Z) == len(labels) == 120
    assert len(np.unique(labels)) > 2
    assert (again == Z).all()
    assert not np.isin(other, Z[Z != 0.0]).any()


def test_all_samples_are_of_one_distribution(draw):
    """Their means differ by no more than their standard errors."""
    a, b = (draw(4000, seed)[0] for seed in (3, 4))
    error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 4000)
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 5.0 * error + 1e-12).all()


def test_rare_classes_are_as_rare_as_told():
    counts = np.bincount(SETS["rare classes"](20_000, 0)[1])
    assert counts / 20_000 == pytest.approx(RARE_SHARES, abs=0.01)


def test_most_rows_of_the_near_duplicates_have_another_one_near():
    Z, _ = SETS["near-duplicates"](500, 0)
    squared = ((Z[:, None] - Z) ** 2).sum(axis=2) + np.diag(np.full(500, np.inf))
    near = np.sqrt(squared.min(axis=1)) < 10.0 * PROTOTYPE_NOISE * math.sqrt(20)
    assert 0.7 < near.mean() < 0.9  # 1 - exp(-499 / 300) = 0.81


# What is measured


def test_a_job_measures_what_the_results_say():
    names = [f"{m} {p}".rstrip() for m in sampling.MEASURES for p in ("", "error", "reach")]
    job = make_job("Gaussian", {"n": 80}, [*names, "DSE computation", "DSE halves"], 5)
    values = {row.cell.estimator: row.value for row in sampling.measure(job)}
    assert set(values) == {cell.estimator for cell in job.cells}
    Z, labels = SETS["Gaussian"](80, 5)
    result = eg.dse(Z, seed=5)
    low, high = result.interval(of="sample")
    assert values["DSE"] == pytest.approx(float(result))
    assert values["DSE error"] == pytest.approx(result.sampling_error)
    assert values["DSE reach"] == pytest.approx(max(high - result.value, result.value - low))
    assert values["DSE reach"] > 1.9 * values["DSE error"]
    assert values["DSE computation"] < 1e-9 < values["DSE halves"]
    assert values["DSMI"] == pytest.approx(float(eg.dsmi(Z, labels, seed=5)))


def test_only_the_cells_that_are_asked_for_are_measured():
    job = make_job("Gaussian", {"n": 40}, ["kernel entropy error"], 0)
    assert [row.cell for row in sampling.measure(job)] == list(job.cells)


def test_a_run_that_is_cut_has_samples_of_every_size():
    jobs = sampling.jobs(StudyPlan(full=True))
    small = [job.settings["n"] <= sampling.SMALL for job in jobs]
    assert small == sorted(small, reverse=True)
    large = [job for job, is_small in zip(jobs, small, strict=True) if not is_small]
    half = large[: len(large) // 2]
    for n, count in sampling.FULL_ENTROPIES.items():
        for name in SETS if n > sampling.SMALL else ():
            of = [
                j
                for j in half
                if (j.data, j.settings["n"], j.cells[0].estimator) == (name, n, "DSE")
            ]
            assert len(of) == pytest.approx(count / 2, abs=2)


# What is counted


@pytest.mark.parametrize(
    ("hits", "samples", "low", "high"),
    [(95, 100, 88.717, 98.357), (0, 10, 0.0, 30.850), (10, 10, 69.150, 100.0)],
)
def test_the_interval_of_a_share_is_exact(hits, samples, low, high):
    assert Coverage(hits, samples).interval == pytest.approx((low, high), abs=0.001)


@given(st.integers(1, 400), st.data())
def test_the_interval_of_a_share_has_the_share_in_it(samples, drawn):
    coverage = Coverage(drawn.draw(st.integers(0, samples)), samples)
    low, high = coverage.interval
    assert -1e-9 <= low - 1e-9 <= coverage.percent <= high + 1e-9 <= 100.0 + 1e-8


def rows_of(values, reach, error=None, n=500, data="blobs", name="DSE"):
    """Of one distribution and number of rows, a sample a seed."""
    parts = {name: values, f"{name} reach": reach, f"{name} error": error or reach}
    return [
        StudyRow(Cell(data, sorted_parameters({"n": n}), part, seed), float(value), math.nan, 0.0)
        for part, each in parts.items()
        for seed, value in enumerate(each)
    ]


def samples(*args, **options):
    (found,) = sampling.samples_of(rows_of(*args, **options), "DSE").values()
    return found


def test_the_mean_is_covered_where_it_lies_within_reach():
    found = samples([-1.0, 0.0, 1.0], [2.0, 2.0, 1.0])
    assert found.covered() == [True, True, False]  # 1 * sqrt(3 / 2) is more than 1
    assert found.covered(factor=0.0) == [False, True, False]


@pytest.mark.parametrize("count", [3, 5, 20])
def test_few_samples_cover_as_often_as_many(count):
    """Each value is part of the mean; without the correction 5 samples would have 97 %."""
    draws = np.random.default_rng(0).normal(size=(4000 // count, count))
    reach = [student_quantile(0.95, math.inf)] * count
    covered = [c for values in draws for c in samples(list(values), reach).covered()]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


def test_the_ratio_compares_root_mean_squares_with_the_deviation():
    found = samples([-1.0, 0.0, 1.0] * 3, [9.0] * 9, error=[3.0, 4.0, 5.0] * 3)
    assert found.spread == pytest.approx(math.sqrt(6.0 / 8.0))
    assert found.ratio == pytest.approx(math.sqrt(50.0 / 3.0) / found.spread)


def test_few_samples_have_no_ratio():
    rows = rows_of([-1.0, 0.0, 1.0], [9.0] * 3)
    assert math.isnan(samples([-1.0, 0.0, 1.0], [9.0] * 3).ratio)
    assert sampling.listing(rows).lines == [["DSE", "blobs", "100.0 % (29 to 100); -; 3"]]


def test_what_was_not_measured_is_not_counted():
    rows = rows_of([-1.0, 0.0, 1.0], [2.0, math.nan, 2.0])
    found = sampling.samples_of([*rows[:-1]], "DSE")["blobs", 500]
    assert found.covered("reach") == [True, True]
    assert found.covered("halves") == []
    assert sampling.samples_of(rows_of([1.0], [2.0]), "DSE") == {}


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ([(190, 200), (95, 100)], True),
        ([(190, 200), (91, 100)], True),  # 91 % of 100 may be 95 %
        ([(190, 200), (50, 50)], True),
        ([(190, 200), (89, 100)], False),
        ([(190, 200), (100, 100)], False),
        ([(190, 200), (80, 100)], False),
        ([(394, 400), (40, 50)], False),  # 96 % together, but not 80 % of 50
        ([(200, 200), (100, 100)], False),
        ([(183, 200)], False),  # 91.5 %, and less than 95 % for sure
        ([(91, 100)], None),
        ([(10, 10)], None),
    ],
)
def test_coverage_as_promised_less_or_more_or_not_known(counts, verdict):
    by_rows = {500 * (i + 1): Coverage(*each) for i, each in enumerate(counts)}
    assert sampling.judged(by_rows) is verdict


def test_few_rows_are_promised_nothing():
    rows = rows_of([-1.0, 0.0, 1.0], [0.1] * 3, n=200)
    assert {finding.holds for finding in sampling.findings(rows)} == {None}
    shown = sampling.listing(rows)
    assert shown.headings[2:] == ["n=200"]
    assert [line[:2] for line in shown.lines] == [["DSE", "blobs"]]


def test_a_value_that_never_moves_has_no_ratio():
    assert math.isnan(Drawn(np.zeros(9), 0.0, {"error": np.ones(9)}).ratio)


# What the page says of it


def test_the_exceptions_on_the_page_are_those_that_were_measured():
    from benchmarks.documents import study_tables

    page = Path(__file__).parents[2] / "docs" / "explanations" / "studies.md"
    section = page.read_text().partition("### sampling")[2].partition("\n### ")[0]
    names = rf"`((?:{'|'.join(sampling.MEASURES)}), [^`]+)`"
    named = set(re.findall(names, study_tables.BLOCK.sub("", section)))
    found = sampling.findings(study_tables.stored("sampling", study_tables.RESULTS))
    promises = [each for each in found if each.kind in ("entropies", "informations")]
    assert len(promises) == len(sampling.MEASURES) * len(SETS)
    assert named == {each.claim.partition(":")[0] for each in promises if each.holds is False}
    assert all(f"| {name} |" in section for name in SETS)
