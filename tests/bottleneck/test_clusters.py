"""Lost and equal clusters, and when a cluster splits."""

from __future__ import annotations

import numpy as np
import pytest

from channels import binary_symmetric, random_joint, tree
from eigentropy.bottleneck.clusters import growth, settled, split
from eigentropy.bottleneck.equations import Equations
from eigentropy.bottleneck.joint import as_joint


def solved(p, beta, J):
    equations = Equations.of(as_joint(p), beta)
    return equations, settled(equations, np.asarray(J), 1e-12, 500)


def trivial(p, beta):
    return solved(p, beta, p.sum(axis=0)[None])


def maximal_correlation(p):
    """The second singular value of p(x, y) / sqrt(p(x) p(y))."""
    scaled = p / np.sqrt(np.outer(p.sum(axis=1), p.sum(axis=0)))
    return np.linalg.svd(scaled, compute_uv=False)[1]


@pytest.mark.parametrize("shape", [(2, 2), (5, 3), (3, 7), (40, 60)])
def test_one_cluster_splits_at_one_over_the_squared_maximal_correlation(shape):
    p = random_joint(0, *shape)
    equations, state = trivial(p, 3.0)
    grown, _ = growth(equations, state)
    assert grown[0] == pytest.approx(3.0 * maximal_correlation(p) ** 2, rel=1e-6)


def test_the_growth_is_that_of_a_small_split_in_one_step():
    equations, state = solved(tree((0.05, 0.3)), 2.0, random_start(4))
    grown, directions = growth(equations, state)
    assert state.n_clusters == 2
    for t in range(state.n_clusters):
        which = np.arange(state.n_clusters) == t
        J = split(state.J, directions, which, 1e-5)[None]
        following = equations.step(J).following[0]
        apart = [(a[-2] / a[-2].sum() - a[-1] / a[-1].sum()) for a in (J[0], following)]
        assert np.allclose(apart[1], grown[t] * apart[0], atol=1e-9)


def random_start(n_y):
    return np.random.default_rng(0).dirichlet(np.ones(4 * n_y)).reshape(4, n_y)


def test_a_split_keeps_the_mass_and_its_distribution():
    J = random_start(3)
    directions = np.array([[1.0, -0.5, 0.2]] * 4)
    parts = split(J, directions, np.array([True, False, False, True]), 0.5)
    assert parts.shape == (6, 3)
    assert np.allclose(parts.sum(axis=0), J.sum(axis=0))


def test_a_cluster_that_is_certain_of_y_does_not_split():
    p = np.eye(3) / 3
    equations, state = solved(p, 5.0, p)
    grown, _ = growth(equations, state)
    assert np.allclose(grown, 0.0, atol=1e-9)


def test_copies_are_merged_and_lost_clusters_dropped():
    p = binary_symmetric(0.1)
    J = np.concatenate([p, p, 1e-12 * p[:1]])
    _, state = solved(p, 5.0, J / J.sum())
    assert state.n_clusters == 2
    assert state.J.sum() == pytest.approx(1.0)


def test_clusters_that_coalesce_slowly_are_merged():
    """Just below the critical beta the distance shrinks by 1 - 1e-4 a step."""
    p = binary_symmetric(0.1)
    beta = (1 - 1e-4) / 0.64
    near = 0.5 * np.array([[0.5 + 1e-3, 0.5 - 1e-3], [0.5 - 1e-3, 0.5 + 1e-3]])
    _, state = solved(p, beta, near)
    assert state.n_clusters == 1


def test_clusters_that_are_near_and_differ_are_kept():
    p = binary_symmetric(0.1)
    _, state = solved(p, (1 + 1e-4) / 0.64, p)
    assert state.n_clusters == 2
    given = state.J / state.J.sum(axis=1, keepdims=True)
    assert 0.001 < abs(given[0, 0] - given[1, 0]) < 0.05
