"""What the kernel in 16 bits does to an estimate, and whether the rule for it knows."""

from __future__ import annotations

import numpy as np
import pytest

from data_sets import DATA_SETS
from eigentropy import DiffusionOperator, reference
from eigentropy._spectra import half_precision
from eigentropy._spectra.stochastic import estimate_spectrum

pytestmark = [
    pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning"),
    pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning"),
]

# For an estimate.
TOO_FEW_ROWS = ("gaussian-d1", "gaussian-d5000", "one-row", "two-rows")
TIMES = (0.5, 1.0, 2.0, 5.0)
TOL = 1e-3


def in_float16(G):
    return G.astype(np.float16).astype(np.float64)


def in_roots(G):
    return (np.floor(np.sqrt(G) * 65535.0 + 0.5) / 65535.0) ** 2


# What rounds on a GPU and on the host, and the noise that is expected of it.
ROUNDINGS = [
    pytest.param(in_float16, half_precision.noise, id="float16"),
    pytest.param(in_roots, half_precision.noise_of_roots, id="roots"),
]


class Operator:
    """A of the exact kernel; its products are those of one that may be rounded."""

    def __init__(self, Z, sigma, rounding=None):
        G = np.exp(-reference.squared_distances(np.asarray(Z, np.float64)) / (2 * sigma**2))
        np.fill_diagonal(G, 1.0)
        q = G.sum(axis=1)
        self.degrees = (G / np.sqrt(np.outer(q, q))).sum(axis=1)
        self.scaling = 1.0 / np.sqrt(q * self.degrees)
        self.n, self.G, self.kernel_sum = len(G), G, float(G.sum())
        A = self.scaling[:, None] * G * self.scaling
        self.trace, self.frobenius2 = float(np.trace(A)), float((A**2).sum())
        if rounding is not None:
            self.G = rounding(G)

    def matmul(self, V, progress=None):
        scaled = self.G @ (self.scaling[:, None] * V)
        return (self.scaling[:, None] * scaled).astype(V.dtype)


def pair(Z, sigma, rounding=in_float16):
    """The operator in 16 bits, its estimate, and that of the exact one."""
    exact, rounded = (Operator(Z, sigma, how) for how in (None, rounding))
    return rounded, *(estimate_spectrum(A, [1.0], TOL, seed=1) for A in (rounded, exact))


def changes(found, expected, t):
    """Relative change of S(t), beside the least that is looked at."""
    wanted = expected.at(t).value
    return abs(found.at(t).value - wanted) / max(wanted, TOL)


@pytest.mark.parametrize(("rounding", "noise"), ROUNDINGS)
@pytest.mark.parametrize("sigma", [0.5, "auto", 30.0])
@pytest.mark.parametrize("name", [name for name in DATA_SETS if name not in TOO_FEW_ROWS])
def test_what_is_allowed_leaves_the_tolerance_of_every_data_set(rng, name, sigma, rounding, noise):
    Z = DATA_SETS[name](rng)[:900]
    A, found, expected = pair(Z, DiffusionOperator(Z, sigma=sigma).sigma, rounding)
    for t in TIMES:
        if half_precision.may_be_tried(A) and half_precision.is_good_enough(
            found, [t], noise(A), TOL
        ):
            assert changes(found, expected, t) < 0.1 * TOL


@pytest.mark.parametrize(("rounding", "noise"), ROUNDINGS)
@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_the_noise_is_the_size_of_what_rounding_adds(rng, sigma, rounding, noise):
    Z = rng.normal(size=(400, 10))
    A = Operator(Z, sigma)
    added = A.scaling[:, None] * (rounding(A.G) - A.G) * A.scaling
    size = np.linalg.norm(added) / np.sqrt(A.n)
    assert 0.7 < size / noise(A) < 1.25


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("outlier", [0.0, 50.0])
def test_the_noise_of_roots_has_a_bound_without_a_product(rng, sigma, outlier):
    Z = rng.normal(size=(400, 10))
    Z[0] += outlier
    A = Operator(Z, sigma)
    noise, most = half_precision.noise_of_roots(A), half_precision.most_noise_of_roots(A)
    assert noise <= most * (1.0 + 1e-6)
    if not outlier:
        assert most < 2.0 * noise


def test_roots_add_less_noise_where_entries_are_of_middle_size(rng):
    A = Operator(rng.normal(size=(400, 10)), 2.0)
    assert half_precision.noise_of_roots(A) < 0.3 * half_precision.noise(A)


def test_a_rough_kernel_is_allowed(rng):
    A, found, expected = pair(rng.normal(size=(500, 20)), 2.5)
    assert half_precision.may_be_tried(A)
    assert half_precision.is_good_enough(found, [1.0], half_precision.noise(A), TOL)
    assert changes(found, expected, 1.0) < 1e-5


def test_a_smooth_kernel_is_refused_and_rightly(rng):
    """Eigenvalues of 0 become those of a random matrix."""
    Z = pytest.importorskip("sklearn.datasets").make_swiss_roll(500, random_state=2)[0]
    A, found, expected = pair(Z, 10.0)
    assert changes(found, expected, 1.0) > TOL
    assert not half_precision.may_be_tried(A)
    assert not half_precision.is_good_enough(found, [1.0], half_precision.noise(A), TOL)
    assert found.blurred(1.0, half_precision.noise(A)) > changes(found, expected, 1.0)


def test_the_noise_is_that_of_rounding(rng):
    """The root mean square of the eigenvalues of what rounding adds to A."""
    exact = Operator(rng.normal(size=(400, 5)), 1.5)
    rounded = exact.G.astype(np.float16).astype(np.float64)
    E = exact.scaling[:, None] * (rounded - exact.G) * exact.scaling
    measured = np.sqrt((np.linalg.eigvalsh(E) ** 2).mean())
    assert half_precision.noise(exact) == pytest.approx(measured, rel=0.05)
    assert np.abs(np.linalg.eigvalsh(E)).max() == pytest.approx(2 * measured, rel=0.1)


def test_numbers_that_half_precision_cannot_have():
    """Of G below 2^-25 nothing is left, and below 2^-14 an error of 2^-25 at most."""
    G = np.geomspace(1e-12, 1.0, 100_001)
    error = np.abs(G.astype(np.float16).astype(np.float64) - G)
    assert (error <= np.maximum(half_precision.LARGEST_ERROR * G, 2.0**-25)).all()
    assert (G.astype(np.float16)[G < 2.0**-25] == 0).all()
    assert np.float16(1.0) == 1.0
    relative = (error / G)[G > 2.0**-14]
    assert np.sqrt((relative**2).mean()) == pytest.approx(half_precision.ROOT_MEAN_SQUARE, rel=0.01)


def test_no_noise_changes_nothing(rng):
    _, found, _ = pair(rng.normal(size=(300, 5)), 1.0)
    assert found.blurred(1.0, 0.0) == 0.0
    assert found.blurred(1.0, 1e-5) < found.blurred(1.0, 1e-4) < found.blurred(1.0, 1e-3)
