"""The definitions in plain NumPy, where the answer is known."""

import math

import numpy as np
import pytest

from eigentropy import reference

ORDERS = [0.3, 1.0, 1.5, 2.0, 7.0, math.inf]


def two_clouds(first, second, apart=1e3):
    """That many copies of two points."""
    return np.repeat([[0.0], [apart]], [first, second], axis=0)


@pytest.mark.parametrize("order", ORDERS)
def test_the_kernel_entropy_of_far_rows_is_log_n_and_of_equal_rows_0(order):
    far = 1e3 * np.eye(16)
    assert reference.kernel_entropy(far, 1.0, order) == pytest.approx(4.0, abs=1e-12)
    assert reference.kernel_entropy(np.ones((16, 2)), 1.0, order) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_the_kernel_entropy_of_two_clouds_is_that_of_their_shares(order):
    found = reference.kernel_entropy(two_clouds(12, 4), 1.0, order, base=math.e)
    p = np.array([0.75, 0.25])
    if order == 1.0:
        expected = -(p * np.log(p)).sum()
    elif order == math.inf:
        expected = -math.log(0.75)
    else:
        expected = math.log((p**order).sum()) / (1.0 - order)
    assert found == pytest.approx(expected, abs=1e-10)


def test_the_holevo_information_of_clouds_and_their_labels_is_the_entropy_of_the_labels():
    Z, labels = two_clouds(12, 4), np.repeat([0, 1], [12, 4])
    H = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert reference.holevo_information(Z, labels, 1.0) == pytest.approx(H, abs=1e-10)
    assert reference.joint_information(Z, Z, 1.0, 2.0) == pytest.approx(H, abs=1e-10)
    assert reference.holevo_information(Z, np.zeros(16), 1.0) == pytest.approx(0.0, abs=1e-12)


def test_a_density_matrix_has_trace_1():
    Z = np.random.default_rng(0).standard_normal((20, 3))
    rho = reference.density_matrix(Z, 1.3)
    assert np.trace(rho) == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(rho[0, 1], np.exp(-((Z[0] - Z[1]) ** 2).sum() / 2 / 1.3**2) / 20)
