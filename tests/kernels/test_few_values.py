"""Y that looks like classes, in a type or a shape of something else: what is done, and said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy._kernels.few_values import ROWS_A_CLASS
from eigentropy._kernels.groups import group_codes
from messages import naming

SEEDS = st.integers(0, 2**32 - 1)


def same_partition(first, second):
    """Whether both put the same rows together."""
    return np.array_equal(np.equal.outer(first, first), np.equal.outer(second, second))


def silent_codes(Y, kind="auto", n_clusters=10, clusters=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return group_codes(Y, len(Y), kind, n_clusters, clusters)


def warned_codes(Y, *words, kind="auto", n_clusters=10, clusters=None):
    """The groups, of which these words are said, once."""
    with pytest.warns(eg.GroupWarning, match=naming(*words)) as caught:
        codes = group_codes(Y, len(Y), kind, n_clusters, clusters)
    assert len(caught) == 1
    return codes


@pytest.fixture(scope="module")
def blobs():
    Z, labels = separated_blobs(50, 12, k=12, distance=50.0)
    order = np.random.default_rng(0).permutation(len(Z))
    return Z[order], labels[order]


# One-hot labels.


def sparse(one_hot):
    return pytest.importorskip("scipy.sparse").csr_array(one_hot)


def frame(one_hot):
    return pytest.importorskip("pandas").DataFrame(one_hot)


def tensor(one_hot):
    return pytest.importorskip("torch").from_numpy(one_hot)


FORMS = {
    "float32": lambda H: H.astype(np.float32),
    "bool": lambda H: H.astype(bool),
    "int64": lambda H: H.astype(np.int64),
    "lists": lambda H: H.tolist(),
    "sparse": sparse,
    "pandas": frame,
    "pandas bool": lambda H: frame(H.astype(bool)),
    "torch": tensor,
    "torch int64": lambda H: tensor(H.astype(np.int64)),
    "smoothed": lambda H: 0.9 * H + 0.1 / 12,
    "signs": lambda H: 2.0 * H - 1.0,
    "one dropped": lambda H: H[:, 1:],
    "column-major": np.asfortranarray,
    "one class is missing": lambda H: np.insert(H, 4, 0.0, axis=1),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_clusters", [10, 12, 100, 10_000])
def test_one_hot_labels_are_the_labels_whatever_n_clusters_is(blobs, form, n_clusters):
    """12 classes: more and fewer than clusters, and more clusters than rows."""
    Z, labels = blobs
    expected = eg.dsmi(Z, labels, n_null=3)
    Y = FORMS[form](np.eye(12)[labels])
    with pytest.warns(eg.GroupWarning, match=naming("Y", 12, n_clusters, "kind='labels'")):
        found = eg.dsmi(Z, Y, n_null=3, n_clusters=n_clusters)
    assert float(found) == float(expected)
    assert np.array_equal(found.clusters, labels)
    assert found.adjusted() > 0.995
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(eg.dsmi(Z, Y, n_null=3, kind="labels", n_clusters=n_clusters)) == float(found)


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, k=st.integers(2, 40), n=st.integers(2, 120), n_clusters=st.integers(1, 50))
def test_one_hot_rows_are_equal_where_their_labels_are(seed, k, n, n_clusters):
    labels = np.random.default_rng(seed).integers(0, k, n)
    distinct = len(np.unique(labels))
    assume(1 < distinct < n)
    codes = warned_codes(np.eye(k)[labels], distinct, n_clusters, n_clusters=n_clusters)
    assert np.array_equal(codes, np.unique(labels, return_inverse=True)[1])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, k=st.integers(2, 8))
def test_rows_with_two_hot_entries_are_no_one_hot_labels(seed, k):
    """Tags: several at once are no classes, and are clustered."""
    pytest.importorskip("sklearn")
    tags = np.random.default_rng(seed).integers(0, 2, (200, k + 4))
    assume(tags.sum(axis=1).max() > 1)
    found = group_codes(tags, 200, "vectors", 3, "kmeans")
    assert found.max() < 3


# Few distinct vectors.


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, k=st.integers(2, 12), n_clusters=st.integers(2, 12))
def test_at_most_n_clusters_distinct_rows_are_the_groups_and_it_is_said(seed, k, n_clusters):
    generator = np.random.default_rng(seed)
    labels = np.r_[np.arange(k), np.arange(k), generator.integers(0, k, 40)]
    Y = generator.normal(size=(k, 3))[labels]
    if k <= n_clusters:
        codes = warned_codes(Y, "Y", k, len(Y), "kind='labels'", "clusters", n_clusters=n_clusters)
        assert same_partition(codes, labels)
    silent = silent_codes(Y, kind="labels", n_clusters=n_clusters)
    assert same_partition(silent, labels)
    assert np.array_equal(silent_codes(Y, clusters=labels), labels)


def test_repeated_vectors_in_fewer_clusters_are_told_of(blobs):
    pytest.importorskip("sklearn")
    labels = blobs[1]
    Y = np.random.default_rng(1).normal(size=(12, 3))[labels]
    found = warned_codes(Y, "Y", 12, 600, 5, "'labels'", "'vectors'", n_clusters=5)
    asked = silent_codes(Y, kind="vectors", n_clusters=5)
    assert found.max() == 4
    assert np.array_equal(found, asked)


def test_vectors_without_equal_rows_are_clustered_without_a_word():
    pytest.importorskip("sklearn")
    Y, labels = separated_blobs(30, 3, k=3, distance=9.0)
    assert same_partition(silent_codes(Y, n_clusters=3, clusters="kmeans"), labels)


def test_a_constant_has_one_group_and_a_row_for_each_cluster_is_no_surprise():
    assert silent_codes(np.ones((20, 2))).tolist() == [0] * 20
    Y = np.random.default_rng(0).normal(size=(6, 2))
    assert sorted(silent_codes(Y, n_clusters=6)) == list(range(6))


def test_labels_of_several_numbers_are_equal_rows():
    Y = np.array([[1, 2], [0, 5], [1, 2], [0, 4]])
    assert silent_codes(Y, kind="labels").tolist() == [2, 1, 2, 0]


@pytest.mark.parametrize("Y", [np.eye(6), np.arange(12.0).reshape(6, 2)])
def test_rows_of_which_no_two_are_equal_are_no_labels(Y):
    with pytest.raises(ValueError, match=naming("Y", "labels", "1-d", str(Y.shape))):
        group_codes(Y, 6, "labels", 3, None)


# Floats that are class numbers.


def test_class_numbers_as_floats_are_told_of_with_both_ways_out():
    labels = np.random.default_rng(0).integers(0, 40, 600)
    for Y in (labels.astype(float), labels.astype(np.float32)[:, None]):
        codes = warned_codes(Y, "Y", 40, 10, 600, "kind='labels'", "kind='scalars'")
        assert codes.max() == 9
        assert np.array_equal(silent_codes(Y, kind="scalars"), codes)
        assert np.array_equal(silent_codes(Y, kind="labels"), labels)
        assert np.array_equal(silent_codes(Y, n_clusters=40), labels)  # one bin for each class


def test_class_numbers_of_torch_and_of_pandas_are_told_of():
    torch, pandas = pytest.importorskip("torch"), pytest.importorskip("pandas")
    labels = np.arange(300) % 20
    gaps = pandas.Series([None, *labels.tolist()])  # with which a column of integers is of floats
    for Y in (torch.from_numpy(labels).bfloat16(), gaps.dropna(), list(map(float, labels))):
        assert warned_codes(Y, 20, 10, 300).max() == 9


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, first=st.sampled_from([-1, 0, 1]), k=st.integers(2, 100))
def test_classes_are_told_of_exactly_where_bins_merge_them(seed, first, k):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(ROWS_A_CLASS * k) % k)
    Y = (first + labels).astype(float)
    merged = len(np.unique(np.minimum(labels * 10 // (k - 1), 9))) < k
    codes = warned_codes(Y, k) if merged else silent_codes(Y)
    assert same_partition(codes, labels) != merged


@pytest.mark.parametrize(
    "values", [[-1.0, 1.0], [0.0, 1.0], [0.5, 1.5], [0.0, 0.5, 1.0], [3.0, 4.0, 5.0, 9.0], [7.0]]
)
def test_few_values_that_have_a_bin_each_are_groups_without_a_word(values):
    Y = np.repeat(values, 20)
    assert same_partition(silent_codes(Y), Y)


@pytest.mark.parametrize("values", [[0.0, 0.1, 1.0, 10.0, 100.0], [0.5, 1.5, 99.5]])
def test_values_fewer_than_the_bins_that_merge_them_are_told_of(values):
    Y = np.repeat(values, 20)
    codes = warned_codes(Y, len(values), 10, 100 if len(values) == 5 else 60, "kind='labels'")
    assert len(np.unique(codes)) < len(values)


# Where distances are compared, without bins and clusters.

AS_NUMBERS = {
    "class numbers": (np.arange(120.0) % 20, 20, "scalars"),
    "two values": (np.arange(120) % 2 - 0.5, 2, "scalars"),
    "few rows": (np.arange(6.0).reshape(3, 2)[np.arange(120) % 3], 3, "vectors"),
}


@pytest.mark.parametrize("name", AS_NUMBERS)
def test_a_kernel_of_what_looks_like_classes_is_told_of(name):
    Y, count, kind = AS_NUMBERS[name]
    Z = np.random.default_rng(0).normal(size=(120, 3))
    with pytest.warns(eg.GroupWarning, match=naming("Y", count, 120, "'labels'", f"'{kind}'")):
        found = eg.kernel_information(Z, Y, n_null=2)
    assert float(eg.kernel_information(Z, Y, n_null=2, kind=kind)) == float(found)
    classes = eg.kernel_information(Z, Y, n_null=2, kind="labels")
    codes = np.unique(Y, axis=0, return_inverse=True)[1].reshape(-1)
    assert same_partition(classes.clusters, codes)


@pytest.mark.parametrize("columns", [1, 2])
def test_a_kernel_of_numbers_is_taken_without_a_word(columns):
    generator = np.random.default_rng(0)
    Z, Y = generator.normal(size=(120, 3)), generator.normal(size=(120, columns)).round(1)
    eg.kernel_information(Z, Y, n_null=2)


# Targets of a regression.

TARGETS = {
    "normal": lambda g, n: g.normal(size=n),
    "rounded": lambda g, n: g.normal(scale=1000.0, size=n).round(),
    "coarsely rounded": lambda g, n: g.normal(scale=10.0, size=n).round(),
    "hundredths": lambda g, n: g.uniform(size=n).round(2),
    "prices": lambda g, n: np.exp(g.normal(5.0, 1.0, n)).round(2),
    "prices, whole": lambda g, n: np.exp(g.normal(8.0, 1.0, n)).round(),
    "counts": lambda g, n: g.negative_binomial(1, 0.002, n).astype(float),
    "ages of adults": lambda g, n: g.integers(18, 91, n).astype(float),
    "years": lambda g, n: g.integers(1922, 2012, n).astype(float),
    "every number once": lambda g, n: g.permutation(n).astype(float),
    "seconds": lambda g, n: 1.7e9 + g.integers(0, 3600, n),
}


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, n=st.integers(60, 1500))
def test_numbers_to_be_predicted_raise_no_alarm(target, seed, n):
    silent_codes(TARGETS[target](np.random.default_rng(seed), n))


@pytest.mark.parametrize("name", ["load_diabetes", "load_linnerud"])
def test_the_targets_that_a_library_brings_raise_no_alarm(name):
    data = pytest.importorskip("sklearn.datasets")
    target = getattr(data, name)().target.astype(float)
    for y in target.reshape(len(target), -1).T:
        silent_codes(y)
