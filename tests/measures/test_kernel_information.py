"""Informations by density matrices: their definitions, the chain rule and what bounds them."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st

import eigentropy as eg
from data_sets import separated_blobs
from messages import naming

pytestmark = [
    pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning"),
    pytest.mark.filterwarnings("ignore:.*groups of Y"),
    pytest.mark.filterwarnings("ignore:.*single group"),
    pytest.mark.filterwarnings("ignore::eigentropy.GroupWarning"),
]

PLAIN = {"estimator": "plain", "n_null": 0}


@pytest.fixture
def Z(rng):
    return rng.normal(size=(80, 3))


@pytest.fixture
def V(rng, Z):
    return Z @ rng.normal(size=(3, 2)) + 0.5 * rng.normal(size=(80, 2))


@pytest.fixture
def labels(Z):
    return (Z[:, 0] > 0).astype(int) + 2 * (Z[:, 1] > 0.5)


def kernel(X, sigma):
    X = np.reshape(X, (len(X), -1))
    return np.exp(-((X[:, None] - X[None]) ** 2).sum(-1) / (2.0 * sigma**2))


def bits(G, order=1.0):
    """The entropy of G / n by NumPy."""
    p = np.linalg.eigvalsh(G / len(G))
    p = p[p > 1e-15]
    if order == 1.0:
        return -float(p @ np.log2(p))
    return -math.log2(p[-1]) if math.isinf(order) else math.log2((p**order).sum()) / (1.0 - order)


def same_label(labels):
    return (labels[:, None] == labels[None]).astype(float)


def entropy_of(labels):
    p = np.bincount(labels) / len(labels)
    p = p[p > 0]
    return -float(p @ np.log2(p))


# ---- Definitions -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0.5, 1.0, 1.5, 2.0, 3.0, math.inf])
def test_the_information_of_labels_is_holevos(Z, labels, order):
    found = eg.kernel_information(Z, labels, sigma=0.7, order=order, **PLAIN)
    p = np.bincount(labels) / len(labels)
    of_groups = [bits(kernel(Z[labels == y], 0.7), order) for y in range(len(p))]
    expected = bits(kernel(Z, 0.7), order) - p @ of_groups
    assert float(found) == pytest.approx(expected, abs=1e-10)
    assert found.conditional_entropy == pytest.approx(p @ of_groups, abs=1e-10)
    assert found.label_entropy == pytest.approx(entropy_of(labels))
    assert (found.kind, found.order) == ("labels", order)


@pytest.mark.parametrize("order", [0.5, 1.0, 1.5, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("kind", ["vectors", "scalars"])
def test_the_information_of_vectors_is_that_of_the_joint_kernel(Z, V, order, kind):
    Y = V if kind == "vectors" else V[:, 0]
    found = eg.kernel_information(Z, Y, sigma=0.7, sigma_y=0.3, order=order, **PLAIN)
    G, H = kernel(Z, 0.7), kernel(Y, 0.3)
    expected = bits(G, order) + bits(H, order) - bits(G * H, order)
    assert float(found) == pytest.approx(expected, abs=1e-7 if order < 1 else 1e-10)
    assert found.kind == kind
    assert math.isnan(found.bits())
    assert "label" in found.adjusted_note()


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, math.inf])
def test_what_is_given_is_part_of_every_kernel(Z, V, labels, order):
    W = V[:, 1]
    G, H, K = kernel(Z, 0.7), same_label(labels), kernel(W, eg.bandwidth(W[:, None]))
    options = {"sigma": 0.7, "order": order, **PLAIN}
    found = eg.kernel_information(Z, labels, given=W, **options)
    expected = bits(G * K, order) + bits(H * K, order) - bits(G * H * K, order) - bits(K, order)
    assert float(found) == pytest.approx(expected, abs=1e-10)
    L = kernel(V[:, 0], 0.3)
    found = eg.kernel_information(Z, V[:, 0], given=labels, sigma_y=0.3, **options)
    expected = bits(G * H, order) + bits(L * H, order) - bits(G * L * H, order) - bits(H, order)
    assert float(found) == pytest.approx(expected, abs=1e-10)


@given_by(seed=st.integers(0, 999), kinds=st.tuples(st.booleans(), st.booleans()))
@settings(max_examples=20, deadline=None)
def test_the_chain_rule_holds(seed, kinds):
    """I(Z; Y, W) = I(Z; W) + I(Z; Y | W)."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(40, 2))
    Y, W = (
        rng.integers(0, 3, size=40) if labels else Z[:, 0] + rng.normal(size=40) for labels in kinds
    )
    options = {"sigma": 0.8, **PLAIN}
    chain = eg.kernel_information(Z, W, **options) + eg.kernel_information(Z, Y, given=W, **options)
    if all(kinds):
        both = float(eg.kernel_information(Z, 3 * Y + W, **options))
    else:
        H, K = (
            same_label(one) if labels else kernel(one, eg.bandwidth(one[:, None]))
            for one, labels in zip((Y, W), kinds, strict=True)
        )
        G = kernel(Z, 0.8)
        both = bits(G) + bits(H * K) - bits(G * H * K)
    assert float(chain) == pytest.approx(both, abs=1e-10)


@given_by(seed=st.integers(0, 999), sigma=st.floats(0.1, 5.0), groups=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_labels_are_between_0_and_their_own_entropy(seed, sigma, groups):
    rng = np.random.default_rng(seed)
    Z, labels = rng.normal(size=(40, 2)), rng.integers(0, groups, size=40)
    found = eg.kernel_information(Z, labels, sigma=sigma, **PLAIN)
    assert -1e-10 <= float(found) <= entropy_of(labels) + 1e-10


@given_by(seed=st.integers(0, 999), offset=st.sampled_from([0.0, 1e8]))
@settings(max_examples=15, deadline=None)
def test_vectors_tell_of_each_other_alike_wherever_they_are(seed, offset):
    rng = np.random.default_rng(seed)
    Z, Y = rng.integers(-9, 9, size=(30, 2)) / 4.0, rng.integers(-9, 9, size=(30, 3)) / 4.0
    expected = eg.kernel_information(Z, Y, sigma=0.6, sigma_y=0.9, kind="vectors", **PLAIN)
    turned = eg.kernel_information(
        Y + offset, Z + offset, sigma=0.9, sigma_y=0.6, kind="vectors", **PLAIN
    )
    assert float(turned) == pytest.approx(float(expected), abs=1e-10)
    order = rng.permutation(30)
    moved = eg.kernel_information(
        1e5 * Z[order], 1e-5 * Y[order], sigma=0.6e5, sigma_y=0.9e-5, kind="vectors", **PLAIN
    )
    assert float(moved) == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("far", [1e6, 1e12])
def test_a_row_far_from_all_others_takes_no_digits_from_them(Z, V, far):
    Z = Z.copy()
    Z[0] = far
    options = {"sigma": 1.0, "sigma_y": 1.0, "estimator": "plain", "n_null": 0}
    order = np.roll(np.arange(len(Z)), -1)
    first, last = (eg.kernel_information(Z[o], V[o], **options) for o in (slice(None), order))
    assert float(first) == pytest.approx(float(last), abs=1e-11)


def test_rows_of_any_size_tell_the_same(Z, V):
    expected = eg.kernel_information(Z, V, n_null=3)
    for scale in (1e-300, 1e300):
        found = eg.kernel_information(scale * Z, scale * V, n_null=3)
        assert float(found) == pytest.approx(float(expected), abs=1e-10)
    spread = np.concatenate([V, -V]) / np.abs(V).max() * 1e308  # differences beyond any float64
    assert math.isfinite(eg.kernel_information(np.tile(Z, (2, 1)), spread, n_null=2))
    with pytest.raises(ValueError, match=naming("sigma_y", "1e-300")):
        eg.kernel_information(Z, 1e300 * V, sigma_y=1e-300)


# ---- Chance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["labels", "vectors", "given"])
def test_what_means_nothing_has_no_matched_information(rng, of):
    """On average; its p-values are as often below any level as that says."""
    values, levels = [], []
    for seed in range(40):
        own = np.random.default_rng(seed)
        Z, groups = own.normal(size=(40, 2)), own.integers(0, 3, size=40)
        Y = own.normal(size=(40, 2)) if of == "vectors" else groups
        given = own.integers(0, 2, size=40) if of == "given" else None
        found = eg.kernel_information(Z, Y, given=given, n_null=9, seed=seed)
        values.append(float(found))
        levels.append(found.p_value)
    error = np.std(values, ddof=1) / math.sqrt(40)
    assert abs(np.mean(values)) <= 3.0 * error
    assert set(np.rint(10 * np.array(levels))) <= set(range(1, 11))
    assert 0.35 < np.mean(levels) < 0.75
    assert (np.array(levels) <= 0.2).sum() <= 16


def test_separated_blobs_have_the_bits_of_their_labels():
    Z, labels = separated_blobs(40, 4, k=4, distance=30.0)
    for rows in (slice(None), slice(0, 130)):
        found = eg.kernel_information(Z[rows], labels[rows])
        assert found.bits() == pytest.approx(entropy_of(labels[rows]), abs=0.03)
        assert found.adjusted() == pytest.approx(1.0, abs=0.02)
        nats = eg.kernel_information(Z[rows], labels[rows], base=math.e)
        assert nats.bits() == pytest.approx(found.bits(), abs=1e-9)
        assert float(nats) == pytest.approx(float(found) * math.log(2))


def test_bits_are_for_order_1_and_say_so(Z, labels):
    for given in (None, labels % 2):
        found = eg.kernel_information(Z, labels, given=given, order=2, n_null=3)
        assert math.isnan(found.bits())
        assert "order=1" in found.adjusted_note()


def test_a_group_that_is_given_changes_nothing_if_it_is_all_rows(Z, labels):
    plain = eg.kernel_information(Z, labels, **PLAIN)
    given = eg.kernel_information(Z, labels, given=np.zeros(80, dtype=int), **PLAIN)
    assert float(given) == pytest.approx(float(plain), abs=1e-10)


def test_what_is_known_from_what_is_given_tells_nothing(Z, labels):
    found = eg.kernel_information(Z, labels, given=labels, **PLAIN)
    assert float(found) == pytest.approx(0.0, abs=1e-10)
    assert found.label_entropy == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("of", ["labels", "vectors"])
@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_estimated_entropies_say_how_far_off_they_are(rng, of, estimator):
    Z = rng.normal(size=(700, 3))
    Y = (Z[:, 0] > 0).astype(int) if of == "labels" else Z[:, :2] + rng.normal(size=(700, 2))
    options = {"sigma": 0.7, "estimator": estimator, "n_null": 2}
    exact = eg.kernel_information(Z, Y, method="exact", **options)
    found = eg.kernel_information(Z, Y, method="stochastic", tol=3e-3, **options)
    assert found.method == "stochastic"
    assert abs(float(found) - float(exact)) <= 5.0 * max(found.standard_error, 1e-3)
    assert found.standard_error > 0.0


def test_an_estimate_does_not_print_a_bound_that_it_has_not(rng):
    Z = rng.normal(size=(400, 3))
    found = eg.kernel_information(Z, Z[:, :1], method="stochastic", n_null=2)
    assert found.dtype == "float32"
    assert "+- 0" not in repr(found)


def test_what_no_order_of_y_changes_is_no_error_of_the_matched_information(rng, monkeypatch):
    """S(Y) is part of the entropies of all of them, and computed once."""
    from eigentropy._measures import joint

    solved = []
    original = joint.solve
    monkeypatch.setattr(
        joint,
        "solve",
        lambda matrix, *others: (solved.append(matrix), original(matrix, *others))[1],
    )
    Z = rng.normal(size=(300, 2))
    found = eg.kernel_information(Z, Z + rng.normal(size=(300, 2)), n_null=4, sigma=0.5)
    assert len(solved) == 2 + 5
    assert len(found.null) == 4


# ---- Sigma -------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "labels", "scalars"])
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_every_sigma_that_says_nothing_is_named(Z, V, labels, given, size):
    W = {"labels": labels, "scalars": V[:, 1], None: None}[given]
    options = {"given": W, **PLAIN}
    with pytest.warns(eg.SaturationWarning, match=naming("sigma_y", "Y")):
        eg.kernel_information(Z, V[:, 0], sigma_y=size, **options)
    with pytest.warns(eg.SaturationWarning, match=naming("sigma", "Z")):
        eg.kernel_information(Z, V[:, 0], sigma=size, **options)


@pytest.mark.filterwarnings("error::eigentropy.SaturationWarning")
def test_a_joint_kernel_is_no_reason_to_warn(Z, V, labels):
    eg.kernel_information(Z, V, n_null=2)
    eg.kernel_information(Z, labels, given=V[:, 1], **PLAIN)


def test_a_y_that_is_one_value_is_warned_of(Z):
    for Y, given in ((np.ones(80), None), (Z, np.ones(80))):
        with pytest.warns(eg.SaturationWarning, match=naming("equal")):
            found = eg.kernel_information(Z, Y, given=given, **PLAIN)
        assert float(found) == pytest.approx(0.0, abs=1e-10) or given is not None


# ---- Results and options -----------------------------------------------------------------------


@pytest.mark.parametrize("of", ["labels", "vectors"])
def test_results_survive_pickling_and_show_themselves(Z, V, labels, of):
    found = eg.kernel_information(Z, labels if of == "labels" else V, n_null=3)
    expected = found.bits()
    kept = pickle.loads(pickle.dumps(found))
    assert (float(kept), repr(kept), kept.p_value) == (float(found), repr(found), found.p_value)
    np.testing.assert_equal(kept.bits(), expected)
    assert kept._repr_html_()
    low, high = found.interval()
    assert low < float(found) < high
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    assert found.plot() is not None
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("of", ["labels", "vectors", "given"])
def test_progress_reaches_1(Z, V, labels, of):
    told = []
    Y = V if of == "vectors" else labels
    given = labels % 2 if of == "given" else None
    eg.kernel_information(Z, Y, given=given, n_null=3, progress=told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)


@pytest.mark.parametrize("of", ["labels", "vectors", "given"])
def test_a_sample_of_the_rows_takes_its_part_of_everything(Z, V, labels, of):
    Y = V if of == "vectors" else labels
    given = labels % 2 if of == "given" else None
    found = eg.kernel_information(Z, Y, given=given, sigma=0.8, n_null=3, max_points=40, seed=5)
    rows = found.rows
    assert found.n == len(rows) == 40
    own = None if given is None else given[rows]
    expected = eg.kernel_information(Z[rows], Y[rows], given=own, sigma=0.8, n_null=3, seed=5)
    assert float(found) == pytest.approx(float(expected), abs=1e-12)


def test_few_rows_have_an_information(Z, V):
    for n in (1, 2, 3):
        for Y in (np.arange(n), np.zeros(n, dtype=int), V[:n], V[:n, 0]):
            found = eg.kernel_information(Z[:n], Y, n_null=3)
            assert -1.0 <= float(found) <= math.log2(n) + 1e-12


def test_groups_of_one_row_have_no_matched_information(Z):
    found = eg.kernel_information(Z, np.arange(80), n_null=3)
    assert float(found) == pytest.approx(0.0, abs=1e-10)
    assert found.bits() == pytest.approx(0.0, abs=1e-9)


def test_a_single_group_has_no_information(Z):
    found = eg.kernel_information(Z, np.zeros(80, dtype=int), n_null=3)
    assert float(found) == pytest.approx(0.0, abs=1e-10)
    assert math.isnan(found.bits())
    assert "single group" in found.adjusted_note()


BAD = {
    "order 0": ({"order": 0}, ["order"]),
    "order nan": ({"order": math.nan}, ["order"]),
    "estimator": ({"estimator": "bins"}, ["estimator", "bins"]),
    "n_null": ({"n_null": 1}, ["n_null", 2]),
    "lowrank": ({"method": "lowrank"}, ["method", "lowrank"]),
    "kmeans": ({"clusters": "kmeans"}, ["clusters", "kmeans"]),
    "kind": ({"kind": "words"}, ["kind", "words"]),
    "short clusters": ({"clusters": np.arange(79)}, ["clusters", 79, 80]),
    "short given labels": ({"given": np.arange(79)}, ["given", 79, 80]),
    "short given scalars": ({"given": np.ones(79), **PLAIN}, ["given", 79, 80]),
    "scalar given": ({"given": 3}, ["given", "scalar"]),
    "missing given": ({"given": [None] * 80}, ["given", "80 of its 80"]),
    "nan given": ({"given": np.full(80, np.nan), **PLAIN}, ["given", "80 of its 80"]),
    "given without groups": ({"given": np.linspace(0, 1, 80)}, ["given", "plain", "n_null=0"]),
    "two scalars": ({"kind": "scalars"}, ["Y", "1-d", "vectors"]),
    "sigma_y rule": ({"sigma_y": "wide"}, ["sigma_y", "wide"]),
    "sigma_y": ({"sigma_y": -1.0}, ["sigma_y"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_named(Z, V, case):
    options, words = BAD[case]
    with pytest.raises(ValueError, match=naming(*words)):
        eg.kernel_information(Z, V, **options)


@pytest.mark.parametrize(
    ("Y", "words"),
    [
        (None, ["Y", "missing", "clusters"]),
        (np.arange(79), ["Y", 79, 80]),
        (np.ones((79, 2)), ["Y", 79, 80]),
        (np.linspace(0, 1, 79), ["Y", 79, 80]),
        (5, ["Y", "scalar 5"]),
        (5.0, ["Y", "scalar 5"]),
        (np.full((80, 2), np.nan), ["Y", "80 of its 80"]),
        (np.zeros((80, 0)), ["Y", "empty"]),
    ],
)
def test_a_y_that_cannot_be_used_is_named(Z, Y, words):
    with pytest.raises(ValueError, match=naming(*words)):
        eg.kernel_information(Z, Y)


def test_the_order_is_a_number(Z, labels):
    with pytest.raises(TypeError, match=naming("order")):
        eg.kernel_information(Z, labels, order="1")


@pytest.mark.parametrize("dtype", ["int64", "float32", "bool"])
def test_one_hot_rows_are_labels(dtype):
    labels = np.repeat([0, 1, 2], [20, 30, 40])
    Z = np.random.default_rng(0).normal(size=(90, 4)) + 5.0 * np.eye(4)[labels]
    expected = eg.kernel_information(Z, labels)
    with pytest.warns(eg.GroupWarning):
        found = eg.kernel_information(Z, np.eye(3, dtype=dtype)[labels])
    assert (found.kind, found.value, found.bits()) == ("labels", expected.value, expected.bits())


def test_the_width_of_y_is_kept_and_printed():
    rng = np.random.default_rng(0)
    Z, Y = rng.normal(size=(2, 60, 3))
    found = eg.kernel_information(Z, Y, sigma_y=1.25)
    assert found.sigma_y == 1.25
    assert "sigma_y=1.25" in repr(found)
    assert math.isnan(eg.kernel_information(Z, np.arange(60) % 3).sigma_y)


@pytest.mark.parametrize("function", [eg.kernel_information, eg.dsmi])
@pytest.mark.parametrize("base", [0.5, 1.0])
def test_a_base_that_turns_the_order_of_values_around_is_refused(function, base):
    with pytest.raises(ValueError, match=naming("base", base)):
        function(np.eye(6), np.arange(6) % 2, base=base)
