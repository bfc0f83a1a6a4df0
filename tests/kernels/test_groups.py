"""From Y to groups."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy._kernels.groups import group_codes

N = 6


def codes(Y, kind="auto", n_clusters=3, clusters=None, n=N):
    return group_codes(Y, n, kind, n_clusters, clusters).tolist()


@pytest.mark.parametrize(
    "labels",
    [
        [3, 1, 1, 2, 3, 2],
        np.array([3, 1, 1, 2, 3, 2], dtype=np.uint8),
        np.array([[3], [1], [1], [2], [3], [2]]),
        ["c", "a", "a", "b", "c", "b"],
        pd.Categorical(["c", "a", "a", "b", "c", "b"]),
        pd.Series(["c", "a", "a", "b", "c", "b"]),
        torch.tensor([3, 1, 1, 2, 3, 2]),
    ],
    ids=["list", "uint8", "column", "strings", "categorical", "series", "torch"],
)
def test_labels_of_every_kind_are_numbered_in_sorted_order(labels):
    assert codes(labels) == [2, 0, 0, 1, 2, 1]


def test_booleans_are_labels():
    assert codes(np.array([True, False, True, True, False, False])) == [1, 0, 1, 1, 0, 0]


def test_floats_are_scalars_in_bins_of_equal_width_unless_called_labels():
    y = [0.0, 0.1, 1.0, 1.9, 2.0, 3.0]
    assert codes(y) == [0, 0, 1, 1, 2, 2]
    assert codes(y, kind="labels") == [0, 1, 2, 3, 4, 5]


def test_empty_bins_are_not_groups():
    assert codes([0.0, 0.0, 0.0, 9.0, 9.0, 10.0], n_clusters=10) == [0, 0, 0, 1, 1, 1]


def test_a_constant_scalar_is_one_group():
    assert codes(np.full(N, 2.5)) == [0] * N


@pytest.mark.parametrize("clusters", [None, "spectral", "kmeans"])
def test_vectors_are_clustered(clusters):
    Z, labels = separated_blobs(40, 5, k=3, distance=8)
    found = group_codes(Z, len(Z), "auto", 3, clusters)
    assert adjusted_rand_score(labels, found) == 1.0


def test_images_are_flattened():
    Z, labels = separated_blobs(30, 12, k=3, distance=8)
    found = group_codes(Z.reshape(90, 3, 2, 2), 90, "auto", 3, "kmeans")
    assert adjusted_rand_score(labels, found) == 1.0


def test_as_many_clusters_as_rows_are_the_rows():
    assert codes(np.eye(N), n_clusters=N) == list(range(N))


def test_scalars_may_span_all_finite_numbers():
    assert codes([-1.7e308, -1e308, 0.0, 1.0, 1e308, 1.7e308], n_clusters=2) == [0, 0, 1, 1, 1, 1]


def test_given_clusters_stand_for_y():
    assert codes(None, clusters=[5, 5, 7, 7, 9, 9]) == [0, 0, 1, 1, 2, 2]


def test_clustering_says_which_extra_it_needs():
    script = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import numpy as np, eigentropy as eg\n"
        "try: eg.dsmi(np.eye(5), np.eye(5))\n"
        "except ImportError as error: print(error)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert "pip install 'eigentropy[cluster]'" in output


@pytest.mark.parametrize(
    ("Y", "options", "error", "message"),
    [
        ([1, 2], {}, ValueError, "Y has 2 entries, Z has 6 rows"),
        (3, {}, ValueError, "one entry for each row of Z, got the scalar 3"),
        (np.ones((N, 2)), {"kind": "labels"}, ValueError, r"Y as labels must be 1-d, got shape"),
        (np.ones((N, 2)), {"kind": "scalars"}, ValueError, "must be 1-d, got 2 values a row"),
        ([1, None, 2, 2, 1, 1], {}, ValueError, r"no label .* for 1 of 6 rows; the first is row 1"),
        (pd.Series(["a", "b", pd.NA, "a", "b", "a"]), {}, ValueError, "the first is row 2"),
        (np.array(["2020", "NaT"] * 3, dtype="M8[Y]"), {}, ValueError, "the first is row 1"),
        ([1.0, np.nan, 0, 0, 0, 0], {}, ValueError, "Y has NaN or infinity in 1 of its 6 rows"),
        ([1.0, np.nan, 0, 0, 0, 0], {"kind": "labels"}, ValueError, "the first is row 1"),
        (np.array([1, "a", 2, 3, 4, 5], dtype=object), {}, TypeError, "cannot be ordered"),
        ([1] * N, {"kind": "classes"}, ValueError, "kind must be one of 'auto', 'labels'"),
        (np.eye(N), {"clusters": "dbscan"}, ValueError, "clusters must be one of 'spectral'"),
        (np.eye(N), {"n_clusters": 7}, ValueError, "n_clusters is 7, but there are only 6 rows"),
        (np.eye(N), {"n_clusters": 0}, ValueError, "n_clusters must be at least 1"),
        (np.eye(N), {"n_clusters": 2.5}, TypeError, "n_clusters must be an integer"),
        (None, {}, ValueError, "Y is missing: pass labels, scalars or vectors, or the groups"),
        (None, {"clusters": [1, 2]}, ValueError, "clusters has 2 entries, Z has 6 rows"),
    ],
)
def test_bad_groups_are_named(Y, options, error, message):
    with pytest.raises(error, match=message):
        codes(Y, **options)


def test_dsmi_passes_the_message_on(rng):
    with pytest.raises(ValueError, match="Y has 5 entries, Z has 9 rows"):
        eg.dsmi(rng.normal(size=(9, 2)), [0, 1, 0, 1, 0])
