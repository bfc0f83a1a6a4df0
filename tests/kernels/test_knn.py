"""kernel="knn": the sparse matrix of nearest neighbours whose widths adapt to the rows."""

import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._kernels.knn import knn_rows
from messages import naming

pytest.importorskip("scipy")

rng = np.random.default_rng(0)

# Five blobs of unequal sizes and widths.
SIZES, WIDTHS = (40, 100, 250, 500, 900), (0.2, 0.5, 1.0, 2.0, 0.3)


def blobs(seed, sizes=SIZES, widths=WIDTHS, d=10):
    random = np.random.default_rng(seed)
    centres = 20.0 * random.normal(size=(len(sizes), d))
    parts = [
        centre + width * random.normal(size=(size, d))
        for centre, size, width in zip(centres, sizes, widths, strict=True)
    ]
    return np.concatenate(parts), np.repeat(np.arange(len(sizes)), sizes)


def weights(Z, k):
    """W from all distances, one formula after the other."""
    r = np.sqrt(((Z[:, None] - Z[None]) ** 2).sum(axis=2))
    order = np.argsort(r + np.diag(np.full(len(Z), -1.0)), axis=1, kind="stable")
    lists = np.zeros(r.shape, dtype=bool)
    np.put_along_axis(lists, order[:, 1 : k + 1], True, axis=1)
    sigma = np.take_along_axis(r, order[:, k : k + 1], axis=1)[:, 0]
    W = np.where(lists | lists.T, np.exp(-(r**2) / np.outer(sigma, sigma)), 0.0)
    np.fill_diagonal(W, 1.0)
    return W


def matrix(Z, k, alpha):
    W = weights(Z, k)
    K = W / np.outer(W.sum(axis=1), W.sum(axis=1)) ** alpha
    return K / np.sqrt(np.outer(K.sum(axis=1), K.sum(axis=1)))


def operator(Z, k=15, **options):
    return eg.DiffusionOperator(Z, kernel="knn", n_neighbors=k, **options)


def cliques(count, size):
    """Groups of rows at one distance from each other, far from the other groups."""
    parts = [np.eye(size) + 100.0 * number for number in range(count)]
    return np.concatenate(parts)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(3, 60),
    d=st.integers(1, 6),
    share=st.floats(0.0, 1.0),
    alpha=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    seed=st.integers(0, 1000),
)
def test_the_matrix_is_that_of_the_formulas(n, d, share, alpha, seed):
    Z = np.random.default_rng(seed).normal(size=(n, d))
    k = 1 + round(share * (n - 2))
    A = operator(Z, k, alpha=alpha)
    expected = matrix(Z, k, alpha)
    np.testing.assert_allclose(np.asarray(A), expected, rtol=0, atol=1e-12)
    values = np.linalg.eigvalsh(expected)
    np.testing.assert_allclose(A.eigenvalues(), np.sort(np.abs(values))[::-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(A.trace(), values.sum(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(A.frobenius2(), (values**2).sum(), rtol=0, atol=1e-10)
    V = np.random.default_rng(seed).normal(size=(n, 3))
    np.testing.assert_allclose(A @ V, expected @ V, rtol=0, atol=1e-11)


def test_the_matrix_is_exactly_symmetric():
    A = np.asarray(operator(rng.normal(size=(300, 4))))
    np.testing.assert_array_equal(A, A.T)


@pytest.mark.parametrize("count", [1, 3])
def test_cliques_have_the_spectrum_of_a_constant_weight(count):
    size, w = 8, np.exp(-1.0)
    A = operator(cliques(count, size), size - 1)
    within = (1.0 - w) / (1.0 + (size - 1) * w)
    expected = np.repeat([1.0, within], [count, count * (size - 1)])
    np.testing.assert_allclose(A.eigenvalues(), expected, rtol=0, atol=1e-12)
    S = eg.dse(cliques(count, size), kernel="knn", n_neighbors=size - 1)
    np.testing.assert_allclose(S, eg.spectral_entropy(expected), rtol=1e-12)
    np.testing.assert_allclose(S.at(1e4), np.log2(count), rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(
    scale=st.floats(1e-100, 1e100),
    d=st.integers(1, 5),
    seed=st.integers(0, 1000),
    t=st.sampled_from([1.0, 3.0, 100.0]),
)
def test_scale_rotation_and_order_of_the_rows_change_nothing(scale, d, seed, t):
    random = np.random.default_rng(seed)
    Z = random.normal(size=(80, d))
    S = eg.dse(Z, kernel="knn", t=t)
    Q = np.linalg.qr(random.normal(size=(d, d)))[0]
    for other in (scale * Z, Z @ Q, Z[random.permutation(80)], Z + 3.0):
        np.testing.assert_allclose(eg.dse(other, kernel="knn", t=t), S, rtol=1e-9)


def test_late_diffusion_counts_the_blobs():
    Z, _ = blobs(0)
    np.testing.assert_allclose(eg.dse(Z, kernel="knn", t=1e4), np.log2(5), rtol=1e-6)


@pytest.mark.parametrize("k", [5, 15, 30])
@pytest.mark.parametrize("seed", range(3))
def test_five_unequal_blobs_count_as_five(seed, k):
    A = operator(blobs(seed)[0], k)
    assert [A.count(t=t) for t in (100, 500)] == [5, 5]


def test_a_count_is_that_of_the_eigenvalues():
    Z = rng.normal(size=(300, 3))
    for options in ({}, {"kernel": "knn"}, {"kernel": "knn", "n_neighbors": 4}):
        values = eg.DiffusionOperator(Z, **options).eigenvalues()
        for threshold, t in ((0.5, 1.0), (0.1, 3.0), (0.9, 0.5)):
            expected = int((values**t > threshold).sum())
            assert eg.DiffusionOperator(Z, **options).count(threshold, t) == expected
            assert eg.dse(Z, method="exact", **options).count(threshold, t) == expected


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("connected", [True, False])
def test_lanczos_counts_what_all_eigenvalues_do(seed, connected):
    if connected:
        Z = np.random.default_rng(seed).normal(size=(900, 2))
    else:
        Z, _ = blobs(seed, (40, 200, 400), (1.0, 1.0, 1.0), 3)
    A = operator(Z, seed=seed)
    values = A.eigenvalues()
    for threshold, t in ((0.5, 4.0), (0.5, 20.0), (0.9, 30.0), (0.5, 1e4)):
        expected = int((values**t > threshold).sum())
        level = threshold ** (1.0 / t)
        assert A.samples.device.count_above(A.rows, A.alpha, level, None) == expected


def test_equal_components_are_counted_one_by_one():
    Z = cliques(70, 8)
    A = operator(Z, 7)
    assert A.samples.device.count_above(A.rows, A.alpha, 0.5, None) == 70


def test_a_count_too_large_for_lanczos_is_refused():
    A = operator(rng.normal(size=(800, 20)))
    with pytest.raises(ValueError, match=naming("threshold", "t", 257, 800)):
        A.samples.device.count_above(A.rows, A.alpha, 0.02, None)


@pytest.mark.parametrize("t", [1.0, 3.0, 10.0])
@pytest.mark.parametrize("data", ["noise", "plane", "blobs"])
def test_an_estimate_agrees_with_all_eigenvalues(data, t):
    Z = {
        "noise": np.random.default_rng(1).normal(size=(700, 20)),
        "plane": np.random.default_rng(1).normal(size=(700, 2)),
        "blobs": blobs(1, (100, 200, 400), (1.0, 1.0, 1.0))[0],
    }[data]
    exact = float(eg.dse(Z, kernel="knn", t=t, method="exact"))
    for seed in range(3):
        S = eg.dse(Z, kernel="knn", t=t, method="stochastic", tol=0.02, seed=seed)
        assert S.method == "stochastic"
        assert abs(S - exact) <= 5.0 * S.standard_error
        assert 2.0 * S.standard_error <= 0.02 * max(S.value, 0.02)
        low, high = S.interval(0.9999)
        assert low <= exact <= high


def test_an_estimate_has_no_count_and_says_who_has():
    Z = rng.normal(size=(400, 5))
    with pytest.raises(ValueError, match=naming("count", "stochastic", "DiffusionOperator")):
        eg.dse(Z, kernel="knn", method="stochastic", tol=0.1).count()


def test_labels_of_blobs_have_their_information_late():
    Z, labels = blobs(2, (200, 200, 200), (0.3, 1.0, 2.0), 5)
    found = eg.dsmi(Z, labels, kernel="knn", t=1e4, n_null=20)
    np.testing.assert_allclose(found, np.log2(3), rtol=1e-6)
    np.testing.assert_allclose(found.adjusted(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.p_value, 1 / 21)
    np.testing.assert_allclose(found.conditional_entropy, 0.0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*a single row")
def test_groups_have_the_entropies_of_their_rows_alone():
    sizes = [60, 28, 2, 1]
    Z, labels = rng.normal(size=(91, 3)), np.repeat(range(4), sizes)
    found = eg.dsmi(Z, labels, kernel="knn", n_neighbors=12, estimator="plain", n_null=2)
    alone = [
        float(eg.dse(Z[labels == y], kernel="knn", n_neighbors=k))
        for y, k in ((0, 12), (1, 12), (2, 1))
    ]
    expected = np.array(sizes) @ [*alone, 0.0] / 91
    np.testing.assert_allclose(found.conditional_entropy, expected, rtol=1e-12)


def test_large_groups_are_estimated():
    Z, labels = rng.normal(size=(1000, 8)), np.arange(1000) % 2
    options = {"kernel": "knn", "n_null": 2, "t": 3.0}
    exact = eg.dsmi(Z, labels, method="exact", **options)
    estimate = eg.dsmi(Z, labels, method="stochastic", tol=1e-2, **options)
    assert estimate.method == "stochastic"
    error = abs(estimate.conditional_entropy - exact.conditional_entropy)
    assert error <= 1e-2 * exact.conditional_entropy


def test_equal_rows_are_joined_and_have_finite_weights():
    copies, alone = np.tile([[1.0, 2.0]], (20, 1)), [[1.0, 3.0]]
    for Z in (np.concatenate([copies, alone]), copies):  # the lone row is joined, too
        A = operator(Z, 5)
        with pytest.warns(UserWarning, match=naming("Z", 20, "n_neighbors", 5, "copies")):
            assert np.isfinite(np.asarray(A)).all()
        np.testing.assert_allclose(A.entropy(1e5), 0.0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*copies")
def test_copies_of_far_rows_stay_apart():
    Z = np.repeat(np.eye(4), 10, axis=0)
    np.testing.assert_allclose(eg.dse(Z, kernel="knn", n_neighbors=5, t=1e5), 2.0, rtol=1e-9)


@pytest.mark.parametrize("n", [60, 530])
def test_a_diffusion_map_is_of_the_eigenvectors(n):
    Z = np.random.default_rng(3).normal(size=(n, 2)) * [3.0, 1.0]
    t, A = 2.0, operator(Z, 10)
    coordinates = A.diffusion_map(3, t)
    expected = matrix(Z, 10, 0.5)
    W = weights(Z, 10)
    degrees = (W / np.outer(W.sum(axis=1), W.sum(axis=1)) ** 0.5).sum(axis=1)
    values, vectors = np.linalg.eigh(expected)
    values, vectors = values[-2:-5:-1], vectors[:, -2:-5:-1]
    psi = vectors * np.sqrt(degrees.sum() / degrees)[:, None]
    psi *= np.sign(psi[np.abs(psi).argmax(axis=0), np.arange(3)])
    np.testing.assert_allclose(coordinates, psi * values**t, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sizes", [(20, 30, 40), (200, 300, 400)])
def test_a_diffusion_map_tells_components_apart(sizes):
    Z, labels = blobs(4, sizes, (1.0, 1.0, 1.0), 5)
    places = operator(Z).diffusion_map(2, 10.0)
    for y in range(3):
        own, others = places[labels == y], places[labels != y]
        np.testing.assert_allclose(own, own[:1].repeat(len(own), axis=0), atol=1e-6)
        assert np.linalg.norm(others - own[0], axis=1).min() > 0.1


def test_products_take_no_matrix_of_all_pairs(monkeypatch):
    from eigentropy._support import memory

    monkeypatch.setattr(memory, "available", lambda: 50.0e6)  # the matrix would take 128 MB
    Z = rng.normal(size=(4000, 3))
    A = operator(Z)
    ones = np.ones(4000)
    assert np.isfinite(A @ ones).all()
    assert A.diffusion_map(1).shape == (4000, 1)
    with pytest.raises(MemoryError):
        A.eigenvalues()


def test_what_was_used_is_said():
    Z, labels = rng.normal(size=(60, 3)), np.arange(60) % 2
    S = eg.dse(Z, kernel="knn", n_neighbors=7)
    assert (S.n_neighbors, operator(Z, 7).n_neighbors) == (7, 7)
    assert "n_neighbors=7" in repr(S)
    assert np.isnan(S.sigma)
    assert eg.dsmi(Z, labels, kernel="knn").n_neighbors == 15
    assert eg.dse(Z).n_neighbors is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"n_neighbors": 30}, ["n_neighbors", 30, 31]),
        ({"n_neighbors": 0}, ["n_neighbors", 0]),
        ({"n_neighbors": -3}, ["n_neighbors", -3]),
        ({"sigma": 1.0}, ["sigma", 1.0, "n_neighbors"]),
        ({"sigma": "median"}, ["sigma", "n_neighbors"]),
        ({"device": "cuda"}, ["device", "cuda", "knn"]),
        ({"method": "lowrank"}, ["method", "lowrank", "knn"]),
        ({"dtype": "float16"}, ["dtype", "float16"]),
        ({"kernel": "nearest"}, ["kernel", "nearest", "knn"]),
        ({"kernel": "gaussian", "n_neighbors": 5}, ["n_neighbors", 5, "knn"]),
    ],
)
def test_a_wrong_option_is_refused(options, named):
    with pytest.raises(ValueError, match=naming(*named)):
        eg.dse(rng.normal(size=(30, 2)), **{"kernel": "knn", **options})


@pytest.mark.parametrize("n_neighbors", [2.5, "15", True])
def test_a_number_of_neighbours_is_an_integer(n_neighbors):
    with pytest.raises(TypeError, match=naming("n_neighbors")):
        eg.dse(rng.normal(size=(30, 2)), kernel="knn", n_neighbors=n_neighbors)


def test_missing_entries_are_refused():
    Z = rng.normal(size=(30, 2))
    Z[3, 1] = np.nan
    with pytest.raises(ValueError, match=naming("Z", "NaN")):
        eg.dse(Z, kernel="knn")


def test_results_show_and_keep_themselves():
    pytest.importorskip("matplotlib").use("Agg")
    Z, x = rng.normal(size=(400, 5)), np.linspace(0.0, 1.0, 401)
    for method in ("exact", "stochastic"):
        S = eg.dse(Z, kernel="knn", t=3.0, method=method, tol=0.05)
        assert "n_neighbors" in S._repr_html_()
        assert len(S.plot().get_lines()) >= 1
        kept = pickle.loads(pickle.dumps(S))
        assert (kept.value, kept.at(3.5).value) == (S.value, S.at(3.5).value)
        assert abs(S.density(x)[:-1].mean() - 1.0) < 0.01


@pytest.mark.parametrize(("threshold", "t"), [(0.0, 1.0), (1.0, 1.0), (1.5, 1.0), (0.5, 0.0)])
def test_a_wrong_threshold_is_refused(threshold, t):
    S = eg.dse(rng.normal(size=(30, 2)), kernel="knn")
    with pytest.raises(ValueError, match=naming("threshold" if t else "t")):
        S.count(threshold, t)


def test_the_density_matrix_has_no_such_kernel():
    with pytest.raises(ValueError, match=naming("kernel", "knn")):
        eg.kernel_entropy(rng.normal(size=(30, 2)), kernel="knn")


def test_an_operator_brings_its_neighbours():
    Z, labels = rng.normal(size=(80, 3)), np.arange(80) % 2
    by_operator = eg.dsmi(operator(Z, 7), labels, n_null=3)
    assert by_operator.value == eg.dsmi(Z, labels, kernel="knn", n_neighbors=7, n_null=3).value
    with pytest.raises(ValueError, match=naming("n_neighbors")):
        eg.dsmi(operator(Z, 7), labels, n_neighbors=7)


def test_scipy_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=naming("SciPy", "eigentropy[neighbours]")):
        knn_rows(rng.normal(size=(30, 2)), 5)
