"""Bad rows and bad labels of every score that takes labels: one door for all."""

from __future__ import annotations

import numpy as np
import pytest

from eigentropy.baselines import probes, transferability
from messages import naming

FUNCTIONS = [
    transferability.logme,
    transferability.h_score,
    transferability.transrate,
    probes.knn_accuracy,
    probes.linear_accuracy,
]
ROWS = np.arange(24.0).reshape(12, 2) % 7


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("Y", "error", "words"),
    [
        (None, ValueError, ["Y"]),
        (np.zeros(12, int), ValueError, ["Y", 12]),
        (np.arange(12), ValueError, ["Y", 12]),
        (np.arange(11) % 2, ValueError, ["Y", 11, 12]),
        (np.zeros((12, 3)), ValueError, ["Y", 12]),
        (np.float64(1.0), ValueError, ["Y"]),
        ([0.0, 1.0] * 5 + [0.0, np.nan], ValueError, ["Y", "NaN", 1]),
        (["a", "b"] * 5 + ["a", None], ValueError, ["Y", "None", 1]),
        (np.ma.masked_equal([0, 1, 2] * 4, 2), ValueError, ["Y", "masked", 4]),
        (np.array([0, "a"] * 6, dtype=object), TypeError, ["Y"]),
    ],
)
def test_labels_that_are_none_are_refused(function, Y, error, words):
    with pytest.raises(error, match=naming(*words)):
        function(ROWS, Y)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("Z", "error", "words"),
    [
        (np.where(ROWS == 0.0, np.nan, ROWS), ValueError, ["Z", "NaN", 0]),
        (np.where(ROWS == 1.0, np.inf, ROWS), ValueError, ["Z", "infinity"]),
        (ROWS[:, 0], ValueError, ["Z", "(n, d)"]),
        (np.ones((0, 3)), ValueError, ["Z", "(0, 3)"]),
        (ROWS + 1j, TypeError, ["Z", "complex"]),
        (np.ma.masked_equal(ROWS, 3.0), ValueError, ["Z", "masked"]),
    ],
)
def test_rows_that_are_none_are_refused(function, Z, error, words):
    with pytest.raises(error, match=naming(*words)):
        function(Z, np.arange(12) % 2)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_fewer_rows_than_classes_cannot_be(function):
    with pytest.raises(ValueError, match=naming("Y", 3)):
        function(ROWS[:3], ["a", "b", "c"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_labels_may_be_of_any_kind(function):
    if function is probes.linear_accuracy:
        pytest.importorskip("sklearn", reason="the linear probe is scikit-learn's")
    codes = np.arange(12) % 2
    expected = function(ROWS, codes).value
    for labels in (codes.astype(float), codes == 1, np.array(["no", "yes"])[codes], codes[:, None]):
        assert function(ROWS.astype(np.float32), labels).value == pytest.approx(expected, rel=1e-6)
