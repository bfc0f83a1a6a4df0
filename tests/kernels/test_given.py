"""kernel="precomputed" and kernel="distances": the same numbers, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from device_arrays import Foreign
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import RULES, resolve_sigma
from eigentropy._kernels.given import given_rows
from messages import names, naming

SIGMA = 1.4
SEEDS = st.integers(0, 2**32 - 1)

MEASURES = {
    "dse": lambda Z, **o: eg.dse(Z, **o),
    "dse t=3": lambda Z, **o: eg.dse(Z, t=3.0, **o),
    "dse alpha=0": lambda Z, **o: eg.dse(Z, alpha=0.0, **o),
    "dse alpha=1": lambda Z, **o: eg.dse(Z, alpha=1.0, **o),
    "dsmi": lambda Z, **o: eg.dsmi(Z, labels_of(Z), n_null=3, **o),
    "dsmi plain": lambda Z, **o: eg.dsmi(Z, labels_of(Z), estimator="plain", n_null=0, **o),
    "operator": lambda Z, **o: eg.DiffusionOperator(Z, **o).entropy(2.0),
    "kernel_entropy": lambda Z, **o: eg.kernel_entropy(Z, **o),
    "kernel_entropy order=2": lambda Z, **o: eg.kernel_entropy(Z, order=2.0, **o),
    "kernel_entropy order=inf": lambda Z, **o: eg.kernel_entropy(Z, order=math.inf, **o),
    "kernel_information": lambda Z, **o: eg.kernel_information(Z, labels_of(Z), n_null=3, **o),
    "of scalars": lambda Z, **o: eg.kernel_information(Z, scalars_of(Z), n_null=3, **o),
    "given labels": lambda Z, **o: eg.kernel_information(
        Z, scalars_of(Z), given=labels_of(Z), n_null=3, **o
    ),
}


def labels_of(Z):
    return np.arange(len(Z)) % 3


def scalars_of(Z):
    return np.sin(np.arange(len(Z)))


def clusters(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + 4.0 * np.eye(3, d)[np.arange(n) % 3]


def distances_of(Z):
    return np.sqrt(((Z[:, None] - Z[None]) ** 2).sum(axis=-1))


def kernel_of(Z, sigma=SIGMA):
    return np.exp(-0.5 * (distances_of(Z) / sigma) ** 2)


@pytest.fixture(scope="module")
def Z():
    return clusters(150, 5)


# The same numbers as from the rows.


@pytest.mark.parametrize("name", MEASURES)
def test_a_gaussian_kernel_that_is_given_and_its_distances_are_the_rows(Z, name):
    expected = MEASURES[name](Z, sigma=SIGMA)
    by_kernel = MEASURES[name](kernel_of(Z), kernel="precomputed")
    by_distances = MEASURES[name](distances_of(Z), kernel="distances", sigma=SIGMA)
    for found in (by_kernel, by_distances):
        assert float(found) == pytest.approx(float(expected), abs=1e-10)
        assert found.method == expected.method
        assert found.n == 150
    assert math.isnan(by_kernel.sigma)
    assert by_distances.sigma == SIGMA


@pytest.mark.parametrize("name", ["dsmi", "kernel_information"])
def test_an_information_has_its_error_p_value_and_scale(Z, name):
    expected = MEASURES[name](Z, sigma=SIGMA)
    for found in (
        MEASURES[name](kernel_of(Z), kernel="precomputed"),
        MEASURES[name](distances_of(Z), kernel="distances", sigma=SIGMA),
    ):
        assert found.p_value == expected.p_value
        assert found.standard_error == pytest.approx(expected.standard_error, abs=1e-10)
        assert found.adjusted() == pytest.approx(expected.adjusted(), abs=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_rules_for_sigma_take_distances(Z, rule):
    given = given_rows(distances_of(Z), "distances")
    if rule == "sqrt-d":
        with pytest.raises(ValueError, match=naming("'sqrt-d'", "'distances'", "'auto'")):
            resolve_sigma(rule, given, 0)
    else:
        assert resolve_sigma(rule, given, 0) == pytest.approx(resolve_sigma(rule, Rows(Z), 0))


@pytest.mark.parametrize("rule", ["auto", "knn", "max-slope"])
@pytest.mark.parametrize("of", ["sampled", "mostly equal", "all equal", "one"])
def test_rules_for_sigma_take_odd_distances(rule, of):
    Z = {
        "sampled": clusters(2100, 2),
        "mostly equal": np.repeat(clusters(4, 2), [90, 3, 2, 1], axis=0),
        "all equal": np.ones((30, 2)),
        "one": np.ones((1, 2)),
    }[of]
    found = resolve_sigma(rule, given_rows(distances_of(Z), "distances"), 0)
    assert found == pytest.approx(resolve_sigma(rule, Rows(Z), 0), rel=1e-9)


def test_the_default_sigma_is_found_from_the_distances(Z):
    assert float(eg.dse(distances_of(Z), kernel="distances")) == pytest.approx(float(eg.dse(Z)))


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 40), scale=st.floats(1e-12, 1e12))
def test_neither_order_nor_scale_of_a_kernel_matters(seed, n, scale):
    rng = np.random.default_rng(seed)
    K, order = kernel_of(rng.normal(size=(n, 3))), rng.permutation(n)
    other = scale * K[np.ix_(order, order)]
    for measure in (eg.dse, eg.kernel_entropy):
        first, second = (float(measure(G, kernel="precomputed")) for G in (K, other))
        assert first == pytest.approx(second, abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 40), t=st.floats(0.5, 5.0), alpha=st.floats(0.0, 1.0))
def test_weights_that_are_no_positive_matrix_count_by_magnitude(seed, n, t, alpha):
    """A graph: its diffusion matrix has eigenvalues from -1 to 1."""
    W = np.random.default_rng(seed).random((n, n)) ** 8
    W += W.T
    W[np.diag_indices(n)] = 0.0
    q = W.sum(axis=1)
    K = W / np.outer(q, q) ** alpha
    d = K.sum(axis=1)
    eigenvalues = np.linalg.eigvalsh(K / np.sqrt(np.outer(d, d)))
    found = eg.dse(W, kernel="precomputed", t=t, alpha=alpha)
    assert float(found) == pytest.approx(eg.spectral_entropy(eigenvalues, t), abs=1e-8)
    assert found.eigenvalues == pytest.approx(np.sort(abs(eigenvalues))[::-1], abs=1e-12)


def test_cosines_have_an_entropy_though_some_are_negative():
    X = np.random.default_rng(0).normal(size=(60, 20))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    K = X @ X.T
    eigenvalues = np.linalg.eigvalsh(K / 60)
    found = eg.kernel_entropy(K, kernel="precomputed")
    assert float(found) == pytest.approx(eg.spectral_entropy(eigenvalues), abs=1e-9)


def test_the_operator_has_its_matrix_its_products_and_its_map(Z):
    rows = eg.DiffusionOperator(Z, sigma=SIGMA)
    expected = eg.dsmi(rows, labels_of(Z), n_null=2)
    for own in (
        eg.DiffusionOperator(kernel_of(Z), kernel="precomputed"),
        eg.DiffusionOperator(distances_of(Z), kernel="distances", sigma=SIGMA),
    ):
        assert np.asarray(own) == pytest.approx(np.asarray(rows), abs=1e-12)
        assert own.trace() == pytest.approx(rows.trace())
        assert own.frobenius2() == pytest.approx(rows.frobenius2())
        assert own @ Z == pytest.approx(rows @ Z, abs=1e-12)
        assert own.diffusion_map(3) == pytest.approx(rows.diffusion_map(3), abs=1e-9)
        assert own.eigenvalues() == pytest.approx(rows.eigenvalues(), abs=1e-12)
        assert float(eg.dsmi(own, labels_of(Z), n_null=2)) == pytest.approx(
            float(expected), abs=1e-10
        )
        assert names(repr(own), f"kernel='{own.samples.holds}'")
        assert names(own._repr_html_(), "150", "alpha")


def test_a_result_without_a_sigma_shows_none(Z):
    for found in (eg.dse, eg.kernel_entropy):
        shown = found(kernel_of(Z), kernel="precomputed")
        assert not names(repr(shown), "sigma")
        assert not names(shown._repr_html_(), "sigma")
        assert names(repr(found(Z)), "sigma")


@pytest.mark.parametrize("method", ["exact", "stochastic"])
def test_surprisals_are_those_of_the_rows(method):
    Z = clusters(300, 5)
    expected = eg.kernel_entropy(Z, sigma=SIGMA).surprisals("exact").values
    for found in (
        eg.kernel_entropy(kernel_of(Z), kernel="precomputed").surprisals(method),
        eg.kernel_entropy(distances_of(Z), kernel="distances", sigma=SIGMA).surprisals(method),
    ):
        error = abs(found.values - expected)
        assert (error <= 5.0 * found.standard_errors + 1e-10).all()


@pytest.mark.parametrize("measure", [eg.dse, eg.kernel_entropy])
def test_a_large_matrix_is_solved_in_single_precision_within_tol(measure):
    D = distances_of(clusters(1100, 2))
    found = measure(D, kernel="distances")
    exact = measure(D, kernel="distances", method="exact")
    assert found.dtype == "float32"
    assert exact.dtype == "float64"
    assert abs(float(found) - float(exact)) <= found.error_bound < 1e-3 * float(exact)


@pytest.mark.parametrize("measure", [eg.dse, eg.kernel_entropy])
def test_max_points_takes_rows_and_columns_alike(Z, measure):
    expected = measure(Z, sigma=SIGMA, max_points=40, seed=5)
    found = measure(kernel_of(Z), kernel="precomputed", max_points=40, seed=5)
    assert found.sampled_from == 150
    assert float(found) == pytest.approx(float(expected), abs=1e-10)


def test_max_points_takes_the_labels_along(Z):
    options = {"n_null": 2, "max_points": 60, "seed": 5}
    found = eg.dsmi(kernel_of(Z), labels_of(Z), kernel="precomputed", **options)
    expected = eg.dsmi(Z, labels_of(Z), sigma=SIGMA, **options)
    assert float(found) == pytest.approx(float(expected), abs=1e-10)
    assert np.array_equal(found.rows, expected.rows)


# In any form.


def sparse(K):
    return pytest.importorskip("scipy.sparse").csr_matrix(np.where(K < 1e-3, 0.0, K))


FORMS = {
    "sparse": (sparse, 0.2),
    "float32": (lambda K: K.astype(np.float32), 1e-5),
    "column-major": (np.asfortranarray, 1e-12),
    "list": (lambda K: K.tolist(), 1e-12),
    "torch": (lambda K: pytest.importorskip("torch").from_numpy(K), 1e-12),
    "pandas": (lambda K: pytest.importorskip("pandas").DataFrame(K), 1e-12),
    "last bits": (lambda K: K + np.triu(1e-12 * K, 1), 1e-9),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_kernel_comes_in_any_form(Z, form):
    make, error = FORMS[form]
    for options in ({}, {"max_points": 50}):
        found = eg.dse(make(kernel_of(Z)), kernel="precomputed", **options)
        expected = eg.dse(kernel_of(Z), kernel="precomputed", **options)
        assert float(found) == pytest.approx(float(expected), abs=error)


def test_integers_are_weights_and_distances():
    W = np.array([[0, 1, 0], [1, 0, 2], [0, 2, 5]])
    expected = eg.dse(W.astype(float), kernel="precomputed")
    assert float(eg.dse(W, kernel="precomputed")) == float(expected)
    D = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    found = eg.kernel_entropy(D, kernel="distances", sigma=1)
    assert float(found) == pytest.approx(float(eg.kernel_entropy([[0.0], [1.0]], sigma=1)))


@pytest.mark.parametrize("measure", [eg.dse, eg.kernel_entropy])
def test_one_row_has_entropy_0(measure):
    assert float(measure([[2.0]], kernel="precomputed")) == 0.0
    with pytest.warns(eg.SaturationWarning):
        assert float(measure([[0.0]], kernel="distances")) == 0.0


# What is refused.

K = kernel_of(clusters(6, 2))
GRAPH = np.ones((6, 6)) - np.eye(6)
INDEFINITE = np.eye(6) + 0.9 * (np.eye(6, k=1) + np.eye(6, k=-1))


def changed(matrix, place, value):
    matrix = np.array(matrix)
    matrix[place] = value
    return matrix


def isolated():
    return changed(changed(GRAPH, (2, slice(None)), 0.0), (slice(None), 2), 0.0)


UNEVEN = changed(K, np.diag_indices(6), np.arange(1.0, 7.0))

both = pytest.mark.parametrize("kernel", ["precomputed", "distances"])


@both
@pytest.mark.parametrize("measure", [eg.dse, eg.kernel_entropy, eg.DiffusionOperator])
@pytest.mark.parametrize(
    ("Z", "named"),
    [
        (K[:, :4], ["(6, 4)", "(n, n)"]),
        (np.ones(15), ["(15,)", "squareform"]),
        (np.ones((2, 3, 3)), ["(2, 3, 3)", "(n, n)"]),
        (changed(GRAPH, (0, 1), 1.5), ["symmetric", 0.5, 0.333]),
        (changed(GRAPH, (1, 1), np.nan), ["NaN", "row 1"]),
        (changed(GRAPH, (1, 1), np.inf), ["infinity", "row 1"]),
        (np.empty((0, 0)), ["empty"]),
    ],
)
def test_what_is_no_finite_symmetric_matrix_is_refused(kernel, measure, Z, named):
    with pytest.raises(ValueError, match=naming("Z", *named)):
        measure(Z, kernel=kernel)


@pytest.mark.parametrize("Z", [K[:, :4], np.ones(15)])
def test_a_matrix_that_is_not_square_is_refused_before_its_columns_are_drawn(Z):
    with pytest.raises(ValueError, match=naming("Z", str(Z.shape), "'precomputed'")):
        eg.dse(Z, kernel="precomputed", max_points=3)


@pytest.mark.parametrize(
    ("Z", "measure", "options", "named"),
    [
        (UNEVEN, "kernel_entropy", {}, ["diagonal", 1, 6]),
        (GRAPH, "kernel_entropy", {}, ["diagonal", 0]),
        (INDEFINITE, "kernel_entropy", {}, ["positive semidefinite", -0.622, 2.62]),
        (INDEFINITE, "kernel_entropy", {"order": 2.0}, ["positive semidefinite", -0.622, 2.62]),
        (-INDEFINITE, "dse", {}, ["negative", -1, "kernel_entropy"]),
        (isolated(), "dse", {}, ["row 2", 0, "diagonal"]),
        (np.zeros((6, 6)), "dse", {}, ["row 0", 0]),
        (np.diag([1.0, 1e200, 1.0]), "dse", {"alpha": 2.0}, ["'precomputed'", "Z", "alpha=2"]),
        (K, "dse", {"sigma": 1.0}, ["sigma", 1.0, "'precomputed'", "'distances'"]),
        (K, "dse", {"sigma": "knn"}, ["sigma", "'knn'", "'precomputed'"]),
        (K, "dse", {"method": "stochastic"}, ["'stochastic'", "'precomputed'", "'exact'"]),
        (K, "kernel_entropy", {"method": "lowrank"}, ["'lowrank'", "'precomputed'", "'exact'"]),
        (K, "dse", {"device": "cuda"}, ["'cuda'", "'precomputed'", "CPU"]),
    ],
)
def test_a_kernel_that_cannot_be_used_is_named(Z, measure, options, named):
    with pytest.raises(ValueError, match=naming(*named)):
        getattr(eg, measure)(Z, kernel="precomputed", **options)


def test_a_row_without_weights_in_its_group_is_named():
    ring = np.eye(6, k=1) + np.eye(6, k=-1)
    with pytest.raises(ValueError, match=naming("row", 0, "group", "diagonal")):
        eg.dsmi(ring, [0, 1, 0, 1, 0, 1], kernel="precomputed")


@pytest.mark.parametrize(
    ("Z", "named"),
    [(-GRAPH, ["negative", -1, "'precomputed'"]), (K, ["diagonal", 1, "'precomputed'"])],
)
@pytest.mark.parametrize("measure", [eg.dse, eg.kernel_entropy])
def test_distances_that_cannot_be_such_are_named(Z, named, measure):
    with pytest.raises(ValueError, match=naming("'distances'", *named)):
        measure(Z, kernel="distances")


def test_distances_of_which_the_kernel_is_not_positive_are_refused_for_a_density():
    """The four-cycle's shortest paths lie in no Euclidean space."""
    D = np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
    assert float(eg.dse(D, kernel="distances", sigma=3.0)) > 0.0
    with pytest.raises(ValueError, match=naming("positive semidefinite", "smallest")):
        eg.kernel_entropy(D, kernel="distances", sigma=3.0)
    with pytest.raises(ValueError, match=naming("positive semidefinite")):
        eg.kernel_information(
            np.kron(np.ones((2, 2)), D), np.arange(8) // 4, kernel="distances", sigma=3.0
        )


@both
@pytest.mark.parametrize("options", [{}, {"max_points": 2}])
def test_a_matrix_on_a_gpu_is_refused(kernel, options):
    with pytest.raises(ValueError, match=naming("Z", "GPU", "Z.cpu()")):
        eg.dse(Foreign(np.ones((6, 6))), kernel=kernel, **options)


@pytest.mark.parametrize("kernel", ["cosine", K, ["distances"], None])
@pytest.mark.parametrize(
    "call",
    [
        eg.dse,
        eg.DiffusionOperator,
        eg.bandwidth,
        eg.kernel_entropy,
        lambda Z, kernel: eg.dsmi(Z, [0, 1, 1], kernel=kernel),
        lambda Z, kernel: eg.kernel_information(Z, [0, 1, 1], kernel=kernel, max_points=2),
    ],
)
def test_a_kernel_that_does_not_exist_is_named(call, kernel):
    with pytest.raises(ValueError, match=naming("kernel", "'distances'")):
        call(np.eye(3), kernel=kernel)


@both
@pytest.mark.parametrize("measure", ["dse", "dsmi", "kernel_entropy", "of scalars"])
def test_progress_ends_at_1(Z, kernel, measure):
    told = []
    given_matrix = kernel_of(Z) if kernel == "precomputed" else distances_of(Z)
    MEASURES[measure](given_matrix, kernel=kernel, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_widths_far_from_the_distances_are_warned_about(Z):
    for sigma in (1e-200, 1e200):
        with pytest.warns(eg.SaturationWarning, match=naming(f"sigma={sigma:.4g}")):
            eg.dse(1e150 * distances_of(Z), kernel="distances", sigma=sigma)


def test_text_is_no_kernel():
    with pytest.raises(TypeError, match=naming("Z")):
        eg.dse(np.full((3, 3), "a"), kernel="precomputed")
