"""Newton steps reach the solution that plain steps tend to, also where these are slow."""

from __future__ import annotations

import numpy as np
import pytest

from channels import binary_symmetric, random_joint
from eigentropy.bottleneck import symmetric
from eigentropy.bottleneck.equations import Equations
from eigentropy.bottleneck.fixed_point import converged
from eigentropy.bottleneck.joint import as_joint
from eigentropy.bottleneck.solver import random_starts


def test_the_residual_is_below_the_tolerance_and_lower_energy_than_after_many_plain_steps():
    equations = Equations.of(as_joint(random_joint(0, 12, 6)), 5.0)
    starts = random_starts(equations, 4, 5, 0)
    found = converged(equations, starts)
    assert (found.residual <= 1e-10).all()
    assert np.allclose(equations.step(found.J).residual(found.J), found.residual, atol=1e-15)
    J = starts
    for _ in range(3000):
        step = equations.step(J)
        J = step.following
    assert found.free_energy.min() <= step.free_energy.min() + 1e-9


@pytest.mark.parametrize("above", [1e-2, 1e-4, 1e-6])
def test_critical_slowing_down_costs_few_steps(above):
    """Plain steps shrink the error by 1 - 2 (above) each: a million of them for the last case."""
    p = 0.1
    beta = (1 + above) / (1 - 2 * p) ** 2
    equations = Equations.of(as_joint(binary_symmetric(p)), beta)
    start = equations.decoded(np.array([[[0.9, 0.1], [0.1, 0.9]]]))
    found = converged(equations, start, tol=1e-14)
    assert found.steps < 60
    expected = symmetric.binary_symmetric_curve(p, [beta], base=np.e)
    nats = equations.informations(found.encoder)
    assert nats.y[0] == pytest.approx(expected.information_y[0], rel=1e-4, abs=1e-9)


def test_a_batch_gives_what_its_members_give_alone():
    equations = Equations.of(as_joint(random_joint(1, 9, 5)), 4.0)
    starts = random_starts(equations, 3, 4, 1)
    together = converged(equations, starts)
    for number in range(4):
        alone = converged(equations, starts[number : number + 1])
        assert alone.free_energy[0] == pytest.approx(together.free_energy[number], abs=1e-10)


def test_too_few_steps_leave_a_residual_that_says_so():
    equations = Equations.of(as_joint(random_joint(2, 9, 5)), 4.0)
    found = converged(equations, random_starts(equations, 3, 1, 0), steps=1)
    assert found.steps == 1
    assert found.residual[0] > 1e-6
