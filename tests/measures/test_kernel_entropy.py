"""Entropies of the density matrix against NumPy, closed forms and the Vendi score of PyPI."""

from __future__ import annotations

import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy._kernels.density import DensityMatrix
from eigentropy._measures.kernel_entropy import kernel_entropies
from eigentropy._spectra import solve, stochastic
from eigentropy._spectra.functionals import Shannon, renyi
from eigentropy._spectra.plan import SpectrumPlan
from messages import naming

ORDERS = [0.3, 0.5, 1.0, 1.0001, 1.5, 2.0, 3.0, 10.0, math.inf]

pytestmark = pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")


@pytest.fixture
def Z(rng):
    return rng.normal(size=(160, 6))


def shares(Z, sigma):
    """The eigenvalues of G / n by NumPy."""
    squared = ((Z[:, None] - Z[None]) ** 2).sum(-1)
    return np.linalg.eigvalsh(np.exp(-squared / (2.0 * sigma**2)) / len(Z))


def renyi_bits(p, order):
    """By the definition, for numbers that add up to 1."""
    p = p[p > 0.0]
    if order == 1.0:
        return -float(p @ np.log2(p))
    if math.isinf(order):
        return -math.log2(p.max())
    if order == 1.0001:  # without the difference of nearly equal numbers
        return -math.log1p(float(p @ np.expm1((order - 1) * np.log(p)))) / (order - 1) / math.log(2)
    return math.log2((p**order).sum()) / (1.0 - order)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_that_of_the_eigenvalues_by_numpy(Z, order):
    for sigma in (0.5, 0.9):  # all eigenvalues are above rounding
        p = shares(Z, sigma)
        found = eg.kernel_entropy(Z, order=order, sigma=sigma)
        assert float(found) == pytest.approx(renyi_bits(p, order), abs=1e-10)
        assert (found.order, found.sigma, found.method) == (order, sigma, "exact")
        low, high = found.interval()
        assert low <= float(found) <= high
        assert high - low < 1e-10


@pytest.mark.parametrize("order", [order for order in ORDERS if order != 2.0])
def test_another_order_comes_from_the_same_eigenvalues(Z, order):
    found = eg.kernel_entropy(Z, sigma=0.8)
    other = found.at(order)
    assert float(other) == pytest.approx(float(eg.kernel_entropy(Z, sigma=0.8, order=order)))
    assert other.spectrum is found.spectrum
    assert other.order == order


def test_order_2_is_found_without_eigenvalues_and_says_so(Z):
    found = eg.kernel_entropy(Z, sigma=0.8, order=2.0)
    assert float(found) == pytest.approx(float(eg.kernel_entropy(Z, sigma=0.8).at(2)), abs=1e-12)
    assert found.eigenvalues is None
    assert float(found.at(2.0)) == float(found)
    for ask in (lambda: found.at(1.0), lambda: found.density(0.5)):
        with pytest.raises(ValueError, match=naming("order=2", "eigenvalues")):
            ask()


@given(seed=st.integers(0, 999), place=st.sampled_from([0.0, 1e3, 1e6]))
@settings(max_examples=20, deadline=None)
def test_the_interval_of_order_2_is_that_of_rounding(seed, place):
    """Of whole numbers all exponents are exact."""
    rng = np.random.default_rng(seed)
    Z = rng.integers(-4, 5, size=(60, 3)) + place
    squared = ((Z[:, None] - Z[None]) ** 2).sum(axis=-1)
    purity = math.fsum(math.exp(-r2 / 4.0) for r2 in squared.ravel()) / 60**2
    interval = eg.kernel_entropy(Z, sigma=2.0, order=2.0).interval()
    assert interval.low <= -math.log2(purity) <= interval.high
    assert 0.0 < interval.high - interval.low < 1e-7


def test_a_message_calls_an_order_an_order(Z):
    with pytest.raises(ValueError, match=naming("order=1")):
        eg.kernel_entropy(Z, sigma=0.8, order=2.0).at(1)
    rows = np.random.default_rng(0).normal(size=(400, 4))
    options = {"order": math.inf, "method": "stochastic", "tol": 6e-5}
    estimated = eg.kernel_entropy(rows, sigma=0.5, **options)
    with pytest.warns(eg.PrecisionWarning, match=naming("order=1")):
        estimated.at(1)


@pytest.mark.parametrize("order", ORDERS)
def test_far_clusters_of_equal_rows_count_by_their_shares(order):
    sizes = np.array([5, 10, 25, 60])
    Z = 100.0 * np.repeat(np.eye(4), sizes, axis=0)
    expected = renyi_bits(sizes / sizes.sum(), order)
    assert float(eg.kernel_entropy(Z, sigma=1.0, order=order)) == pytest.approx(expected, abs=1e-10)
    equal = 100.0 * np.repeat(np.eye(4), 20, axis=0)
    assert float(eg.kernel_entropy(equal, sigma=1.0, order=order)) == pytest.approx(2.0, abs=1e-10)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [1, 2, 50])
def test_equal_rows_have_no_entropy_and_far_rows_the_most(order, n):
    assert float(eg.kernel_entropy(np.full((n, 3), 7.0), order=order)) == pytest.approx(0, abs=1e-9)
    far = 1e3 * np.arange(float(n))[:, None]
    found = float(eg.kernel_entropy(far, sigma=1.0, order=order))
    assert found == pytest.approx(math.log2(n), abs=1e-10)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.0, math.inf])
def test_the_vendi_score_is_that_of_the_package_of_this_name(Z, order):
    vendi = pytest.importorskip("vendi_score.vendi", reason="vendi-score is not installed")
    kernel = np.exp(-((Z[:, None] - Z[None]) ** 2).sum(-1) / (2.0 * 0.8**2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SciPy
        expected = vendi.score_K(kernel, q="inf" if math.isinf(order) else order)
    for base in (2.0, math.e, 10.0):
        found = eg.kernel_entropy(Z, sigma=0.8, order=order, base=base)
        assert found.vendi == pytest.approx(float(expected), rel=1e-10)


@given(
    seed=st.integers(0, 999),
    scale=st.sampled_from([1e-300, 1e-8, 3.0, 1e300]),
    offset=st.sampled_from([0.0, 1e8]),
    order=st.sampled_from(ORDERS),
)
@settings(max_examples=25, deadline=None)
def test_order_rotation_place_and_scale_of_the_rows_do_not_matter(seed, scale, offset, order):
    rng = np.random.default_rng(seed)
    Z = rng.integers(-20, 20, size=(40, 3)) / 4.0  # exact with the offset, too
    expected = float(eg.kernel_entropy(Z, sigma=0.7, order=order))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    same = {"order": order, "sigma": 0.7}
    for rows in (rng.permutation(Z), Z @ rotation, Z + offset):
        assert float(eg.kernel_entropy(rows, **same)) == pytest.approx(expected, abs=1e-6)
    assert float(eg.kernel_entropy(Z + offset, **same)) == pytest.approx(expected, abs=1e-10)
    scaled = eg.kernel_entropy(scale * Z, order=order, sigma=0.7 * scale)
    assert float(scaled) == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 999), sigma=st.floats(0.2, 5.0))
@settings(max_examples=20, deadline=None)
def test_an_entropy_is_between_0_and_log_n_and_falls_with_the_order(seed, sigma):
    Z = np.random.default_rng(seed).normal(size=(30, 2))
    found = [float(eg.kernel_entropy(Z, sigma=sigma, order=order)) for order in ORDERS]
    assert found[-1] >= 0.0
    assert found[0] <= math.log2(30) + 1e-12
    assert (np.diff(found) <= 1e-9).all()


# ---- Estimates and bounds ----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning")
@pytest.mark.parametrize("order", [order for order in ORDERS if order != 2.0])  # is no estimate
def test_an_estimate_has_the_error_that_it_says(rng, order):
    Z = rng.normal(size=(400, 4))
    exact = eg.kernel_entropy(Z, sigma=0.6, order=order, method="exact")
    outside = 0
    for seed in range(12):
        options = {"method": "stochastic", "seed": seed, "tol": 3e-3}
        found = eg.kernel_entropy(Z, sigma=0.6, order=order, **options)
        assert found.method == "stochastic"
        assert abs(float(found) - float(exact)) <= 6e-3 * float(exact)
        low, high = found.interval(0.99)
        outside += not low <= float(exact) <= high
    assert outside <= 1


@pytest.mark.parametrize("order", [3.0, 10.0, 100.0, 1e4, math.inf])
@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_an_estimate_of_few_eigenvalues_knows_what_rounding_costs(rng, order, sigma):
    """Probes see them all: what is left is float32."""
    Z = rng.normal(size=(400, 3))
    options = {"sigma": sigma, "order": order}
    exact = float(eg.kernel_entropy(Z, method="exact", dtype="float64", **options))
    found = eg.kernel_entropy(Z, method="stochastic", **options)
    assert abs(float(found) - exact) <= 4.0 * found.standard_error
    assert found.standard_error < 1e-3


def test_an_estimate_near_order_1_is_that_of_order_1(rng):
    Z = rng.normal(size=(400, 4))
    options = {"sigma": 0.8, "method": "stochastic", "tol": 3e-3}
    expected = eg.kernel_entropy(Z, **options)
    for order in (1 - 1e-6, 1 - 1e-15, 1 + 1e-15, 1 + 1e-12, 1 + 1e-9, 1 + 1e-6):
        found = eg.kernel_entropy(Z, order=order, **options)
        assert float(found) == pytest.approx(float(expected), abs=1e-4)
        assert found.standard_error == pytest.approx(expected.standard_error, rel=0.5)


@pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning")
@pytest.mark.parametrize("order", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 5.0])
def test_an_estimate_of_a_small_order_is_a_number_whatever_the_kernel(rng, order, sigma):
    """Noise makes their traces negative."""
    found = eg.kernel_entropy(
        rng.normal(size=(300, 4)), sigma=sigma, order=order, method="stochastic"
    )
    assert 0.0 <= float(found) < 100.0
    assert math.isfinite(found.standard_error)


@pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sigma", [0.5, 1.5, 4.0])
def test_a_factor_of_low_rank_encloses_every_order(rng, order, sigma):
    Z = rng.normal(size=(300, 3))
    found = eg.kernel_entropy(Z, sigma=sigma, order=order, method="lowrank")
    exact = eg.kernel_entropy(Z, sigma=sigma, order=order, method="exact")
    low, high = exact.interval()
    assert float(found) - found.error_bound - 1e-9 <= high
    assert low <= float(found) + found.error_bound + 1e-9
    assert found.method == ("exact" if order == 2.0 else "lowrank")


@pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning")
@pytest.mark.parametrize("orders", [(3.0, 0.5), (0.5, 3.0), (3.0, 1.0, 0.7)])
def test_a_factor_of_low_rank_serves_the_order_that_takes_the_highest_rank(rng, orders):
    Z, plan = rng.normal(size=(600, 1)), SpectrumPlan("lowrank", 1e-3)
    together = kernel_entropies(DensityMatrix(Z, sigma=1.0), orders, 2.0, plan)
    for found in together:
        alone = kernel_entropies(DensityMatrix(Z, sigma=1.0), [found.order], 2.0, plan)[0]
        assert found.error_bound <= max(alone.error_bound, 1e-3 * float(found))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sigma", [0.4, 1.5, 6.0])
def test_float32_encloses_every_order(rng, order, sigma):
    Z = np.concatenate([rng.normal(size=(150, 4)), np.repeat(rng.normal(size=(10, 4)), 15, axis=0)])
    options = {"sigma": sigma, "order": order, "method": "exact"}
    found = eg.kernel_entropy(Z, dtype="float32", **options)
    low, high = eg.kernel_entropy(Z, dtype="float64", **options).interval()
    assert found.dtype == "float32"
    assert found.error_bound > 0.0
    assert low - found.error_bound <= float(found) <= high + found.error_bound
    if order >= 1.0:
        assert found.error_bound < 0.02


def test_auto_takes_float32_where_its_bound_is_within_tol(rng):
    Z = rng.normal(size=(1100, 3))
    for order in (1.0, 1.0001, 3.0, math.inf):
        found = eg.kernel_entropy(Z, sigma=0.8, order=order, tol=2e-3)
        exact = eg.kernel_entropy(Z, sigma=0.8, order=order, method="exact", dtype="float64")
        assert (found.method, found.dtype) == ("exact", "float32")
        assert abs(float(found) - float(exact)) <= found.error_bound <= 2e-3 * float(found)


def test_tol_is_held_by_every_method(rng):
    Z = separated_blobs(200, 4, k=4, distance=6.0)[0]
    exact = float(eg.kernel_entropy(Z, sigma=4.0, method="exact"))
    for method in ("auto", "stochastic", "lowrank"):
        for tol in (1e-2, 1e-3):
            found = eg.kernel_entropy(Z, sigma=4.0, method=method, tol=tol)
            assert abs(float(found) - exact) <= 1.5 * tol * exact


# ---- Results -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exact", "stochastic", "lowrank"])
@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
def test_results_survive_pickling(rng, method, order):
    found = eg.kernel_entropy(rng.normal(size=(300, 2)), sigma=1.0, order=order, method=method)
    kept = pickle.loads(pickle.dumps(found))
    assert (float(kept), repr(kept)) == (float(found), repr(found))
    assert kept.interval() == found.interval()
    if order != 2.0:
        assert float(kept.at(1.5)) == float(found.at(1.5))


def test_results_show_themselves(Z):
    found = eg.kernel_entropy(Z, sigma=0.8, order=1.5)
    for text in (repr(found), found._repr_html_()):
        assert "1.5" in text
        assert f"{float(found):.6g}" in text
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    for kind in ("spectrum", "entropy"):
        assert found.plot(kind) is not None
        matplotlib.pyplot.close("all")
    mass = found.density(np.linspace(0, 1, 4001)).sum() / 4000
    assert mass == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize("method", ["exact", "stochastic", "lowrank"])
@pytest.mark.parametrize("order", [1.0, 2.0])
def test_progress_reaches_1(rng, method, order):
    told = []
    Z = rng.normal(size=(300, 2))
    eg.kernel_entropy(Z, sigma=1.0, method=method, order=order, progress=told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_a_sample_of_the_rows_says_so(Z):
    found = eg.kernel_entropy(Z, sigma=0.8, max_points=50, seed=3)
    assert (found.n, found.sampled_from) == (50, 160)
    drawn = np.sort(np.random.default_rng(3).permutation(160)[:50])
    assert float(found) == pytest.approx(float(eg.kernel_entropy(Z[drawn], sigma=0.8)))


# ---- Bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, -1, -math.inf, math.nan])
def test_an_order_that_is_not_above_0_is_refused(Z, order):
    for ask in (lambda: eg.kernel_entropy(Z, order=order), lambda: eg.kernel_entropy(Z).at(order)):
        with pytest.raises(ValueError, match=naming("order")):
            ask()


@pytest.mark.parametrize("order", ["2", None, 1j])
def test_an_order_that_is_no_number_is_refused(Z, order):
    with pytest.raises(TypeError, match=naming("order")):
        eg.kernel_entropy(Z, order=order)


def test_a_sigma_that_says_nothing_is_warned_of(Z):
    for sigma in (1e-300, 1e-3, 1e3, 1e300):
        for order in (1.0, 2.0, math.inf):
            with pytest.warns(eg.SaturationWarning, match=naming("sigma")):
                eg.kernel_entropy(Z, sigma=sigma, order=order)


def test_a_matrix_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    Z = np.arange(100_000.0)[:, None]
    monkeypatch.setattr("eigentropy._support.memory.available", lambda: 2.0**30)
    with pytest.raises(MemoryError, match=naming("100000 x 100000", "method='stochastic'")):
        eg.kernel_entropy(Z, sigma=1.0, method="exact")


def test_a_density_matrix_has_no_eigenvector_that_is_known():
    matrix = DensityMatrix(np.random.default_rng(0).normal(size=(300, 2)), sigma=1.0)
    A = matrix.products("float64", False, None)
    spectrum = stochastic.estimate_spectrum(
        A, [Shannon()], 1e-2, dtype="float64", has_unit_eigenvalue=False
    )
    assert spectrum.weights.sum() == pytest.approx(300, rel=0.05)
    exact = solve.solve(matrix, [renyi(1.0)], SpectrumPlan("exact"))
    assert spectrum.entropy(1.0) == pytest.approx(exact.entropy(1.0), rel=0.02)


def test_a_printed_bound_is_not_below_the_bound():
    Z = np.random.default_rng(0).normal(size=(200, 6))
    with pytest.warns(eg.PrecisionWarning):
        found = eg.kernel_entropy(Z, method="lowrank", order=math.inf)
    printed = float(repr(found).split("within ")[1].split(",")[0])
    assert printed >= found.error_bound


def test_order_2_names_the_order_that_it_does_not_know():
    with pytest.raises(ValueError, match=naming("order=1")):
        eg.kernel_entropy(np.eye(5), order=2).at(1)
