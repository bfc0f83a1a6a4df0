"""The numbers of few rows alone, against those of a whole measurement."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy import _core
from eigentropy._backends.devices import HOST
from eigentropy._kernels.bandwidth import LONG_ROW, SAMPLE_LONG_ROWS
from eigentropy._measures import brief
from eigentropy._measures.brief import FEW_ROWS, brief_numbers, may_be_brief
from eigentropy._measures.measurement import MeasurementSettings, Variable, measure
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._support.warnings import CollectedWarnings

SETTINGS = MeasurementSettings(n_null=2)


def rows(n, d, dtype="float32", seed=0):
    """Rows around three centres, and the number of the centre of each."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, n)
    Z = generator.normal(size=(n, d)) + 2.0 * generator.normal(size=(3, d))[y]
    return np.ascontiguousarray(Z.astype(dtype)), y


def about(y, how):
    labels = Variable("labels", y, "labels", of=("diffusion",))
    labels.grouped(how)
    return labels


def whole(Z, labels, how):
    """The same numbers from results."""
    variables = {} if labels is None else {"y": labels}
    measured = measure(Z, variables, how)
    entropy = float(measured.entropies[0])
    if labels is None:
        return entropy, math.nan, math.nan, math.nan
    result = measured.informations["y"][0]
    return entropy, float(result), result.standard_error, result.adjusted()


def said_by(function, *arguments):
    with CollectedWarnings() as said:
        found = function(*arguments)
    return found, [(one.message, one.category) for one in said]


@given(
    n=st.integers(2, 120),
    d=st.integers(1, 9),
    dtype=st.sampled_from(["float32", "float64"]),
    t=st.floats(1.0, 8.0),
    alpha=st.floats(0.0, 1.0),
    base=st.sampled_from([2.0, math.e, 10.0]),
    n_null=st.integers(2, 6),
    with_labels=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=60)
def test_numbers_and_warnings_are_those_of_a_measurement(
    n, d, dtype, t, alpha, base, n_null, with_labels, seed
):
    how = MeasurementSettings(t=(t,), alpha=alpha, base=base, n_null=n_null, seed=seed)
    Z, y = rows(n, d, dtype, seed)
    labels = about(y, how) if with_labels else None
    found, said = said_by(brief_numbers, Z, labels, how)
    expected, said_of_whole = said_by(whole, Z, labels, how)
    np.testing.assert_array_equal(found, expected)  # bit for bit, and NaN is NaN
    assert said == said_of_whole


# From 1000 rows on the spectrum of all is tried in float32, for which the last tolerance is small.
@pytest.mark.parametrize("tol", [1e-3, 1e-4, 1e-9])
# The core computes the last ones on a thread of its own.
@pytest.mark.parametrize(
    ("n", "d"), [(1000, 20), (1200, 3), (FEW_ROWS, 40), (1000, 1100), (1400, 4096)]
)
def test_so_are_those_of_as_many_rows_as_there_may_be(n, d, tol):
    how = replace(SETTINGS, tol=tol)
    Z, y = rows(n, d)
    labels = about(10 * y + np.arange(n) % 10, how)
    np.testing.assert_array_equal(brief_numbers(Z, labels, how), whole(Z, labels, how))


@pytest.mark.parametrize("n", [50, 1000])
def test_rows_may_lie_in_memory_in_any_order(n):
    Z, _ = rows(n, 20)
    expected = brief_numbers(Z, None, SETTINGS)
    assert brief_numbers(np.asfortranarray(Z), None, SETTINGS) == pytest.approx(
        expected, nan_ok=True
    )
    spread = np.zeros((2 * n, 40), np.float32)
    spread[::2, ::2] = Z
    assert brief_numbers(spread[::2, ::2], None, SETTINGS) == pytest.approx(expected, nan_ok=True)


def test_a_solver_that_fails_is_left_to_a_measurement_which_has_others(monkeypatch):
    Z, y = rows(30, 4)

    def failing(*_):
        raise _core.SolverError("no eigenvalues")

    monkeypatch.setattr(_core, "brief_entropies", failing)
    assert brief_numbers(Z, about(y, SETTINGS), SETTINGS) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("n", [30, 1000])
def test_rows_that_are_not_finite_have_no_numbers(n, bad):
    Z, y = rows(n, 4)
    Z[n // 2, 1] = bad
    assert brief_numbers(Z, about(y, SETTINGS), SETTINGS) is None


def test_a_width_that_does_not_fit_the_entries_is_refused_by_a_measurement():
    Z = np.zeros((20, 2))
    Z[:, 0] = 1e-200 * np.arange(20)
    Z[0, 1] = 1.0
    assert brief_numbers(Z, None, SETTINGS) is None
    with pytest.raises(ValueError, match="fill value"):
        measure(Z, {}, SETTINGS)


def test_each_partition_has_a_group_for_each_share():
    Z, _ = rows(4, 2)
    numbers, shares = np.arange(4), np.array([0.5, 0.5])

    def asked(offsets, shares):
        return _core.brief_entropies(
            Z, np.array(offsets), numbers, shares, 0.35, 0.0, 0.5, 1.0, 1.0, 1e-3, False, 0.0
        )

    assert len(asked([0, 2, 4], shares)[3]) == 1
    for offsets, wrong in (([0, 4], shares), ([0, 1, 2, 4], shares), ([0, 4], shares[:0])):
        with pytest.raises(ValueError, match="shares"):
            asked(offsets, wrong)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_squares_of_entries_may_leave_the_range_of_floats(scale):
    Z, y = rows(30, 4, "float64")
    labels = about(y, SETTINGS)
    found = brief_numbers(scale * Z, labels, SETTINGS)
    np.testing.assert_array_equal(found, whole(scale * Z, labels, SETTINGS))
    assert found == pytest.approx(brief_numbers(Z, labels, SETTINGS))


@pytest.mark.parametrize("n", [40, 1000])
def test_equal_rows_are_warned_about_as_in_a_measurement(n):
    Z, labels = np.ones((n, 3), np.float32), about(np.arange(n) % 2, SETTINGS)
    found, said = said_by(brief_numbers, Z, labels, SETTINGS)
    expected, said_of_whole = said_by(whole, Z, labels, SETTINGS)
    np.testing.assert_array_equal(found, expected)
    assert said == said_of_whole
    assert said


def test_rows_that_are_nearly_all_equal_are_warned_about_where_float32_is_enough():
    Z = np.zeros((1000, 3), np.float32)
    Z[0] = 1.0
    how = replace(SETTINGS, tol=0.01)
    found, said = said_by(brief_numbers, Z, None, how)
    in_float64, _ = said_by(brief_numbers, Z, None, replace(SETTINGS, tol=1e-9))
    assert found.entropy != in_float64.entropy
    assert said == said_by(whole, Z, None, how)[1]
    assert said


def test_sigma_is_judged_by_a_random_partition():
    """The observed groups are points, each of which sees only itself."""
    Z, labels = np.repeat(np.eye(2), 50, axis=0), about(np.repeat([0, 1], 50), SETTINGS)
    found, said = said_by(brief_numbers, Z, labels, SETTINGS)
    expected, said_of_whole = said_by(whole, Z, labels, SETTINGS)
    np.testing.assert_array_equal(found, expected)
    assert said == said_of_whole == []


def test_neither_a_single_group_nor_groups_of_one_row_are_passed_over_in_silence():
    Z, _ = rows(20, 3)
    for y in (np.zeros(20, int), np.minimum(np.arange(20), 3)):
        labels = about(y, SETTINGS)
        _, said = said_by(brief_numbers, Z, labels, SETTINGS)
        assert said == said_by(whole, Z, labels, SETTINGS)[1]
        assert said


def test_many_rows_and_large_groups_are_left_to_a_measurement():
    Z, y = rows(FEW_ROWS + 1, 2)
    assert brief_numbers(Z, None, SETTINGS) is None
    assert brief_numbers(Z[:FEW_ROWS], None, SETTINGS) is not None
    assert brief_numbers(Z[:1], None, SETTINGS) is None
    two = about(y[:FEW_ROWS] > 0, SETTINGS)  # spectra of groups so large are tried in float32
    assert brief_numbers(Z[:FEW_ROWS], two, SETTINGS) is None


@pytest.fixture
def nothing_known():
    brief._are_few.cache_clear()
    yield
    brief._are_few.cache_clear()


@pytest.mark.parametrize(("missing", "is_brief"), [(0, True), (1, False)])
def test_so_are_long_rows(monkeypatch, nothing_known, missing, is_brief):
    Z, _ = rows(30, 10)
    enough = HOST.matrix_bytes(30, 10, "float64", 30)
    monkeypatch.setattr(brief, "FEW_BYTES", enough - missing)
    assert (brief_numbers(Z, None, SETTINGS) is not None) == is_brief


def test_so_are_rows_of_which_the_median_takes_a_sample():
    Z, _ = rows(SAMPLE_LONG_ROWS + 1, LONG_ROW + 1)
    assert brief_numbers(Z, None, SETTINGS) is None
    found = brief_numbers(Z[:SAMPLE_LONG_ROWS], None, SETTINGS)
    np.testing.assert_array_equal(found, whole(Z[:SAMPLE_LONG_ROWS], None, SETTINGS))


def test_so_many_partitions_that_none_are_kept_are_left_to_a_measurement(monkeypatch):
    Z, y = rows(30, 4)
    monkeypatch.setattr(brief, "KEPT_NUMBERS", 90)
    assert brief_numbers(Z, about(y, SETTINGS), SETTINGS) is not None
    monkeypatch.setattr(brief, "KEPT_NUMBERS", 89)
    labels = about(y, SETTINGS)
    assert brief_numbers(Z, labels, SETTINGS) is None
    assert not labels._drawn


def test_labels_that_do_not_fit_or_have_no_groups_are_left_to_a_measurement():
    Z, y = rows(30, 4)
    assert brief_numbers(Z, about(y[:29], SETTINGS), SETTINGS) is None
    assert brief_numbers(Z, Variable("labels", y, "labels"), SETTINGS) is None


@pytest.mark.parametrize("d", [1, 1024, 10**6])
def test_no_estimate_of_so_few_rows_is_sooner(d):
    assert not SpectrumPlan().estimates(FEW_ROWS, d, 0.5)


@pytest.mark.parametrize(
    "other",
    [
        {"method": "exact"},
        {"dtype": "float64"},
        {"device": "cpu"},
        {"max_points": 10},
        {"sigma": 1.0},
        {"sigma": "knn"},
        {"t": (1.0, 2.0)},
        {"t": (0.5,)},
        {"kernel": True},
        {"estimator": "plain"},
        {"n_null": "auto"},
    ],
)
def test_settings_that_ask_for_something_else(other):
    assert may_be_brief(SETTINGS)
    assert not may_be_brief(replace(SETTINGS, **other))
