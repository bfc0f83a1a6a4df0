"""Entropy and information of a histogram, against counts made in other ways."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eigentropy.baselines import binning
from messages import naming


def entropy_of(counts):
    """In bits."""
    p = np.asarray(counts, dtype=float).ravel()
    p = p[p > 0] / p.sum()
    return float(-(p * np.log2(p)).sum())


def information_of(z, y):
    """H(Z) + H(Y) - H(Z, Y) of anything that can be counted."""
    pairs = Counter(zip(z, y, strict=True))
    entropies = [entropy_of(list(Counter(v).values())) for v in (z, y)]
    return sum(entropies) - entropy_of(list(pairs.values()))


# Two columns at a time for 200 rows.
SMALL_BLOCKS = 400


@pytest.mark.parametrize("bins", [1, 2, 10, 300])
def test_a_full_grid_has_the_entropy_of_its_cells(bins):
    side = min(bins, 12)
    # One point at the middle of each of side^2 bins, and the corners of the whole grid.
    values = (np.arange(side) + 0.5) * (bins / side)
    points = np.array(list(itertools.product(values, values)))
    Z = np.concatenate([points, [[0.0, 0.0], [bins, bins]]])
    cells = Counter(tuple(np.minimum(z, bins - 1).astype(int)) for z in Z)
    assert float(binning.entropy(Z, bins=bins)) == pytest.approx(entropy_of(list(cells.values())))


def test_integers_in_as_many_bins_as_values_have_the_entropy_of_their_counts(rng):
    Z = np.concatenate([[[0], [9]], rng.integers(0, 10, size=(500, 1))])
    expected = entropy_of(np.unique(Z, return_counts=True)[1])
    assert float(binning.entropy(Z)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
@pytest.mark.parametrize("bins", [1, 3, 10])
def test_the_entropy_is_that_of_a_dense_histogram(rng, d, bins, dtype):
    Z = rng.normal(size=(400, d)).astype(dtype)
    counts, _ = np.histogramdd(Z.astype(np.float64), bins=bins)
    assert float(binning.entropy(Z, bins=bins)) == pytest.approx(entropy_of(counts), rel=1e-12)


@pytest.mark.parametrize("bins", [2, 10])
def test_the_information_is_that_of_a_dense_histogram(rng, bins):
    x, noise = rng.normal(size=(2, 600))
    y = x + 0.5 * noise
    counts, _, _ = np.histogram2d(x, y, bins=bins)
    expected = entropy_of(counts.sum(axis=0)) + entropy_of(counts.sum(axis=1)) - entropy_of(counts)
    result = binning.mutual_information(x[:, None], y, bins=bins)
    assert float(result) == pytest.approx(expected, rel=1e-10)
    assert float(binning.mutual_information(x[:, None], y[:, None], bins=bins)) == result


def test_vectors_are_binned_row_by_row(rng):
    Z, Y = rng.normal(size=(300, 2)), rng.normal(size=(300, 3))
    bins_of = [
        [tuple(row) for row in np.minimum((V - V.min(0)) / np.ptp(V, axis=0) * 3, 2).astype(int)]
        for V in (Z, Y)
    ]
    result = binning.mutual_information(Z, Y, bins=3)
    assert float(result) == pytest.approx(information_of(*bins_of), rel=1e-10)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "a", "b"],
        [True, False, True, False],
        np.array([[7], [3], [7], [3]]),
        torch.tensor([7, 3, 7, 3]),
        [0.0, 1.0, 0.0, 1.0],
    ],
    ids=["strings", "bools", "column", "torch", "scalars"],
)
def test_labels_that_the_rows_give_away_are_worth_their_entropy(labels):
    assert float(binning.mutual_information([[1.0], [5.0], [1.1], [5.1]], labels)) == 1.0


def test_floats_are_labels_if_they_are_called_so():
    Z, Y = np.arange(4.0)[:, None], [0.0, 0.001, 0.002, 1.0]
    assert float(binning.mutual_information(Z, Y, bins=4)) == pytest.approx(entropy_of([3, 1]))
    assert float(binning.mutual_information(Z, Y, bins=4, kind="labels")) == 2.0


def test_exclusive_or_is_seen_in_both_together_and_in_neither_alone():
    x, y = np.array([0, 0, 1, 1] * 5), np.array([0, 1, 0, 1] * 5)
    assert float(binning.mutual_information(x[:, None], x ^ y)) == 0.0
    assert float(binning.mutual_information(np.stack([x, y], axis=1), x ^ y)) == 1.0


def test_constant_columns_have_one_bin(rng):
    Z = rng.normal(size=(200, 2))
    padded = np.concatenate([np.full((200, 1), 3.0), Z, np.zeros((200, 4))], axis=1)
    assert float(binning.entropy(padded)) == float(binning.entropy(Z))
    assert float(binning.entropy(np.ones((10, 3)))) == 0.0
    assert float(binning.mutual_information(np.ones((10, 3)), np.arange(10) % 2)) == 0.0
    assert float(binning.mutual_information(Z, np.ones(200, dtype=int))) == 0.0


def test_one_row_has_no_entropy():
    assert float(binning.entropy([[1.0, 2.0]])) == 0.0


def test_values_may_span_all_finite_numbers_and_hardly_any():
    low, high = -1.7e308, 1.7e308
    assert float(binning.entropy([[low], [high], [low], [high]])) == 1.0
    assert float(binning.entropy([[0.0], [1e-310], [0.0], [1e-310]])) == 1.0


@pytest.mark.parametrize("d", [2, 3, 9])
def test_blocks_of_columns_change_nothing(rng, d):
    Z = rng.integers(0, 2, size=(200, d)).astype(float)
    expected = entropy_of(list(Counter(map(tuple, Z)).values()))
    found = entropy_of(np.bincount(binning.cells(Z, 2, entries=SMALL_BLOCKS)))
    assert found == pytest.approx(expected, rel=1e-12)
    assert float(binning.entropy(Z, bins=2)) == pytest.approx(expected, rel=1e-12)


def test_rows_that_differ_in_the_last_column_only_are_told_apart():
    Z = np.zeros((200, 501))
    Z[::2, -1] = 1.0
    assert np.bincount(binning.cells(Z, 10, entries=SMALL_BLOCKS)).tolist() == [100, 100]
    assert float(binning.entropy(Z)) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("bins", [2**8, 2**8 + 1, 2**16 + 1, 2**32])
def test_bin_numbers_of_any_width_are_compared_whole(bins):
    Z = np.arange(200.0)[:, None] // 2 * [1.0, 1.0, 1.0]
    assert np.bincount(binning.cells(Z, bins, entries=SMALL_BLOCKS)).tolist() == [2] * 100
    assert float(binning.entropy(Z, bins=bins)) == pytest.approx(math.log2(100))


def test_a_mapped_file_of_half_a_million_columns_takes_blocks_of_memory(tmp_path):
    Z = np.lib.format.open_memmap(
        tmp_path / "z.npy", mode="w+", dtype=np.float32, shape=(64, 500_000)
    )
    Z[32:, -1] = 1.0  # 128 MB of equal rows, but for one entry
    tracemalloc.start()
    value = float(binning.entropy(np.load(tmp_path / "z.npy", mmap_mode="r")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert value == pytest.approx(1.0, rel=1e-12)
    assert peak < 3.1 * 8 * binning.BLOCK_ENTRIES


def test_with_many_columns_every_row_is_alone_and_labels_mean_nothing(rng):
    """How the estimator fails."""
    Z, labels = rng.normal(size=(256, 50)), rng.integers(0, 2, size=256)
    assert float(binning.entropy(Z)) == 8.0
    assert float(binning.mutual_information(Z, labels)) == pytest.approx(
        entropy_of(np.bincount(labels))
    )


def test_the_matched_estimate_is_without_the_bias(rng):
    Z, labels = rng.normal(size=(256, 50)), rng.integers(0, 2, size=256)
    alone = binning.mutual_information(Z, labels, estimator="matched")
    assert float(alone) == pytest.approx(0.0, abs=1e-12)
    assert alone.standard_error == pytest.approx(0.0, abs=1e-12)
    Z = rng.normal(size=(300, 1))
    plain = float(binning.mutual_information(Z, rng.integers(0, 3, size=300), bins=40))
    matched = binning.mutual_information(
        Z, rng.integers(0, 3, size=300), bins=40, estimator="matched", n_null=50, seed=1
    )
    assert plain > 0.1
    assert float(matched) == pytest.approx(0.0, abs=0.05)
    assert 0.0 < matched.standard_error < 0.01


def test_the_matched_estimate_subtracts_the_mean_of_permutations_from_the_seed(rng):
    Z, labels = rng.integers(0, 4, size=(60, 1)), rng.integers(0, 3, size=60)
    generator = np.random.default_rng(7)
    null = [information_of(Z[:, 0], generator.permutation(labels)) for _ in range(5)]
    matched = binning.mutual_information(Z, labels, estimator="matched", n_null=5, seed=7)
    expected = information_of(Z[:, 0], labels) - np.mean(null)
    assert float(matched) == pytest.approx(expected, abs=1e-12)
    assert matched.standard_error == pytest.approx(np.std(null, ddof=1) / math.sqrt(5))


small_tables = arrays(
    np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.integers(-3, 3)
)


@given(small_tables, small_tables, st.integers(1, 8))
def test_information_is_symmetric_and_between_0_and_the_entropies(X, Y, bins):
    n = min(len(X), len(Y))
    X, Y = X[:n], Y[:n]
    forth = binning.mutual_information(X, Y, bins=bins, kind="vectors")
    back = binning.mutual_information(Y, X, bins=bins, kind="vectors")
    assert float(forth) == pytest.approx(float(back), abs=1e-12)
    smaller = min(binning.entropy(X, bins=bins), binning.entropy(Y, bins=bins))
    assert 0.0 <= float(forth) <= float(smaller) + 1e-12


@given(small_tables, st.integers(1, 8), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_scale_do_not_matter(Z, bins, random):
    order = list(range(len(Z)))
    random.shuffle(order)
    labels = np.arange(len(Z)) % 3
    for value, other in [
        (binning.entropy(Z, bins=bins), binning.entropy(Z[order] * 4, bins=bins)),
        (
            binning.mutual_information(Z, labels, bins=bins),
            binning.mutual_information(Z[order] * 4, labels[order], bins=bins),
        ),
    ]:
        assert float(value) == pytest.approx(float(other), abs=1e-12)


@pytest.mark.parametrize(
    ("Z", "options", "error", "words"),
    [
        (np.ones((0, 2)), {}, ValueError, ["Z", "(0, 2)"]),
        (np.ones(4), {}, ValueError, ["Z", "(n, d)"]),
        ([[1.0], [np.nan]], {}, ValueError, ["Z", "NaN", 1, 2]),
        ([["a"], ["b"]], {}, TypeError, ["Z"]),
        (np.eye(3), {"bins": 0}, ValueError, ["bins", 1, 0]),
        (np.eye(3), {"bins": 2**33}, ValueError, ["bins", "2**32", 2**33]),
        (np.eye(3), {"bins": 2.5}, TypeError, ["bins", 2.5]),
    ],
)
def test_bad_input_is_named(Z, options, error, words):
    with pytest.raises(error, match=naming(*words)):
        binning.entropy(Z, **options)
    with pytest.raises(error, match=naming(*words)):
        binning.mutual_information(Z, [0] * len(Z), **options)


@pytest.mark.parametrize(
    ("Y", "options", "words"),
    [
        (None, {}, ["Y"]),
        ([1, 2], {}, ["Y", 2, "Z", 3]),
        (np.ones((2, 5)), {}, ["Y", 2, "Z", 3]),
        (3, {}, ["Y", "Z"]),
        ([1.0, np.nan, 2.0], {}, ["Y", "NaN"]),
        ([1, None, 2], {}, ["Y", 1]),
        (np.full((3, 2), np.nan), {}, ["Y", "NaN"]),
        ([1, 2, 3], {"kind": "groups"}, ["kind", "'groups'"]),
        ([1, 2, 3], {"estimator": "shuffled"}, ["estimator", "'plain'", "'matched'"]),
        ([1, 2, 3], {"n_null": 1}, ["n_null", 2, 1]),
        ([1, 2, 3], {"seed": -1}, ["seed", "-1"]),
    ],
)
def test_a_bad_y_is_named(Y, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        binning.mutual_information(np.eye(3), Y, **options)


def test_the_error_of_the_baseline_is_named_in_print(rng):
    Z = rng.normal(size=(60, 2))
    matched = binning.mutual_information(Z, np.arange(60) % 3, estimator="matched", n_null=4)
    assert f"null se {matched.standard_error:.2g}" in repr(matched)
    assert "+-" not in repr(matched)
