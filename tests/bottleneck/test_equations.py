"""One step of the equations is that of plain loops, and its derivative that of differences."""

from __future__ import annotations

import numpy as np
import pytest

from channels import information, random_joint, step_by_loops
from eigentropy.bottleneck.equations import Equations
from eigentropy.bottleneck.joint import as_joint

SHAPES = [(1, 1, 1), (2, 3, 2), (7, 5, 3), (5, 7, 4)]


def encoders(seed, batch, n_t, n_x):
    return np.random.default_rng(seed).dirichlet(np.ones(n_t), size=(batch, n_x)).swapaxes(1, 2)


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize(("n_x", "n_y", "n_t"), SHAPES)
def test_a_step_is_that_of_the_three_equations(n_x, n_y, n_t, alpha):
    p = random_joint(1, n_x, n_y)
    equations = Equations.of(as_joint(p), 3.0, alpha)
    batch = encoders(2, 2, n_t, n_x)
    step = equations.step(equations.decoded(batch))
    for before, after in zip(batch, step.encoder, strict=True):
        assert np.allclose(after.T, step_by_loops(p, before.T, 3.0, alpha), atol=1e-12)
    assert np.allclose(step.following, equations.decoded(step.encoder))


def test_the_deterministic_step_takes_the_best_cluster():
    p = random_joint(1, 6, 4)
    batch = encoders(2, 1, 3, 6)
    equations = Equations.of(as_joint(p), 3.0, 0.0)
    hard = equations.step(equations.decoded(batch)).encoder[0]
    soft = step_by_loops(p, batch[0].T, 3.0, 1.0).T
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert (hard.argmax(axis=0) == soft.argmax(axis=0)).all()


def test_informations_are_those_of_the_joint_tables():
    p = random_joint(3, 6, 4)
    equations = Equations.of(as_joint(p), 3.0)
    batch = encoders(4, 3, 5, 6)
    found = equations.informations(batch)
    for number, q in enumerate(batch):
        assert found.x[number] / np.log(2) == pytest.approx(information(q * p.sum(axis=1)))
        assert found.y[number] / np.log(2) == pytest.approx(information(q @ p))


def test_every_step_lowers_the_free_energy_which_is_cost_plus_beta_distortion():
    p = random_joint(5, 8, 5)
    for alpha in (1.0, 0.4, 0.0):
        equations = Equations.of(as_joint(p), 6.0, alpha)
        J = equations.decoded(encoders(6, 2, 4, 8))
        energies = []
        for _ in range(200):
            step = equations.step(J)
            energies.append(step.free_energy)
            J = step.following
        assert (np.diff(energies, axis=0) <= 1e-14).all()
        found = equations.informations(step.encoder)
        given_x = found.entropy - found.x
        distortion = as_joint(p).nats - found.y
        cost = found.entropy - alpha * given_x
        assert np.allclose(energies[-1], cost + 6.0 * distortion, atol=1e-3 if alpha else 1e-12)


def test_a_cluster_of_tiny_mass_keeps_its_distribution():
    """Log-space: no mass is too small for the scores."""
    p = random_joint(7, 6, 4)
    equations = Equations.of(as_joint(p), 2.0)
    J = equations.decoded(encoders(8, 1, 2, 6))
    small = J.copy()
    small[:, 1] *= 1e-250
    step = equations.step(small)
    assert np.isfinite(step.encoder).all()
    assert np.isfinite(step.free_energy).all()
    ratio = step.encoder[0, 1] / 1e-250
    plain = equations.step(J).encoder[0]
    assert np.allclose(ratio, plain[1] / plain[0] * step.encoder[0, 0], rtol=1e-9)


def test_a_large_beta_overflows_nowhere():
    p = np.eye(3) / 3
    step = Equations.of(as_joint(p), 1e6).step(np.eye(3)[None] / 3)
    assert np.allclose(step.encoder[0], np.eye(3))


@pytest.mark.parametrize("alpha", [1.0, 0.6])
@pytest.mark.parametrize("beta", [0.5, 4.0])
def test_the_derivative_is_that_of_differences_and_self_adjoint(beta, alpha):
    p = random_joint(9, 8, 5)
    equations = Equations.of(as_joint(p), beta, alpha)
    J = equations.decoded(encoders(10, 1, 3, 8))
    rng = np.random.default_rng(11)
    u, v = rng.normal(size=(2, *J.shape))
    encoder = equations.step(J).encoder

    def image(w):
        return equations.linearized(encoder, J, equations.slopes(J, w))

    eps = 1e-6
    ahead, behind = (equations.step(J * (1 + s * eps * u)).following for s in (1, -1))
    assert np.allclose((ahead - behind) / (2 * eps * J), image(u), atol=1e-6)
    left = (J * equations.slopes(J, u) * image(v)).sum()
    right = (J * equations.slopes(J, v) * image(u)).sum()
    assert left == pytest.approx(right, rel=1e-9, abs=1e-12)
    assert (J * equations.slopes(J, u) * image(u)).sum() >= -1e-12
