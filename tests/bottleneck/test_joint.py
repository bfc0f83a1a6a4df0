"""p(x, y) from matrices and observations, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from channels import binary_symmetric, information, random_joint
from eigentropy import bottleneck
from messages import naming

P = binary_symmetric(0.1)


def test_a_matrix_stays_as_it_is():
    joint = bottleneck.joint_distribution(P)
    assert np.allclose(joint.p_xy, P, rtol=1e-15)
    assert np.allclose(joint.p_x, 0.5)
    assert np.allclose(joint.p_y_given_x, 2 * P)
    assert joint.nats / np.log(2) == pytest.approx(information(P))
    assert joint.nats_of_x == pytest.approx(np.log(2))


def test_counts_are_divided_by_their_sum():
    joint = bottleneck.joint_distribution([[9, 1], [1, 9]], normalize=True)
    assert np.allclose(joint.p_xy, P)


def test_labels_are_counted():
    joint = bottleneck.joint_distribution(["a", "a", "b", "b"], [0, 1, 1, 1])
    assert np.allclose(joint.p_xy, [[0.25, 0.25], [0.0, 0.5]])


def test_vectors_become_clusters_and_scalars_bins(rng):
    pytest.importorskip("sklearn")
    labels = np.arange(60) % 3
    X = 20.0 * labels[:, None] + rng.normal(size=(60, 2))
    joint = bottleneck.joint_distribution(
        X, rng.uniform(size=60), n_clusters=(3, 4), kind=("vectors", "scalars")
    )
    assert joint.p_xy.shape == (3, 4)
    assert np.allclose(joint.p_x, 1 / 3)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[0.5, 0.6]], ["p_xy", "1.1", "normalize"]),
        ([[9, 1], [1, 9]], ["p_xy", "20", "normalize"]),
        ([[1.1, -0.1]], ["p_xy", "-0.1", "0", "1"]),
        ([[0.5, np.nan], [0.5, 0.0]], ["p_xy", "nan", "0", "1"]),
        ([[np.inf, 0.0]], ["p_xy", "inf"]),
        ([0.5, 0.5], ["p_xy", "(2,)"]),
        (np.zeros((0, 2)), ["p_xy", "(0, 2)"]),
        (np.full((2, 2, 2), 0.125), ["p_xy", "(2, 2, 2)"]),
    ],
)
def test_what_is_no_distribution_is_refused_by_every_door(matrix, words):
    for door in (
        bottleneck.joint_distribution,
        lambda p: bottleneck.solve(p, 2.0),
        lambda p: bottleneck.curve(p, [2.0]),
    ):
        with pytest.raises(ValueError, match=naming(*words)):
            door(matrix)


def test_the_class_itself_refuses_what_is_no_distribution():
    for matrix, words in ((0.5 * P, ["p_xy", "0.5"]), (P - 0.1, ["p_xy", "-0.05", ">= 0"])):
        with pytest.raises(ValueError, match=naming(*words)):
            bottleneck.JointDistribution(matrix)


def test_no_mass_at_all_and_complex_numbers_are_refused():
    with pytest.raises(ValueError, match=naming("p_xy", "0")):
        bottleneck.joint_distribution(np.zeros((2, 2)), normalize=True)
    with pytest.raises(TypeError, match=naming("p_xy", "complex128")):
        bottleneck.joint_distribution(P.astype(complex))


def test_observations_of_different_number_are_refused():
    with pytest.raises(ValueError, match=naming("X", "3", "Y", "2")):
        bottleneck.joint_distribution([0, 1, 0], [0, 1])
    with pytest.raises(ValueError, match=naming("n_clusters", "3")):
        bottleneck.joint_distribution([0, 1], [0, 1], n_clusters=(1, 2, 3))


def test_an_x_that_never_occurs_is_left_out_with_a_warning_and_changes_nothing():
    p = random_joint(0, 5, 4)
    padded = np.insert(p, 2, 0.0, axis=0)
    with pytest.warns(UserWarning, match=naming("p_xy", "1", "6", "2")):
        with_row = bottleneck.solve(padded, 4.0)
    without = bottleneck.solve(p, 4.0)
    assert with_row.information_x == pytest.approx(without.information_x, abs=1e-9)
    assert with_row.encoder.shape == (6, with_row.n_clusters)
    assert np.allclose(with_row.encoder[2], with_row.p_t)
    assert np.allclose(np.delete(with_row.encoder, 2, axis=0), without.encoder, atol=1e-7)


def test_a_y_that_never_occurs_changes_nothing_and_needs_no_warning():
    p = random_joint(0, 5, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        padded = bottleneck.solve(np.insert(p, 1, 0.0, axis=1), 4.0)
    assert padded.lagrangian == pytest.approx(bottleneck.solve(p, 4.0).lagrangian, abs=1e-12)
    assert (padded.p_y_given_t[:, 1] == 0).all()
    assert padded.p_y_given_t.shape[1] == 5
