"""Discrete variables: closed forms, the formulas in plain loops, and their properties."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import binning, discrete
from messages import naming

ESTIMATORS = ["plug-in", "miller-madow", "shrinkage"]

# Two fair bits and their exclusive or.
X, Y, XOR = [0, 0, 1, 1], ["a", "b", "a", "b"], [False, True, True, False]


# ---- Closed forms ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_values", [1, 2, 6])
def test_equal_frequencies_have_the_entropy_log_of_their_number(n_values):
    Z = np.arange(5 * n_values) % n_values
    assert float(discrete.entropy(Z)) == pytest.approx(math.log2(n_values), abs=1e-12)
    assert float(discrete.entropy(Z, estimator="shrinkage")) == pytest.approx(
        math.log2(n_values), abs=1e-12
    )


def test_two_bits_and_their_exclusive_or_share_a_bit_in_threes_alone():
    for pair in itertools.combinations([X, Y, XOR], 2):
        assert float(discrete.mutual_information(*pair)) == pytest.approx(0.0, abs=1e-12)
        assert float(discrete.conditional_entropy(*pair)) == pytest.approx(1.0, abs=1e-12)
    for three in itertools.permutations([X, Y, XOR]):
        assert float(discrete.conditional_mutual_information(*three)) == pytest.approx(1.0)
    columns = np.array([X, XOR], dtype=int).T
    assert float(discrete.total_correlation(columns)) == pytest.approx(0.0, abs=1e-12)
    assert float(discrete.conditional_total_correlation(columns, Y)) == pytest.approx(1.0)
    assert float(discrete.correlation_explanation(columns, Y)) == pytest.approx(-1.0)


def test_copies_of_a_bit_have_a_total_correlation_that_the_bit_explains():
    columns = np.repeat([[0], [1]], 4, axis=1)
    assert float(discrete.total_correlation(columns)) == pytest.approx(3.0)
    assert float(discrete.conditional_total_correlation(columns, [0, 1])) == pytest.approx(0.0)
    assert float(discrete.correlation_explanation(columns, [0, 1])) == pytest.approx(3.0)


def test_hausser_and_strimmers_example():
    """The counts of their package's manual; the values by hand in exact fractions.

    19 samples in 8 of 11 cells, sum of squared counts 55: lambda = (1 - 55/361) / (18 (55/361 -
    1/11)) = (306/361) / (18 * 244/3971) = 187/244.
    """
    counts = np.array([4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1])
    Z, options = np.repeat(np.arange(11), counts), {"n_values": 11, "base": math.e}
    shrunk = discrete.entropy(Z, estimator="shrinkage", **options)
    assert shrunk.settings["uniform_share"] == pytest.approx(187 / 244, rel=1e-14)
    p = 187 / 244 / 11 + 57 / 244 * counts / 19
    assert float(shrunk) == pytest.approx(-float(p @ np.log(p)), rel=1e-13)
    plain, corrected = (
        float(discrete.entropy(Z, estimator=e, **options)) for e in ("plug-in", "miller-madow")
    )
    assert corrected - plain == pytest.approx(7 / 38, rel=1e-12)


@pytest.mark.parametrize(("estimator", "n_values"), [("miller-madow", None), ("shrinkage", 20)])
def test_the_corrections_reduce_the_bias_of_small_samples(estimator, n_values):
    rng = np.random.default_rng(0)
    truth, samples = math.log2(20), rng.integers(0, 20, size=(200, 30))
    plain, better = (
        np.mean([float(discrete.entropy(Z, estimator=e, n_values=n_values)) for Z in samples])
        - truth
        for e in ("plug-in", estimator)
    )
    assert plain < -0.3
    assert abs(better) < 0.6 * abs(plain)


# ---- The formulas, written as loops ------------------------------------------------------------


def loop_shares(rows, estimator):
    """The distribution over all combinations of the values of each column, as a dictionary."""
    n, counts = len(rows), Counter(map(tuple, rows))
    if estimator != "shrinkage":
        return {row: count / n for row, count in counts.items()}
    cells = list(itertools.product(*(sorted(set(column)) for column in zip(*rows, strict=True))))
    squares = sum((count / n) ** 2 for count in counts.values())
    distance = sum((1 / len(cells) - counts[cell] / n) ** 2 for cell in cells)
    share = 1.0 if distance < 1e-15 or n == 1 else min(1, (1 - squares) / ((n - 1) * distance))
    return {c: share / len(cells) + (1 - share) * counts[c] / n for c in cells}


def loop_entropy(rows, columns, estimator):
    shares = loop_shares(rows, estimator)
    margin = Counter()
    for row, share in shares.items():
        margin[tuple(row[c] for c in columns)] += share
    value = -sum(share * math.log(share) for share in margin.values() if share > 0)
    return value + ((len(margin) - 1) / (2 * len(rows)) if estimator == "miller-madow" else 0)


@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from(ESTIMATORS))
@settings(deadline=None)
def test_all_estimates_are_those_of_the_loops(seed, n, estimator):
    rng = np.random.default_rng(seed)
    x, y, w = (rng.integers(0, rng.integers(1, 5), size=n) for _ in range(3))
    rows = np.stack([x, y, w], axis=1).tolist()

    def h(*columns):
        """Of columns of the three; those not named take no part in the distribution."""
        return loop_entropy([[row[c] for c in used] for row in rows], places(columns), estimator)

    def places(columns):
        return [used.index(c) for c in columns]

    options = {"estimator": estimator, "base": math.e}
    used = [0]
    pairs = [(discrete.entropy(x, **options), h(0))]
    used = [0, 1]
    pairs += [
        (discrete.conditional_entropy(x, y, **options), h(0, 1) - h(1)),
        (discrete.mutual_information(x, y, **options), h(0) + h(1) - h(0, 1)),
    ]
    used = [0, 1, 2]
    columns = np.stack([x, y], axis=1)
    alone, given_w = h(0) + h(1) - h(0, 1), h(0, 2) + h(1, 2) - h(0, 1, 2) - h(2)
    pairs += [
        (discrete.conditional_mutual_information(x, y, w, **options), given_w),
        (
            discrete.total_correlation(np.stack([x, y, w], axis=1), **options),
            h(0) + h(1) + h(2) - h(0, 1, 2),
        ),
        (discrete.conditional_total_correlation(columns, w, **options), given_w),
        (discrete.correlation_explanation(columns, w, **options), alone - given_w),
    ]
    for found, expected in pairs:
        assert float(found) == pytest.approx(expected, abs=1e-12)


# ---- Properties --------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.sampled_from(ESTIMATORS))
@settings(deadline=None, max_examples=30)
def test_names_of_values_and_the_order_of_rows_do_not_matter(seed, estimator):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 4, size=(2, 50))
    order, words = rng.permutation(50), np.array(["d", "b", "a", "c"])
    found = discrete.mutual_information(words[x[order]], y[order] * 0.5, estimator=estimator)
    expected = discrete.mutual_information(x, y, estimator=estimator)
    assert float(found) == pytest.approx(float(expected), abs=1e-12)


def test_a_row_of_several_columns_is_one_value(rng):
    pairs = rng.integers(0, 3, size=(60, 2))
    codes = 3 * pairs[:, 0] + pairs[:, 1]
    assert discrete.entropy(pairs) == discrete.entropy(codes)
    labels = rng.integers(0, 3, size=60)
    assert discrete.mutual_information(pairs, labels) == discrete.mutual_information(codes, labels)


def test_bins_that_hold_one_value_each_give_the_plug_in_information(rng):
    x = rng.integers(0, 4, size=100)
    y = (x + rng.integers(0, 2, size=100)) % 4
    assert float(discrete.mutual_information(x, y)) == pytest.approx(
        float(binning.mutual_information(x[:, None] * 1.0, y, bins=4)), abs=1e-12
    )


def test_integers_beyond_the_precision_of_floats_are_kept_apart():
    assert float(discrete.entropy([2**62, 2**62 + 1])) == pytest.approx(1.0)


def test_more_combinations_than_a_float_can_count_are_no_obstacle(rng):
    columns = rng.integers(0, 10, size=(30, 400))
    found = discrete.total_correlation(columns, estimator="shrinkage")
    assert math.isfinite(found)


# ---- Bad input ---------------------------------------------------------------------------------


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=naming("Y", 2, "X", 3)):
        discrete.mutual_information([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match=naming("W", 2, "X", 3)):
        discrete.conditional_total_correlation([[1], [2], [3]], [1, 2])
    with pytest.raises(ValueError, match=naming("Z", "empty")):
        discrete.entropy([])
    with pytest.raises(ValueError, match=naming("Z", "scalar")):
        discrete.entropy(3)
    with pytest.raises(ValueError, match=naming("Z", "NaN")):
        discrete.entropy([1.0, math.nan])
    with pytest.raises(ValueError, match=naming("n_values", 1, 2)):
        discrete.entropy([0, 1], n_values=1)
    with pytest.raises(ValueError, match=naming("estimator", "'shrinkage'", "'mm'")):
        discrete.entropy([0, 1], estimator="mm")
    with pytest.raises(ValueError, match=naming("base", 1)):
        discrete.entropy([0, 1], base=1)
