"""One beta: closed forms, restarts, the deterministic variant."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from channels import binary_symmetric, information, random_joint, step_by_loops
from eigentropy import bottleneck
from eigentropy._support.warnings import PrecisionWarning
from messages import names, naming


def partitions(n):
    """Every partition of n symbols, as labels."""
    for labels in itertools.product(range(n), repeat=n):
        if all(label <= max(labels[:k], default=-1) + 1 for k, label in enumerate(labels)):
            yield np.array(labels)


def test_a_solution_solves_the_equations_of_plain_loops():
    p = random_joint(0, 6, 4, 0.2)
    found = bottleneck.solve(p, 6.0)
    assert found.n_clusters > 1
    assert np.allclose(step_by_loops(p, found.encoder, 6.0), found.encoder, atol=1e-8)


def test_its_numbers_are_those_of_its_encoder():
    p = random_joint(1, 6, 4, 0.2)
    found = bottleneck.solve(p, 6.0)
    assert found.information_x == pytest.approx(information(found.encoder.T * p.sum(axis=1)))
    assert found.information_y == pytest.approx(information(found.encoder.T @ p))
    assert found.distortion == pytest.approx(information(p) - found.information_y)
    assert found.lagrangian == pytest.approx(found.information_x - 6.0 * found.information_y)
    assert np.allclose(found.encoder.sum(axis=1), 1.0)
    assert np.allclose(found.p_y_given_t * found.p_t[:, None], found.encoder.T @ p, atol=1e-9)
    assert (np.diff(found.p_t) <= 0).all()


def test_the_distortion_is_that_of_rate_distortion_theory():
    """I(X; Y|T) is the mean divergence of p(y|x) from p(y|t)."""
    p = random_joint(2, 5, 4, 0.3)
    found = bottleneck.solve(p, 4.0)
    given = p / p.sum(axis=1, keepdims=True)
    divergence = (given[:, None] * np.log2(given[:, None] / found.p_y_given_t)).sum(axis=2)
    mean = (p.sum(axis=1)[:, None] * found.encoder * divergence).sum()
    assert found.distortion == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [1.5, 4.0])
def test_the_deterministic_variant_finds_the_best_partition_of_all(seed, beta):
    p = random_joint(seed, 6, 4, 0.3)
    found = bottleneck.solve(p, beta, alpha=0.0, restarts=100)

    def lagrangian(labels):
        encoder = np.eye(6)[labels]
        mass = encoder.T @ p.sum(axis=1)
        mass = mass[mass > 0]
        return -(mass * np.log2(mass)).sum() - beta * information(encoder.T @ p)

    best = min(map(lagrangian, partitions(6)))
    assert found.lagrangian == pytest.approx(best, abs=1e-9)
    assert found.information_x == pytest.approx(found.entropy)


def test_between_both_variants_the_encoder_hardens():
    p = random_joint(4, 8, 5, 0.3)
    found = [bottleneck.solve(p, 6.0, alpha=alpha) for alpha in (1.0, 0.5, 0.0)]
    softness = [s.entropy - s.information_x for s in found]
    assert softness[0] > softness[1] > softness[2] - 1e-12
    assert softness[2] == pytest.approx(0.0, abs=1e-12)


def test_equal_clusters_are_merged_and_lost_ones_are_gone():
    found = bottleneck.solve(binary_symmetric(0.1), 5.0, n_clusters=2)
    assert found.n_clusters == 2
    wide = np.repeat(binary_symmetric(0.1), 5, axis=0) / 5
    assert bottleneck.solve(wide, 5.0).n_clusters == 2


def test_more_clusters_are_never_worse():
    p = random_joint(5, 8, 6, 0.2)
    values = [bottleneck.solve(p, 8.0, n_clusters=k, restarts=30).lagrangian for k in range(1, 6)]
    assert (np.diff(values) <= 1e-9).all()


def test_the_seed_decides():
    p = random_joint(6, 30, 6)
    one, again = (bottleneck.solve(p, 9.0, n_clusters=4, seed=3) for _ in range(2))
    assert one.information_x == again.information_x


def test_the_printed_form_has_the_numbers():
    found = bottleneck.solve(binary_symmetric(0.1), 2.0)
    assert names(repr(found), "beta=2", "2", f"{found.information_y:.6g}", "bits")


def test_too_few_steps_are_said():
    with pytest.warns(PrecisionWarning, match=naming("beta", "tol", "max_steps")):
        found = bottleneck.solve(random_joint(0, 12, 5, 0.2), 5.0, max_steps=1, restarts=1)
    assert not found.converged
    assert names(repr(found), "converged")
