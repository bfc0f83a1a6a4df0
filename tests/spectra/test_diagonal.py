"""The diagonal of -A log A, from eigenvectors and from random vectors."""

import math

import numpy as np
import pytest

from eigentropy import _core
from eigentropy._kernels.density import DensityMatrix
from eigentropy._spectra.diagonal import estimated_diagonal, exact_diagonal

SETS = {
    "flat": lambda rng: rng.normal(size=(600, 20)),
    "smooth": lambda rng: rng.normal(size=(600, 2)),
    "clusters": lambda rng: rng.normal(size=(600, 8)) + 12 * np.eye(8)[rng.integers(0, 4, 600)],
    "outliers": lambda rng: np.vstack([rng.normal(size=(580, 3)), 9 * rng.normal(size=(20, 3))]),
    "duplicates": lambda rng: np.repeat(rng.normal(size=(120, 6)), 5, axis=0),
}


def density(Z):
    matrix = DensityMatrix(Z)
    return matrix, _core.matrix(matrix.rows, matrix.sigma, None, "float64")[0] / matrix.n


def test_the_exact_diagonal_of_prescribed_eigenvectors(rng):
    values = np.array([0.5, 0.25, 0.25, 0.0])
    Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    found = exact_diagonal(np.ascontiguousarray(Q @ np.diag(values) @ Q.T))
    f = np.array([0.5 * math.log(2), 0.25 * math.log(4), 0.25 * math.log(4), 0.0])
    np.testing.assert_allclose(found.values, Q**2 @ f, atol=1e-13)
    assert not found.standard_errors.any()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("explicit", [True, False])
def test_estimates_are_as_far_off_as_their_errors_say(rng, name, explicit):
    matrix, rho = density(SETS[name](rng))
    exact = exact_diagonal(rho).values
    found = estimated_diagonal(matrix.products("float32", explicit, None), seed=3)
    scores = (found.values - exact) / found.standard_errors
    assert math.sqrt(float(np.mean(scores**2))) < 1.25
    assert abs(scores.mean()) < 0.4
    assert matrix.n * np.abs(found.values - exact).max() < 0.2


def test_found_eigenvectors_leave_nothing_to_chance(rng):
    """A matrix of low rank is exhausted: only rounding is left."""
    matrix, rho = density(np.repeat(rng.normal(size=(40, 3)), 10, axis=0))
    found = estimated_diagonal(matrix.products("float64", True, None), dtype="float64")
    np.testing.assert_allclose(found.values, exact_diagonal(rho).values, atol=1e-10)
    assert matrix.n * found.standard_errors.max() < 1e-8


@pytest.mark.parametrize(
    "Z",
    [
        20.0 * np.eye(300),
        np.repeat(1e3 * np.eye(70), 10, axis=0),
        np.vstack(
            [np.repeat(1e3 * np.eye(80), 5, axis=0), -1e3 - np.arange(200.0)[:, None] * np.ones(80)]
        ),
    ],
    ids=["no two rows alike", "70 equal clusters", "80 equal clusters and 200 rows alone"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_eigenvalue_with_more_eigenvectors_than_signs_is_not_taken_for_found(Z, dtype):
    matrix = DensityMatrix(Z, sigma=1.0)
    exact = exact_diagonal(_core.matrix(matrix.rows, 1.0, None, "float64")[0] / matrix.n).values
    found = estimated_diagonal(matrix.products(dtype, True, None), dtype=dtype)
    np.testing.assert_allclose(found.values, exact, rtol=2e-3)
    assert (np.abs(found.values - exact) <= 5.0 * found.standard_errors + 1e-12).all()


def test_the_seed_decides_and_progress_ends_at_1(rng):
    matrix, _ = density(SETS["flat"](rng))
    A, told = matrix.products("float32", True, None), []
    first = estimated_diagonal(A, 1, told.append)
    assert np.array_equal(first.values, estimated_diagonal(A, 1).values)
    assert not np.array_equal(first.values, estimated_diagonal(A, 2).values)
    assert told == sorted(told)
    assert told[-1] == 1.0
