"""The diffusion map as a transformer: scikit-learn's own checks, and what the extension must be."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn 1.6 is not installed")
pytest.importorskip("pandas", reason="set_output makes tables of pandas")

import pandas as pd
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import eigentropy as eg
from eigentropy import _core
from eigentropy._kernels import extension
from eigentropy.sklearn import DiffusionMap
from messages import names, naming

CHECKED = [
    DiffusionMap(),
    DiffusionMap(n_components=1, t=3, alpha=1.0, sigma="knn", max_points=15),
    DiffusionMap(dtype="float32", sigma=2.0),
]


@parametrize_with_checks(CHECKED)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def X(rng):
    return rng.normal(size=(60, 4)) + 3.0 * np.eye(4)[np.arange(60) % 3]


def kernels(X):
    """The same diffusion by each kernel: what `fit` is told, and what rows are told of others."""
    sigma = eg.bandwidth(X)
    return {
        "gaussian": lambda A, B: A,
        "distances": cdist,
        "precomputed": lambda A, B: np.exp(-0.5 * (cdist(A, B) / sigma) ** 2),
    }


def oracle(X, new, k, t, sigma, alpha):
    """Nystroem's formula in plain NumPy, from the definition of P; columns up to their signs."""
    G = np.exp(-0.5 * (cdist(X, X) / sigma) ** 2)
    q = G.sum(axis=1)
    K = G / np.outer(q, q) ** alpha
    d = K.sum(axis=1)
    values, v = np.linalg.eigh(K / np.sqrt(np.outer(d, d)))
    values, psi = values[-2 : -k - 2 : -1], (v / np.sqrt(d / d.sum())[:, None])[:, -2 : -k - 2 : -1]
    g = np.exp(-0.5 * (cdist(new, X) / sigma) ** 2)
    row = g / np.outer(g.sum(axis=1), q) ** alpha
    return (row / row.sum(axis=1, keepdims=True)) @ psi * values ** (t - 1.0)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("t", [0.5, 1.0, 4.0])
def test_new_rows_are_where_the_formula_puts_them(rng, X, alpha, t):
    new = X[:10] + 0.3 * rng.normal(size=(10, 4))
    fitted = DiffusionMap(3, alpha=alpha, t=t, sigma=2.0).fit(X)
    expected = oracle(X, new, 3, t, 2.0, alpha)
    found = fitted.transform(new)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-7, atol=1e-9)
    together = np.sign(found * expected)
    assert (together == together[0]).all()  # one sign for each column


@given(
    n=st.integers(3, 40),
    d=st.integers(1, 5),
    alpha=st.floats(0.0, 2.0),
    t=st.floats(0.5, 20.0),
    scale=st.floats(-100.0, 100.0),
    seed=st.integers(0, 9),
)
def test_the_fitted_rows_are_fixed_points(n, d, alpha, t, scale, seed):
    rng = np.random.default_rng(seed)
    X = 10.0**scale * (1.0 + rng.normal(size=(n, d)))
    fitted = DiffusionMap(min(3, n - 1), alpha=alpha, t=t)
    own = fitted.fit_transform(X)
    np.testing.assert_allclose(fitted.transform(X), own, rtol=1e-6, atol=1e-6)
    operator = eg.DiffusionOperator(X, alpha=alpha)
    np.testing.assert_array_equal(own, operator.diffusion_map(min(3, n - 1), t))


@pytest.mark.parametrize("kernel", ["gaussian", "distances", "precomputed"])
@pytest.mark.parametrize("max_points", [None, 40])
def test_a_kernel_of_the_callers_gives_the_same_coordinates(rng, X, kernel, max_points):
    new = rng.normal(size=(7, 4))
    # A number, as the draw has another median distance than all rows.
    options = {} if kernel == "precomputed" else {"sigma": eg.bandwidth(X)}
    told = kernels(X)[kernel]
    rows = DiffusionMap(2, sigma=eg.bandwidth(X), max_points=max_points).fit(X)
    given_kernel = DiffusionMap(2, kernel=kernel, max_points=max_points, **options).fit(told(X, X))
    np.testing.assert_allclose(
        given_kernel.transform(told(new, X)), rows.transform(new), rtol=1e-6, atol=1e-9
    )


def test_a_draw_of_rows_is_fitted_and_all_others_extended(X):
    drawn = DiffusionMap(2, max_points=25, seed=3)
    found = drawn.fit_transform(X)
    assert found.shape == (60, 2)
    alone = DiffusionMap(2).fit(X[drawn.sample_indices_])
    assert len(drawn.sample_indices_) == 25
    np.testing.assert_allclose(found, alone.transform(X), rtol=1e-12)


@pytest.fixture
def entries(monkeypatch):
    """How many distances each call of the core returns."""
    plain, entries = _core.squared_distances_from, []

    def counted(*arguments):
        found = plain(*arguments)
        entries.append(found[0].size)
        return found

    monkeypatch.setattr(_core, "squared_distances_from", counted)
    return entries


def test_many_rows_are_placed_block_by_block(rng, X, monkeypatch, entries):
    fitted, new = DiffusionMap(2).fit(X), rng.normal(size=(500, 4))
    whole = fitted.transform(new)
    entries.clear()
    monkeypatch.setattr(extension, "ENTRIES_AT_A_TIME", 2**10)
    np.testing.assert_allclose(fitted.transform(new), whole, rtol=1e-9, atol=1e-12)
    assert max(entries) <= 2**10


def test_few_fitted_rows_make_no_large_blocks(rng, X, entries):
    assert DiffusionMap(2).fit(X[:10]).transform(rng.normal(size=(1000, 4))).shape == (1000, 2)
    assert max(entries) <= extension.ROWS_AT_A_TIME * (10 + extension.ROWS_AT_A_TIME)


def test_what_becomes_of_the_rows_after_the_fit_changes_nothing(X):
    fitted, new = DiffusionMap(2).fit(X), X[:5].copy()
    before = fitted.transform(new)
    X[:] = 0.0
    np.testing.assert_array_equal(fitted.transform(new), before)


def test_eigenvalues_and_width_are_those_of_the_operator(X):
    fitted = DiffusionMap(5).fit(X)
    np.testing.assert_allclose(
        fitted.eigenvalues_, eg.DiffusionOperator(X).eigenvalues()[1:6], rtol=1e-10
    )
    assert fitted.sigma_ == eg.bandwidth(X)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("t", [0.5, 1.0, 3.0])
def test_a_row_far_away_has_the_coordinates_of_the_nearest_over_the_eigenvalues(X, alpha, t):
    fitted = DiffusionMap(6, alpha=alpha, t=t).fit(X)
    new = np.array([[1e3, 0.0, 0.0, 0.0]])
    own = fitted.transform(X)[int(cdist(new, X).argmin())]
    assert fitted.eigenvalues_[-1] < 0.5  # so that dividing by them tells
    np.testing.assert_allclose(fitted.transform(new)[0], own / fitted.eigenvalues_, rtol=1e-6)


def test_a_row_too_far_for_squared_distances_is_placed_all_the_same(X):
    new = np.array([[1e150, 0.0, 0.0, 0.0]])
    assert np.isfinite(DiffusionMap(2, alpha=0.0).fit(X).transform(new)).all()


def test_new_rows_without_weight_are_refused_by_their_number(X):
    K = kernels(X)["precomputed"](X, X)
    fitted = DiffusionMap(kernel="precomputed").fit(K)
    new = K[:3].copy()
    new[1] = 0.0
    with pytest.raises(ValueError, match=naming("row 1", "X", "60")):
        fitted.transform(new)


def test_tables_have_names_and_pickles_the_same_coordinates(X):
    frame = pd.DataFrame(X, columns=list("abcd"))
    fitted = clone(DiffusionMap(2)).set_output(transform="pandas").fit(frame)
    names = ["diffusionmap0", "diffusionmap1"]
    assert fitted.transform(frame).columns.tolist() == names
    assert fitted.get_feature_names_out().tolist() == names
    assert fitted.feature_names_in_.tolist() == list("abcd")
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.transform(frame), fitted.transform(frame))


def test_a_search_over_a_pipeline_finds_the_time_that_separates(rng):
    angle = rng.uniform(0.0, 2.0 * np.pi, 240)
    y = np.arange(240) % 2
    rings = (1.0 + 2.0 * y)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    X = rings + 0.05 * rng.normal(size=rings.shape)
    pipeline = make_pipeline(DiffusionMap(2, sigma=0.3), LogisticRegression())
    search = GridSearchCV(pipeline, {"diffusionmap__sigma": [0.3, 30.0]}, cv=3).fit(X, y)
    assert search.best_params_ == {"diffusionmap__sigma": 0.3}
    assert search.best_score_ > 0.95
    assert cross_val_score(LogisticRegression(), X, y, cv=3).mean() < 0.7


def test_a_kernel_is_cut_in_rows_and_columns_by_cross_validation(X):
    y = np.arange(60) % 3
    K = kernels(X)["precomputed"](X, X)
    pipeline = make_pipeline(DiffusionMap(2, kernel="precomputed"), LogisticRegression())
    assert cross_val_score(pipeline, K, y, cv=3).mean() > 0.8


# Bad input.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_components": 60}, ["n_components=60", "n_samples=60"]),
        ({"n_components": 12, "max_points": 12}, ["n_components=12", "60", "max_points=12"]),
        ({"n_components": 0}, ["n_components", "0"]),
        ({"t": -1.0}, ["t", "-1.0"]),
        ({"alpha": -0.5}, ["alpha", "-0.5"]),
        ({"sigma": "wide"}, ["sigma", "wide", "knn"]),
        ({"kernel": "knn"}, ["kernel", "knn", "gaussian"]),
        ({"kernel": "precomputed"}, ["kernel", "(60, 4)"]),
        ({"max_points": 0}, ["max_points", "0"]),
        ({"dtype": "int8"}, ["dtype", "int8"]),
        ({"seed": -1}, ["seed", "-1"]),
    ],
)
def test_options_are_checked_in_fit_and_named(X, options, words):
    estimator = DiffusionMap(**options)
    for fit in (estimator.fit, estimator.fit_transform):
        with pytest.raises(ValueError, match=naming(*words)):
            fit(X)


def test_a_kernel_that_is_none_is_refused_as_X(X):
    K = kernels(X)["precomputed"](X, X)
    K[3, 1] += 1.0
    with pytest.raises(ValueError, match=naming("X", "precomputed")) as caught:
        DiffusionMap(2, kernel="precomputed").fit(K)
    assert not names(str(caught.value), "Z")


@pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_sparse_rows_are_refused_with_what_to_do(X, make):
    with pytest.raises(TypeError, match=naming("Sparse", "dense")):
        DiffusionMap().fit(make(X))
    with pytest.raises(TypeError, match=naming("Sparse", "dense")):
        DiffusionMap().fit(X).transform(make(X))


def test_new_rows_have_as_many_features_and_a_fit_before(X):
    with pytest.raises(NotFittedError):
        DiffusionMap().transform(X)
    with pytest.raises(ValueError, match=naming("3", "4", "features")):
        DiffusionMap().fit(X).transform(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        DiffusionMap().fit(X).transform(np.full((2, 4), np.nan))
