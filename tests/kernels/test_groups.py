"""From Y to groups."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy._kernels.groups import group_codes
from messages import naming

N = 6


def vectors_as_objects():
    entries = np.empty(N, dtype=object)
    entries[:] = list(np.eye(N))
    return entries


def codes(Y, kind="auto", n_clusters=3, clusters=None, n=N):
    return group_codes(Y, n, kind, n_clusters, clusters).tolist()


@pytest.mark.parametrize(
    "labels",
    [
        [3, 1, 1, 2, 3, 2],
        np.array([3, 1, 1, 2, 3, 2], dtype=np.uint8),
        np.array([[3], [1], [1], [2], [3], [2]]),
        ["c", "a", "a", "b", "c", "b"],
    ],
    ids=["list", "uint8", "column", "strings"],
)
def test_labels_of_every_kind_are_numbered_in_sorted_order(labels):
    assert codes(labels) == [2, 0, 0, 1, 2, 1]


@pytest.mark.parametrize("kind", ["Categorical", "Series"])
def test_labels_of_pandas_are_numbered_in_sorted_order(kind):
    pandas = pytest.importorskip("pandas")
    assert codes(getattr(pandas, kind)(["c", "a", "a", "b", "c", "b"])) == [2, 0, 0, 1, 2, 1]


def test_labels_of_torch_are_numbered_in_sorted_order():
    torch = pytest.importorskip("torch")
    assert codes(torch.tensor([3, 1, 1, 2, 3, 2])) == [2, 0, 0, 1, 2, 1]


def test_a_missing_label_of_pandas_is_named():
    pandas = pytest.importorskip("pandas")
    labels = pandas.Series(["a", "b", pandas.NA, "a", "b", "a"])
    with pytest.raises(ValueError, match=naming("row 2", 6)):
        codes(labels)


def same_partition(first, second):
    """Whether both put the same rows together."""
    return np.array_equal(np.equal.outer(first, first), np.equal.outer(second, second))


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
    pytest.importorskip("sklearn")
    Z, labels = separated_blobs(40, 5, k=3, distance=8)
    found = group_codes(Z, len(Z), "auto", 3, clusters)
    assert same_partition(labels, found)


def test_images_are_flattened():
    pytest.importorskip("sklearn")
    Z, labels = separated_blobs(30, 12, k=3, distance=8)
    found = group_codes(Z.reshape(90, 3, 2, 2), 90, "auto", 3, "kmeans")
    assert same_partition(labels, found)


def test_as_many_clusters_as_rows_are_the_rows():
    pytest.importorskip("sklearn")
    assert codes(np.eye(N), n_clusters=N) == list(range(N))


def test_scalars_may_span_all_finite_numbers():
    assert codes([-1.7e308, -1e308, 0.0, 1.0, 1e308, 1.7e308], n_clusters=2) == [0, 0, 1, 1, 1, 1]


def test_given_clusters_stand_for_y():
    assert codes(None, clusters=[5, 5, 7, 7, 9, 9]) == [0, 0, 1, 1, 2, 2]


def test_clustering_says_which_extra_it_needs():
    script = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import numpy as np, eigentropy as eg\n"
        "Y = np.arange(60.0).reshape(30, 2)\n"
        "try: eg.dsmi(np.eye(30), Y)\n"
        "except ImportError as error: print(error)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert "pip install 'eigentropy[cluster]'" in output


@pytest.mark.parametrize(
    ("Y", "options", "error", "named"),
    [
        ([1, 2], {}, ValueError, ["Y", 2, "Z", 6]),
        (3, {}, ValueError, ["Z", 3]),
        (
            np.arange(12).reshape(N, 2),
            {"kind": "labels"},
            ValueError,
            ["Y", "labels", "1-d", "(6, 2)"],
        ),
        (np.ones((N, 2)), {"kind": "scalars"}, ValueError, ["Y", "scalars", "1-d", 2]),
        ([1, None, 2, 2, 1, 1], {}, ValueError, ["Y", "1 of its 6 rows", "row 1"]),
        (np.array(["2020", "NaT"] * 3, dtype="M8[Y]"), {}, ValueError, ["Y", "row 1"]),
        ([1.0, np.nan, 0, 0, 0, 0], {}, ValueError, ["Y", "NaN", "1 of its 6 rows"]),
        ([1.0, np.nan, 0, 0, 0, 0], {"kind": "labels"}, ValueError, ["Y", "row 1"]),
        (np.array([1, "a", 2, 3, 4, 5], dtype=object), {}, TypeError, ["Y"]),
        (vectors_as_objects(), {}, TypeError, ["Y"]),
        ([1] * N, {"kind": "classes"}, ValueError, ["kind", "'auto'", "'labels'", "'classes'"]),
        (np.eye(N), {"clusters": "dbscan"}, ValueError, ["clusters", "'spectral'", "'dbscan'"]),
        (np.eye(N), {"n_clusters": 0}, ValueError, ["n_clusters", 1, 0]),
        (np.eye(N), {"n_clusters": 2.5}, TypeError, ["n_clusters", 2.5]),
        (None, {}, ValueError, ["Y", "labels", "scalars", "vectors"]),
        (None, {"clusters": [1, 2]}, ValueError, ["clusters", 2, "Z", 6]),
    ],
)
def test_bad_groups_are_named(Y, options, error, named):
    with pytest.raises(error, match=naming(*named)):
        codes(Y, **options)


def test_more_clusters_than_rows_are_refused():
    with pytest.raises(ValueError, match=naming("n_clusters", 7, 6)):
        codes(np.arange(12.0).reshape(N, 2), n_clusters=7)


def test_dsmi_passes_the_message_on(rng):
    with pytest.raises(ValueError, match=naming("Y", 5, "Z", 9)):
        eg.dsmi(rng.normal(size=(9, 2)), [0, 1, 0, 1, 0])


def test_zero_and_minus_zero_are_equal(rng):
    Y = rng.normal(size=(3, 4))[rng.integers(0, 3, 90)]
    Y[:, 1] = 0.0
    signed = Y.copy()
    signed[::2, 1] = -0.0
    with pytest.warns(eg.GroupWarning):
        expected = group_codes(Y, 90, "auto", 10, None)
    with pytest.warns(eg.GroupWarning):
        assert np.array_equal(group_codes(signed, 90, "vectors", 10, "kmeans"), expected)


@pytest.mark.parametrize("Y", [np.arange(6) % 2, np.linspace(0, 1, 6), np.eye(6)])
def test_a_clustering_that_does_not_exist_is_named_whatever_y_is(Y):
    with pytest.raises(ValueError, match=r"clusters .*'spectral', 'kmeans'.*'kmean'"):
        group_codes(Y, 6, "auto", 2, "kmean")
